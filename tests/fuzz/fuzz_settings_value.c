/* Values of settings; the first byte chooses the kind. */
#include "fuzz.h"

#include "settings/settings_value.h"

static enum td_status read_plain(struct td_slice text, size_t way, struct td_err *err)
{
	int64_t number;
	bool flag;
	int place;
	size_t len;
	switch (way) {
	case 0:
		return settings_read_int(text, &number, err);
	case 1:
		return settings_read_duration(text, &number, err);
	case 2:
		return settings_read_size(text, &number, err);
	case 3:
		return settings_read_bool(text, &flag, err);
	case 4:
		return settings_read_word(text, "text|json|x", &place, err);
	case 5:
		return settings_read_host(text, err);
	default:
		return settings_read_origin(text, &flag, &len, err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 8);
	struct td_slice text = fuzz_slice(data, size);
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	const char *list = NULL;
	enum td_status status = way == 7 ? settings_read_addresses(text, &arena, &list, &err)
					 : read_plain(text, way, &err);
	FUZZ_CLAIM((status == TD_OK) == (err.text[0] == '\0'));
	if (list != NULL) {
		const char *same = NULL;
		FUZZ_CLAIM(strchr(list, ' ') == NULL);
		if (settings_read_addresses(td_slice_str(list), &arena, &same, &err) == TD_OK)
			FUZZ_CLAIM(strcmp(same, list) == 0);
	}
	td_arena_done(&arena);
	return 0;
}
