/* Header fields that decide an answer: Accept-Encoding, Accept, If-None-Match, Cookie,
 * Content-Type, lists; the first byte chooses. */
#include "fuzz.h"

#include "http/fields.h"

static void choose_encoding(struct td_slice text, unsigned offered)
{
	enum http_encoding chosen = http_encoding_choose(text, offered);
	FUZZ_CLAIM(chosen == HTTP_IDENTITY || (offered >> chosen & 1u) == 1);
	if (text.len == 0)
		FUZZ_CLAIM(chosen == HTTP_IDENTITY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 9);
	struct td_slice text = fuzz_slice(data, size), value = {NULL, 0};
	if (way < 4)
		choose_encoding(text, (unsigned)way << 1);
	else if (way == 4)
		(void)http_accept_prefers_html(text);
	else if (way == 5)
		(void)http_etag_matches(text, TD_SLICE("\"abc\""));
	else if (way == 6 && http_cookie_find(text, "lang", &value))
		FUZZ_CLAIM(value.len == 0 || fuzz_is_within(value, text));
	else if (way == 7)
		(void)http_media_type_is(text, "application/json");
	else if (way == 8)
		FUZZ_CLAIM(http_list_last(text).len <= text.len);
	return 0;
}
