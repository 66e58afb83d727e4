#include "td_test.h"

#include "base/compiler.h"
#include "http/address.h"
#include "http/proxies.h"
#include "wait_until.h"

static const char *round_trip(const char *text)
{
	static char out[HTTP_ADDRESS_TEXT_SIZE];
	struct http_address a;
	if (!http_address_parse(td_slice_str(text), &a))
		return NULL;
	http_address_format(&a, out);
	return out;
}

/* Addresses as they stand in X-Forwarded-For, with and without a port. */
static void test_address_parse(void **state)
{
	(void)state;
	assert_string_equal(round_trip("192.0.2.1"), "192.0.2.1");
	assert_string_equal(round_trip("192.0.2.1:8080"), "192.0.2.1");
	assert_string_equal(round_trip("2001:DB8::1"), "2001:db8::1");
	assert_string_equal(round_trip("[2001:db8::1]"), "2001:db8::1");
	assert_string_equal(round_trip("[2001:db8::1]:443"), "2001:db8::1");
	assert_string_equal(round_trip("::ffff:192.0.2.1"), "192.0.2.1");
	assert_string_equal(round_trip("::1"), "::1");
	static const char *const wrong[] = {"", "unknown", "_hidden", "192.0.2", "192.0.2.256",
		"192.0.2.1:", "192.0.2.1:x", "192.0.2.1:123456", "[192.0.2.1]", "[::1", "[::1]x",
		"[::1]:x", "::1::", "1.2.3.4 ", "h:80", "[]"};
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++)
		assert_null(round_trip(wrong[i]));
	struct http_address a;
	assert_false(http_address_parse(td_slice("1.2.3.4\0x", 9), &a));
}

static bool has(const char *network, const char *address)
{
	struct http_network n;
	struct http_address a;
	assert_true(http_network_parse(td_slice_str(network), &n));
	assert_true(http_address_parse(td_slice_str(address), &a));
	return http_network_has(&n, &a);
}

/* A network has exactly the addresses with its prefix. */
static void test_network_has(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "10.255.255.255"));
	assert_false(has("10.0.0.0/8", "11.0.0.0"));
	assert_true(has("192.0.2.128/25", "192.0.2.128"));
	assert_false(has("192.0.2.128/25", "192.0.2.127"));
	assert_true(has("192.0.2.7", "192.0.2.7"));
	assert_false(has("192.0.2.7", "192.0.2.8"));
	assert_true(has("0.0.0.0/0", "1.2.3.4"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_true(has("::/0", "1.2.3.4"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("fd00::/8", "fdff::1"));
	assert_true(has("::1/128", "::1"));
}

/* What is not a network, or has bits behind its prefix, is refused. */
static void test_network_refusals(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/8/8", "10.0.0.1/8", "::/129", "2001:db8::1/32", "name", "10.0.0.0/x",
		"10.0.0.0/0008"};
	struct http_network n;
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++)
		assert_false(http_network_parse(td_slice_str(wrong[i]), &n));
}

static bool is_loopback(const char *text)
{
	struct http_address a;
	assert_true(http_address_parse(td_slice_str(text), &a));
	return http_address_is_loopback(&a);
}

/* 127.0.0.0/8, mapped or not, and ::1. */
static void test_loopback(void **state)
{
	(void)state;
	assert_true(is_loopback("127.0.0.1"));
	assert_true(is_loopback("127.255.0.9"));
	assert_true(is_loopback("::ffff:127.0.0.1"));
	assert_true(is_loopback("::1"));
	assert_false(is_loopback("128.0.0.1"));
	assert_false(is_loopback("::2"));
	assert_false(is_loopback("7f00::1"));
}

