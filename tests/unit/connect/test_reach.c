#include "td_test.h"

#include "base/clock.h"
#include "connect/reach.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct connect_limit in_ms(unsigned ms)
{
	return (struct connect_limit){.deadline_ms = td_clock_mono_ns() / 1000000u + ms};
}

/* On 127.0.0.1; its port. */
static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

/* Each address has its own outcome, and a reason with address and layer. */
static void test_every_address_is_tried(void **state)
{
	(void)state;
	struct connect_addresses all = {.text = {"127.0.0.1", "127.0.0.2"}, .count = 2};
	struct connect_reach reach;
	struct connect_limit limit = in_ms(2000);
	char expected[80];
	uint16_t port;
	int fd = listen_somewhere(&port);
	connect_reach(&all, port, &limit, &reach);
	assert_int_equal(reach.count, 2);
	assert_int_equal(reach.reached_count, 1);
	assert_true(reach.reached[0]);
	assert_false(reach.reached[1]);
	assert_int_equal(reach.failures[1].class, CONNECT_REFUSED);
	(void)snprintf(expected, sizeof(expected),
		"connect to 127.0.0.2:%u: Connection refused (errno 111)", port);
	assert_string_equal(reach.failures[1].reason, expected);
	(void)close(fd);
}

/* Names are looked up elsewhere; an address that is none fails, and IPv6 has its brackets. */
static void test_what_is_no_address_fails(void **state)
{
	(void)state;
	struct connect_addresses all = {.text = {"nonsense", "::1"}, .count = 2};
	struct connect_reach reach;
	struct connect_limit limit = in_ms(500);
	connect_reach(&all, 1, &limit, &reach);
	assert_int_equal(reach.reached_count, 0);
	assert_int_equal(reach.failures[0].class, CONNECT_UNKNOWN);
	assert_string_equal(reach.failures[1].address, "[::1]:1");
}

/* With a deadline that has passed nothing is waited for. */
static void test_the_limit_ends_it(void **state)
{
	(void)state;
	struct connect_addresses all = {.text = {"127.0.0.1"}, .count = 1};
	struct connect_reach reach;
	struct connect_limit limit = {.deadline_ms = 0};
	uint64_t began_ns = td_clock_mono_ns();
	uint16_t port;
	int fd = listen_somewhere(&port);
	connect_reach(&all, port, &limit, &reach);
	assert_int_equal(reach.reached_count, 0);
	assert_int_equal(reach.failures[0].class, CONNECT_NO_ANSWER);
	assert_non_null(strstr(reach.failures[0].reason, "no answer in time"));
	assert_true(td_clock_mono_ns() - began_ns < UINT64_C(500000000));
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_address_is_tried),
		cmocka_unit_test(test_what_is_no_address_fails),
		cmocka_unit_test(test_the_limit_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
