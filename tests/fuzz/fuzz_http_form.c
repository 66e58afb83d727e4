/* Queries and forms. */
#include "fuzz.h"

#include "base/utf8.h"
#include "http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct http_form form;
	if (http_form_decode(fuzz_slice(data, size), &arena, &form) == TD_OK) {
		FUZZ_CLAIM(form.count <= HTTP_FORM_PAIRS_MOST);
		for (size_t i = 0; i < form.count; i++) {
			struct http_pair *pair = &form.pairs[i];
			FUZZ_CLAIM(pair->name.len > 0);
			FUZZ_CLAIM(td_utf8_is_valid(pair->name) && td_utf8_is_valid(pair->value));
			FUZZ_CLAIM(memchr(pair->name.ptr, '\0', pair->name.len) == NULL);
			FUZZ_CLAIM(pair->value.len == 0 ||
				   memchr(pair->value.ptr, '\0', pair->value.len) == NULL);
		}
		struct td_slice value;
		FUZZ_CLAIM(http_form_get(&form, "a", &value) == (http_form_count(&form, "a") > 0));
	}
	td_arena_done(&arena);
	return 0;
}