/* An IPv6 client is counted by its /64, an IPv4 one by itself. */
static void test_group(void **state)
{
	(void)state;
	struct http_address a, b;
	assert_true(http_address_parse(TD_SLICE("2001:db8:1:2:3::4"), &a));
	assert_true(http_address_parse(TD_SLICE("2001:db8:1:2::9"), &b));
	struct http_address group_a = http_address_group(&a);
	struct http_address group_b = http_address_group(&b);
	assert_true(http_address_equal(&group_a, &group_b));
	assert_true(http_address_parse(TD_SLICE("192.0.2.1"), &a));
	group_a = http_address_group(&a);
	assert_true(http_address_equal(&group_a, &a));
}

static const char *client_of(const char *proxies, const char *peer, const char *forwarded)
{
	static char out[HTTP_ADDRESS_TEXT_SIZE];
	struct http_proxies *p = NULL;
	struct http_address a;
	assert_int_equal(http_proxies_create(proxies, &p, NULL), TD_OK);
	assert_true(http_address_parse(td_slice_str(peer), &a));
	struct http_address client = http_proxies_client(p, &a, td_slice_str(forwarded));
	http_address_format(&client, out);
	http_proxies_destroy(p);
	return out;
}

/* The client is the last address in the chain that is no proxy of ours; what a client wrote before
 * it is never believed. */
static void test_proxies_client(void **state)
{
	(void)state;
	assert_string_equal(client_of("10.0.0.0/8", "203.0.113.9", "1.2.3.4"), "203.0.113.9");
	assert_string_equal(client_of("10.0.0.0/8", "10.0.0.1", "1.2.3.4"), "1.2.3.4");
	assert_string_equal(client_of("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 1.2.3.4"), "1.2.3.4");
	assert_string_equal(
		client_of("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2"), "1.2.3.4");
	assert_string_equal(client_of("10.0.0.0/8", "10.0.0.1", "10.0.0.3"), "10.0.0.3");
	assert_string_equal(client_of("10.0.0.0/8", "10.0.0.1", ""), "10.0.0.1");
	assert_string_equal(client_of("10.0.0.0/8", "10.0.0.1", "junk"), "10.0.0.1");
	assert_string_equal(client_of("10.0.0.0/8", "10.0.0.1", "1.2.3.4, junk"), "10.0.0.1");
	assert_string_equal(client_of("10.0.0.0/8", "10.0.0.1", "1.2.3.4,"), "10.0.0.1");
	assert_string_equal(client_of("::1, 10.1.2.3", "::1", "[2001:db8::7]:99"), "2001:db8::7");
	assert_string_equal(client_of("", "10.0.0.1", "1.2.3.4"), "10.0.0.1");
}

/* A wrong piece is named. */
static void test_proxies_refusals(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"10.0.0.1/8", "300.1.1.1", "a/b", "10.0.0.0/8, -x y!", "a:80"};
	for (size_t i = 0; i < TD_ARRAY_LEN(wrong); i++) {
		struct http_proxies *p = NULL;
		struct td_err err = TD_ERR_INIT;
		assert_int_equal(http_proxies_create(wrong[i], &p, &err), TD_INVALID);
		assert_non_null(strstr(err.text, "TRUSTED_PROXIES"));
	}
}

struct question {
	struct http_proxies *proxies;
	struct http_address address;
};

static bool is_known(void *ctx)
{
	struct question *q = ctx;
	return http_proxies_has(q->proxies, &q->address);
}

/* A name is looked up in the background. */
static void test_proxies_name(void **state)
{
	(void)state;
	struct question q = {.proxies = NULL};
	assert_int_equal(http_proxies_create("localhost", &q.proxies, NULL), TD_OK);
	assert_true(http_address_parse(TD_SLICE("127.0.0.1"), &q.address));
	assert_false(is_known(&q));
	assert_int_equal(http_proxies_start(q.proxies, NULL), TD_OK);
	assert_true(wait_until(is_known, &q, 20000));
	http_proxies_destroy(q.proxies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_parse),
		cmocka_unit_test(test_network_has),
		cmocka_unit_test(test_network_refusals),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_proxies_client),
		cmocka_unit_test(test_proxies_refusals),
		cmocka_unit_test(test_proxies_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
