/* The texts of a language, and how numbers are written by them. */
#include "fuzz.h"

#include "page/locale.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct locale *locale = NULL;
	struct td_err err = TD_ERR_INIT;
	if (locale_create(TD_SLICE("xx"), fuzz_slice(data, size), NULL, &locale, &err) != TD_OK) {
		FUZZ_CLAIM(err.text[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < locale_count(locale); i++) {
		struct td_slice key = locale_key(locale, i);
		FUZZ_CLAIM(locale_find(locale, key).ptr != NULL);
	}
	struct td_buf out = {.limit = 1u << 20};
	locale_put_money(locale, &out, 123456789, TD_SLICE("USD"));
	locale_put_money(locale, &out, -5, TD_SLICE("JPY"));
	locale_put_number(locale, &out, INT64_MIN);
	locale_put_percent(locale, &out, 17);
	locale_put_date(locale, &out, INT64_C(1795421100123));
	td_buf_done(&out);
	locale_destroy(locale);
	return 0;
}
