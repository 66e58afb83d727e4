#include "td_test.h"
#include "utf8_encode.h"

#include "base/json.h"
#include "base/utf8.h"

#include <jansson.h>
#include <string.h>

static void test_json_places_commas(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	struct td_json j = td_json_to(&b);
	td_json_open(&j, '{');
	td_json_member_str(&j, "a", "x");
	td_json_member_str(&j, "n", NULL);
	td_json_name(&j, "list");
	td_json_open(&j, '[');
	td_json_i64(&j, INT64_MIN);
	td_json_open(&j, '[');
	td_json_close(&j, ']');
	td_json_open(&j, '{');
	td_json_close(&j, '}');
	td_json_bool(&j, true);
	td_json_null(&j);
	td_json_close(&j, ']');
	td_json_member_bool(&j, "b", false);
	td_json_member_money(&j, "price", 2999);
	td_json_member_time(&j, "at", 0);
	td_json_member_i64(&j, "i", 7);
	td_json_close(&j, '}');
	assert_string_equal(td_buf_cstr(&b),
		"{\"a\":\"x\",\"n\":null,\"list\":[-9223372036854775808,[],{},true,null],\"b\":"
		"false,"
		"\"price\":29.99,\"at\":\"1970-01-01T00:00:00.000Z\",\"i\":7}");
	td_buf_done(&b);
}

static json_t *read_back(struct td_slice text, struct td_buf *b)
{
	struct td_json j = td_json_to(b);
	td_json_open(&j, '[');
	td_json_slice(&j, text);
	td_json_close(&j, ']');
	assert_false(b->failed);
	json_t *list = json_loadb(b->ptr, b->len, JSON_ALLOW_NUL, NULL);
	assert_non_null(list);
	return list;
}

/* Every character comes back from another reader as it was; so does a NUL. */
static void test_json_every_character_survives(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	for (uint32_t code = 0; code <= 0x10FFFF; code = code < 0x900 ? code + 1 : code + 61) {
		if (code >= 0xD800 && code <= 0xDFFF)
			continue;
		char text[4];
		size_t len = utf8_encode(code, text);
		td_buf_reset(&b);
		json_t *list = read_back(td_slice(text, len), &b);
		json_t *value = json_array_get(list, 0);
		assert_int_equal(json_string_length(value), len);
		assert_memory_equal(json_string_value(value), text, len);
		json_decref(list);
	}
	td_buf_done(&b);
}

/* Whatever the bytes are, what is written is valid UTF-8 and valid JSON. */
static void test_json_bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	for (unsigned pair = 0; pair < 65536; pair += 7) {
		char bytes[2] = {(char)(pair >> 8), (char)(pair & 0xFF)};
		td_buf_reset(&b);
		json_decref(read_back(td_slice(bytes, 2), &b));
		assert_true(td_utf8_is_valid(td_buf_slice(&b)));
	}
	td_buf_reset(&b);
	json_t *list = read_back(TD_SLICE("a\xFFz"), &b);
	assert_string_equal(json_string_value(json_array_get(list, 0)), "a\xEF\xBF\xBDz");
	json_decref(list);
	td_buf_done(&b);
}

static void test_json_control_characters_are_escaped(void **state)
{
	(void)state;
	struct td_buf b = TD_BUF_INIT;
	struct td_json j = td_json_to(&b);
	td_json_slice(&j, TD_SLICE("\"\\\n\r\t\b\x01\x7F/"));
	assert_string_equal(td_buf_cstr(&b), "\"\\\"\\\\\\n\\r\\t\\u0008\\u0001\\u007f/\"");
	td_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_places_commas),
		cmocka_unit_test(test_json_every_character_survives),
		cmocka_unit_test(test_json_bytes_that_are_not_utf8_become_replacement_characters),
		cmocka_unit_test(test_json_control_characters_are_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
