/* The file of --config. */
#include "fuzz.h"

#include "settings/settings_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_slice text = fuzz_slice(data, size), key, value;
	struct settings_file file = settings_file_open(text);
	for (unsigned line = 0;; line = file.line) {
		struct td_err err = TD_ERR_INIT;
		enum td_status status = settings_file_next(&file, &key, &value, &err);
		if (status == TD_NOTFOUND)
			return 0;
		FUZZ_CLAIM(file.line > line);
		if (status == TD_OK) {
			FUZZ_CLAIM(key.len > 0 && fuzz_is_within(key, text));
			FUZZ_CLAIM(value.len == 0 || fuzz_is_within(value, text));
		} else {
			FUZZ_CLAIM(status == TD_INVALID && err.text[0] != '\0');
		}
	}
}
