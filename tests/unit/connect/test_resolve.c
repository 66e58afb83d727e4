#include "td_test.h"

#include "base/clock.h"
#include "connect/resolve.h"

#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>

static atomic_bool answers;
static atomic_uint ended;

/* In place of the C library's: a name service that is silent until it may answer. */
int getaddrinfo(const char *restrict name, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
	(void)name;
	(void)service;
	(void)hints;
	(void)ret;
	while (!atomic_load(&answers))
		(void)poll(NULL, 0, 5);
	atomic_fetch_add(&ended, 1);
	return EAI_NONAME;
}

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

/* Somebody wants the thread to stop: a silent name service does not hold it up. */
static void test_resolve_stop_ends_the_wait(void **state)
{
	atomic_bool stop = true;
	struct connect_limit limit = {.deadline_ms = now_ms() + 3000, .stop = &stop};
	struct connect_addresses found;
	struct connect_failure failure;
	uint64_t began_ms = now_ms();
	(void)state;
	assert_int_equal(connect_resolve("a.example", &limit, &found, &failure), TD_TIMEOUT);
	assert_true(now_ms() - began_ms < 1000);
}

/* The deadline ends it too, and the reason names what was looked up. */
static void test_resolve_deadline_ends_the_wait(void **state)
{
	struct connect_limit limit = {.deadline_ms = now_ms() + 150};
	struct connect_addresses found;
	struct connect_failure failure;
	(void)state;
	assert_int_equal(connect_resolve("a.example", &limit, &found, &failure), TD_TIMEOUT);
	assert_non_null(strstr(failure.reason, "a.example"));
	assert_int_equal(failure.class, CONNECT_NAME);
}

static int let_threads_end(void **state)
{
	(void)state;
	atomic_store(&answers, true);
	while (atomic_load(&ended) < 2)
		(void)poll(NULL, 0, 5);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve_stop_ends_the_wait),
		cmocka_unit_test(test_resolve_deadline_ends_the_wait),
	};
	return cmocka_run_group_tests(tests, NULL, let_threads_end);
}
