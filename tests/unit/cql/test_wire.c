#include "td_test.h"

#include "cql/protocol/wire.h"
#include "fault_alloc.h"
#include "hex.h"

static struct td_buf in = TD_BUF_INIT, text = TD_BUF_INIT;

static struct cql_reader reader(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	(void)td_buf_cstr(&in);
	return cql_reader(td_buf_slice(&in));
}

/* Integers are big-endian, and signed where the notation is. */
static void test_read_integers(void **state)
{
	(void)state;
	struct cql_reader r = reader("ff 8001 80000000 7fffffffffffffff");
	assert_int_equal(cql_read_byte(&r), 255);
	assert_int_equal(cql_read_short(&r), 0x8001);
	assert_int_equal(cql_read_int(&r), INT32_MIN);
	assert_true(cql_read_long(&r) == INT64_MAX);
	assert_false(r.failed);
	assert_int_equal(r.left, 0);
}

/* After the first failure nothing is read, whatever is left. */
static void test_read_failure_is_sticky(void **state)
{
	(void)state;
	struct td_err err = TD_ERR_INIT;
	struct cql_reader r = reader("0005 6162 01");
	assert_int_equal(cql_reader_check(&r, "it", &err), TD_OK);
	assert_int_equal(cql_read_string(&r).len, 0);
	assert_true(r.failed);
	assert_int_equal(cql_read_byte(&r), 0);
	assert_int_equal(cql_reader_check(&r, "it", &err), TD_CORRUPT);
	assert_string_equal(err.text, "it ends early or has a length that does not fit");
}

/* A length that would wrap in a sum is refused. */
static void test_read_huge_length_is_refused(void **state)
{
	(void)state;
	struct cql_reader r = reader("01");
	assert_null(cql_read_raw(&r, SIZE_MAX));
	assert_true(r.failed);
	r = reader("7fffffff 00");
	assert_int_equal(cql_read_bytes(&r).len, 0);
	assert_true(r.failed);
	r = reader("ffffffff 00");
	assert_int_equal(cql_read_long_string(&r).len, 0);
	assert_true(r.failed);
}

/* Null is not empty. */
static void test_read_bytes_null_and_empty(void **state)
{
	(void)state;
	struct cql_reader r = reader("ffffffff 00000000 00000001 7a 80000000");
	assert_true(cql_is_null(cql_read_bytes(&r)));
	struct td_slice empty = cql_read_bytes(&r);
	assert_false(cql_is_null(empty));
	assert_int_equal(empty.len, 0);
	assert_true(td_slice_is(cql_read_bytes(&r), "z"));
	assert_true(cql_is_null(cql_read_bytes(&r)));
	assert_false(r.failed);
}

struct vint {
	int64_t value;
	const char *digits;
};

/* The vectors of the specification and the ends of each length, both ways. */
static void test_vint_vectors(void **state)
{
	(void)state;
	static const struct vint plain[] = {{0, "00"}, {127, "7f"}, {128, "8080"},
		{256000, "c3e800"}, {16383, "bfff"}, {16384, "c04000"},
		{0xffffffffffffff, "feffffffffffffff"}, {0x100000000000000, "ff0100000000000000"},
		{-1, "ffffffffffffffffff"}};
	static const struct vint zigzag[] = {{0, "00"}, {-1, "01"}, {1, "02"}, {64, "8080"},
		{-65, "8081"}, {INT32_MAX, "f0fffffffe"}, {INT32_MIN, "f0ffffffff"},
		{INT64_MAX, "fffffffffffffffffe"}, {INT64_MIN, "ffffffffffffffffff"}};
	struct td_buf out = TD_BUF_INIT;
	for (size_t i = 0; i < TD_ARRAY_LEN(plain); i++) {
		td_buf_reset(&out);
		cql_put_unsigned_vint(&out, (uint64_t)plain[i].value);
		assert_string_equal(hex_text(&text, td_buf_slice(&out)), plain[i].digits);
		struct cql_reader r = reader(plain[i].digits);
		assert_true(cql_read_unsigned_vint(&r) == (uint64_t)plain[i].value);
		assert_false(r.failed);
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(zigzag); i++) {
		td_buf_reset(&out);
		cql_put_vint(&out, zigzag[i].value);
		assert_string_equal(hex_text(&text, td_buf_slice(&out)), zigzag[i].digits);
		struct cql_reader r = reader(zigzag[i].digits);
		assert_true(cql_read_vint(&r) == zigzag[i].value);
	}
	struct cql_reader r = reader("c3e8");
	assert_int_equal(cql_read_unsigned_vint(&r), 0);
	assert_true(r.failed);
	td_buf_done(&out);
}

/* An address is one of 4 or 16 bytes, a port one of 65536. */
static void test_read_inet(void **state)
{
	(void)state;
	struct cql_reader r = reader("04 7f000001 00002352");
	struct cql_inet inet = cql_read_inet(&r);
	assert_int_equal(inet.len, 4);
	assert_memory_equal(inet.bytes, "\x7f\0\0\1", 4);
	assert_int_equal(inet.port, 9042);
	r = reader("10 00000000000000000000000000000001");
	inet = cql_read_inetaddr(&r);
	assert_int_equal(inet.len, 16);
	assert_int_equal(inet.bytes[15], 1);
	assert_int_equal(inet.port, -1);
	static const char *const bad[] = {"05 0102030405 00002352", "04 7f0000", "04 7f000001 0000",
		"04 7f000001 00010000", "04 7f000001 ffffffff", "00 00000001", ""};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		r = reader(bad[i]);
		assert_int_equal(cql_read_inet(&r).len, 0);
		assert_true(r.failed);
	}
}

