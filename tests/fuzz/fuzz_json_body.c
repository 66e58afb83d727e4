/* Bodies of the API. */
#include "fuzz.h"

#include "api/body.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_slice email = {NULL, 0}, name = {NULL, 0}, company = {NULL, 0};
	const struct api_field fields[] = {{"email", false, &email}, {"first_name", false, &name},
		{"company", true, &company}};
	struct td_arena arena = {.limit = 4u << 20};
	struct app_faults faults = {.count = 0};
	struct td_err err = TD_ERR_INIT;
	enum td_status status = api_body_read(
		fuzz_slice(data, size), &arena, fields, TD_ARRAY_LEN(fields), &faults, &err);
	FUZZ_CLAIM((status == TD_OK) == (err.text[0] == '\0'));
	FUZZ_CLAIM(faults.count <= APP_FAULTS_MOST);
	for (size_t i = 0; status == TD_OK && i < TD_ARRAY_LEN(fields); i++)
		FUZZ_CLAIM(td_utf8_is_valid(*fields[i].ret_value));
	for (size_t i = 0; i < faults.count; i++)
		FUZZ_CLAIM(faults.items[i].detail[0] != '\0');
	td_arena_done(&arena);
	return 0;
}
