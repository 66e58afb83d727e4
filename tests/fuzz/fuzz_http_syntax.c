/* Request targets, hosts, tokens, percent-encoding; the first byte chooses. */
#include "fuzz.h"

#include "base/utf8.h"
#include "http/syntax.h"

#include <stdlib.h>

static void read_target(struct td_slice text)
{
	struct http_target_parts parts;
	if (!http_target_parse(text, &parts))
		return;
	/* "http://host" has the path "/". */
	FUZZ_CLAIM(fuzz_is_within(parts.path, text) || td_slice_is(parts.path, "/"));
	FUZZ_CLAIM(parts.path.len > 0);
	FUZZ_CLAIM(parts.path.ptr[0] == '/' || td_slice_is(parts.path, "*"));
	FUZZ_CLAIM(parts.query.ptr == NULL || fuzz_is_within(parts.query, text));
	if (parts.form == HTTP_TARGET_ABSOLUTE)
		FUZZ_CLAIM(http_is_host(parts.authority));
	for (size_t i = 0; i < text.len; i++)
		FUZZ_CLAIM(text.ptr[i] > 0x20 && text.ptr[i] < 0x7F && text.ptr[i] != '#');
}

/* In a block of exactly its size, and in place. */
static void decode(struct td_slice text, bool plus_is_space)
{
	char *out = malloc(text.len != 0 ? text.len : 1);
	if (out == NULL)
		abort();
	size_t len = 0, in_place = 0;
	bool taken = http_percent_decode(text, plus_is_space, out, &len);
	if (taken)
		FUZZ_CLAIM(len <= text.len && td_utf8_is_valid(td_slice(out, len)) &&
			   memchr(out, '\0', len) == NULL);
	if (text.len != 0)
		memcpy(out, text.ptr, text.len);
	FUZZ_CLAIM(http_percent_decode(td_slice(out, text.len), plus_is_space, out, &in_place) ==
		   taken);
	FUZZ_CLAIM(in_place == len);
	free(out);
}

static void compare_hosts(struct td_slice text)
{
	struct td_slice other;
	struct td_slice rest = text;
	if (!td_slice_cut(&rest, '\x1F', &other))
		return;
	bool same = http_same_host(other, rest, 80);
	FUZZ_CLAIM(same == http_same_host(rest, other, 80));
	if (http_is_host(other))
		FUZZ_CLAIM(other.len <= 255 && http_same_host(other, other, 443));
	(void)http_is_host(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 6);
	struct td_slice text = fuzz_slice(data, size);
	if (way < 2)
		read_target(text);
	else if (way == 2)
		compare_hosts(text);
	else if (way == 3)
		FUZZ_CLAIM(!http_is_token(text) || http_is_field_value(text));
	else
		decode(text, way == 4);
	return 0;
}