/* A list is walked to its end before anything of it is given. */
static void test_read_lists(void **state)
{
	(void)state;
	struct cql_reader r = reader("0002 0001 61 0002 6263 ee");
	struct cql_items items = cql_read_string_list(&r);
	assert_int_equal(items.count, 2);
	assert_int_equal(items.bytes.len, 7);
	assert_int_equal(r.left, 1);
	r = reader("0001 0001 61 0001 62");
	assert_int_equal(cql_read_string_map(&r).bytes.len, 6);
	r = reader("0001 0001 61 0002 0001 62 0000");
	assert_int_equal(cql_read_string_multimap(&r).bytes.len, 10);
	r = reader("0002 0001 61 ffffffff 0001 62 00000001 63");
	assert_int_equal(cql_read_bytes_map(&r).count, 2);
	assert_int_equal(r.left, 0);
	r = reader("ffff 0001 61");
	assert_int_equal(cql_read_string_list(&r).count, 0);
	assert_true(r.failed);
}

/* Every notation is written as it is read. */
static void test_put_vectors(void **state)
{
	(void)state;
	struct td_buf out = TD_BUF_INIT;
	const struct cql_pair pairs[] = {
		{TD_SLICE("a"), TD_SLICE("b")}, {TD_SLICE("c"), {NULL, 0}}};
	const struct td_slice texts[] = {TD_SLICE("UP"), TD_SLICE("")};
	cql_put_byte(&out, 0xfe);
	cql_put_short(&out, 0x8001);
	cql_put_int(&out, -2);
	cql_put_long(&out, -3);
	cql_put_string(&out, TD_SLICE("ab"));
	cql_put_long_string(&out, TD_SLICE("c"));
	cql_put_bytes(&out, td_slice(NULL, 0));
	cql_put_bytes(&out, td_slice("", 0));
	assert_string_equal(hex_text(&text, td_buf_slice(&out)),
		"fe8001fffffffefffffffffffffffd000261620000000163ffffffff00000000");
	td_buf_reset(&out);
	cql_put_string_map(&out, pairs, 2);
	assert_string_equal(hex_text(&text, td_buf_slice(&out)), "0002000161000162"
								 "0001630000");
	td_buf_reset(&out);
	cql_put_bytes_map(&out, pairs, 2);
	assert_string_equal(hex_text(&text, td_buf_slice(&out)), "00020001610000000162"
								 "000163ffffffff");
	td_buf_reset(&out);
	cql_put_string_list(&out, texts, 2);
	assert_string_equal(hex_text(&text, td_buf_slice(&out)), "0002000255500000");
	td_buf_reset(&out);
	size_t gap = cql_put_gap(&out);
	cql_put_short(&out, 7);
	cql_put_length_at(&out, gap);
	assert_string_equal(hex_text(&text, td_buf_slice(&out)), "000000020007");
	td_buf_done(&out);
}

/* What a notation cannot hold makes the buffer failed: nothing is cut. */
static void test_put_too_long_fails(void **state)
{
	(void)state;
	static char long_text[65536];
	struct td_buf out = TD_BUF_INIT;
	cql_put_string(&out, td_slice(long_text, 65535));
	assert_false(out.failed);
	assert_int_equal(out.len, 65537);
	cql_put_string(&out, td_slice(long_text, 65536));
	assert_true(out.failed);
	td_buf_reset(&out);
	cql_put_long_string(&out, td_slice(long_text, (size_t)INT32_MAX + 1));
	assert_true(out.failed);
	td_buf_reset(&out);
	cql_put_string_map(&out, NULL, 65536);
	assert_true(out.failed);
	td_buf_reset(&out);
	cql_put_bytes_map(&out, NULL, 65536);
	assert_true(out.failed);
	td_buf_reset(&out);
	cql_put_string_list(&out, NULL, 65536);
	assert_true(out.failed);
	assert_int_equal(out.len, 0);
	td_buf_done(&out);
}

static bool attempt_put(void *ctx)
{
	(void)ctx;
	struct td_buf out = TD_BUF_INIT;
	size_t gap = cql_put_gap(&out);
	cql_put_string(&out, TD_SLICE("a"));
	cql_put_length_at(&out, gap);
	bool worked = !out.failed;
	td_buf_done(&out);
	return worked;
}

/* Without memory nothing is written anywhere. */
static void test_put_without_memory(void **state)
{
	(void)state;
	assert_true(fault_alloc_each(attempt_put, NULL) > 0);
}

static void test_consistency_names(void **state)
{
	(void)state;
	assert_string_equal(cql_consistency_name(CQL_LOCAL_ONE), "LOCAL_ONE");
	assert_string_equal(cql_consistency_name(CQL_ANY), "ANY");
	assert_string_equal(cql_consistency_name(11), "unknown");
}

static int free_buffers(void **state)
{
	(void)state;
	td_buf_done(&in);
	td_buf_done(&text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_integers),
		cmocka_unit_test(test_read_failure_is_sticky),
		cmocka_unit_test(test_read_huge_length_is_refused),
		cmocka_unit_test(test_read_bytes_null_and_empty),
		cmocka_unit_test(test_vint_vectors),
		cmocka_unit_test(test_read_inet),
		cmocka_unit_test(test_read_lists),
		cmocka_unit_test(test_put_vectors),
		cmocka_unit_test(test_put_too_long_fails),
		cmocka_unit_test(test_put_without_memory),
		cmocka_unit_test(test_consistency_names),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
