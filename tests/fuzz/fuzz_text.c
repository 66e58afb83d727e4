/* Small readers: times, amounts, identifiers, e-mail addresses, names, UTF-8, JSON strings. */
#include "fuzz.h"

#include "app/apikey.h"
#include "app/text.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/money.h"
#include "base/utf8.h"
#include "base/uuid.h"

#include <sodium.h>

static void read_utf8(struct td_slice text)
{
	struct td_buf out = TD_BUF_INIT;
	struct td_json j = td_json_to(&out);
	td_json_slice(&j, text);
	FUZZ_CLAIM(out.failed || td_utf8_is_valid(td_buf_slice(&out)));
	td_buf_done(&out);
	if (text.ptr != NULL)
		FUZZ_CLAIM(td_utf8_floor(text.ptr, text.len) <= text.len);
}

static void read_name(struct td_slice text)
{
	if (!td_utf8_is_valid(text)) {
		FUZZ_CLAIM(app_text_fault(text) != NULL);
		return;
	}
	struct td_slice trimmed = app_text_trim(text);
	FUZZ_CLAIM(trimmed.len == 0 || fuzz_is_within(trimmed, text));
	FUZZ_CLAIM(app_text_trim(trimmed).len == trimmed.len);
	const char *why = NULL;
	if (!apikey_check_name(trimmed, &why))
		FUZZ_CLAIM(why != NULL);
}

static void read_money(struct td_slice text)
{
	int64_t minor, same;
	if (!td_money_parse(text, &minor))
		return;
	struct td_buf out = TD_BUF_INIT;
	td_money_put(&out, minor);
	if (!out.failed)
		FUZZ_CLAIM(td_money_parse(td_buf_slice(&out), &same) && same == minor);
	td_buf_done(&out);
}

static void read_time(struct td_slice text)
{
	int64_t ms, same, now = td_clock_wall_ms(&td_clock_system);
	char out[TD_TIME_TEXT_SIZE];
	td_time_format(now, out);
	FUZZ_CLAIM(td_time_parse(td_slice_str(out), &same) && same == now);
	FUZZ_CLAIM(td_clock_mono_ms(&td_clock_system) > 0);
	if (!td_time_parse(text, &ms) || ms < INT64_C(-62167219200000) ||
		ms > INT64_C(253402300799999))
		return;
	td_time_format(ms, out);
	FUZZ_CLAIM(td_time_parse(td_slice_str(out), &same) && same == ms);
}

/* A key with one byte of the input in it is no key. */
static void read_key(struct td_slice text)
{
	char key[APIKEY_TEXT_SIZE];
	uint8_t hash[TD_SHA256_SIZE];
	FUZZ_CLAIM(!apikey_is_wellformed(text) || text.len == APIKEY_LEN);
	if (sodium_init() < 0)
		return;
	apikey_generate(key);
	FUZZ_CLAIM(apikey_is_wellformed(td_slice_str(key)));
	apikey_hash(td_slice_str(key), hash);
	if (text.len > 1 && key[(uint8_t)text.ptr[0] % APIKEY_LEN] != text.ptr[1]) {
		key[(uint8_t)text.ptr[0] % APIKEY_LEN] = text.ptr[1];
		FUZZ_CLAIM(!apikey_is_wellformed(td_slice(key, APIKEY_LEN)));
	}
	apikey_wipe(key, sizeof(key));
	FUZZ_CLAIM(key[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 8);
	struct td_slice text = fuzz_slice(data, size);
	if (way == 0)
		read_time(text);
	else if (way == 1)
		read_money(text);
	else if (way == 2)
		FUZZ_CLAIM(!td_uuid_is_valid(text) || text.len == 36);
	else if (way == 3)
		read_key(text);
	else if (way == 4)
		FUZZ_CLAIM(app_email_fault(text) != NULL || text.len <= 254);
	else if (way == 5)
		read_name(text);
	else if (way == 6)
		FUZZ_CLAIM(!td_money_is_currency(text) || text.len == 3);
	else
		read_utf8(text);
	return 0;
}
