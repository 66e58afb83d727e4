#include "td_test.h"

#include "cql/protocol/token.h"

#include <string.h>

struct vector {
	const char *name;
	struct td_slice key;
	int64_t token;
};

/* A slice as constants have to be written. */
#define BYTES(literal)                         \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

static const struct vector vectors[] = {
	{"nothing", BYTES(""), 0},
	{"one byte", BYTES("0"), 0x2ac9debed546a380},
	{"one block", BYTES("0123456789012345"), (int64_t)0xa3293ad698ecb99a},
	{"hello", BYTES("hello"), (int64_t)0xcbd8a7b341bd9b02},
	{"test", BYTES("test"), -6017608668500074083},
	{"UTF-8 in the tail", BYTES("kremówki"), 4354931215268080151},
	{"a block and a signed tail",
		BYTES("\x00\x10\x43\x27\x52\x9f\xb6\x45\xdd\x00\xb8\x83\xec\x39\xae\x44\x8b\xb8\x00"
		      "\x00\x04\x00\x06\x6a\x6b\x00"),
		-9223371632693506265},
	{"0x80", BYTES("\x80"), -5284281814142962636},
	{"seven times 0xff", BYTES("\xff\xff\xff\xff\xff\xff\xff"), 4860178782003914630},
	{"int 1", BYTES("\x00\x00\x00\x01"), -4069959284402364209},
	{"bigint -1", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), 7071048584287372947},
	{"the least number is the greatest token",
		BYTES("\x09\x9c\xed\xd4\x82\xac\xf2\xf9\xe9\x7f\xd3\x44\x2c\xe9\x8a\x26"),
		INT64_MAX},
};

/* Tokens of other drivers' tests and of the partitioner. */
static void test_token_matches_every_known_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < TD_ARRAY_LEN(vectors); i++) {
		int64_t token = cql_token(vectors[i].key);
		if (token != vectors[i].token)
			fail_msg("%s: %lld", vectors[i].name, (long long)token);
	}
}

/* One column's value is the key; several are framed. */
static void test_routing_key_of_one_and_of_two_columns(void **state)
{
	(void)state;
	const struct td_slice values[] = {TD_SLICE("a"), TD_SLICE("\x00\x00\x00\x01")};
	static const char wanted[] = "\x00\x01"
				     "a\x00\x00\x04\x00\x00\x00\x01";
	struct td_buf b = TD_BUF_INIT;
	cql_routing_key_put(&b, values, 1);
	assert_true(td_slice_is(td_buf_slice(&b), "a"));
	td_buf_reset(&b);
	cql_routing_key_put(&b, values, 2);
	assert_false(b.failed);
	assert_int_equal(b.len, sizeof(wanted)); /* the literal's NUL is the last component's */
	assert_memory_equal(b.ptr, wanted, sizeof(wanted));
	assert_int_equal(cql_token(td_buf_slice(&b)), 8247712171917364652);
	td_buf_done(&b);
}

/* What is no partition key fails the buffer instead of giving another key's token. */
static void test_routing_key_without_a_value_is_refused(void **state)
{
	(void)state;
	static char bytes[65536];
	const struct td_slice null[] = {TD_SLICE("a"), {NULL, 0}};
	struct td_slice two[] = {{bytes, 65536}, TD_SLICE("b")};
	struct td_buf b = TD_BUF_INIT;
	cql_routing_key_put(&b, null, 0);
	assert_true(b.failed);
	td_buf_reset(&b);
	cql_routing_key_put(&b, null, 2);
	assert_true(b.failed);
	td_buf_reset(&b);
	cql_routing_key_put(&b, two, 2);
	assert_true(b.failed);
	td_buf_reset(&b);
	cql_routing_key_put(&b, two, 1);
	assert_false(b.failed);
	two[0].len = 65535;
	td_buf_reset(&b);
	cql_routing_key_put(&b, two, 2);
	assert_false(b.failed);
	assert_int_equal(b.len, 65535 + 1 + 6);
	td_buf_done(&b);
}

/* Both ends of the range, and what is outside it or no number. */
static void test_token_parse_takes_64_bits_and_nothing_else(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "0x1", "--1",
		"9223372036854775808", "-9223372036854775809", "99999999999999999999", "1.0"};
	int64_t token = 7;
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_false(cql_token_parse(td_slice_str(bad[i]), &token));
	assert_int_equal(token, 7);
	assert_true(cql_token_parse(TD_SLICE("9223372036854775807"), &token));
	assert_true(token == INT64_MAX);
	assert_true(cql_token_parse(TD_SLICE("-9223372036854775808"), &token));
	assert_true(token == INT64_MIN);
	assert_true(cql_token_parse(TD_SLICE("-42"), &token));
	assert_int_equal(token, -42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_matches_every_known_key),
		cmocka_unit_test(test_routing_key_of_one_and_of_two_columns),
		cmocka_unit_test(test_routing_key_without_a_value_is_refused),
		cmocka_unit_test(test_token_parse_takes_64_bits_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
