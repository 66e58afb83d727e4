#include "td_test.h"
#include "wait_until.h"

#include "base/alloc.h"
#include "cql/client/lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_MS 10000

static atomic_bool may_answer;
static atomic_uint answered;

static struct addrinfo *make_info(
	const struct sockaddr *address, socklen_t len, struct addrinfo *next)
{
	struct addrinfo *info = td_alloc_zero(sizeof(*info) + sizeof(struct sockaddr_in6));
	assert_non_null(info);
	info->ai_family = address->sa_family;
	info->ai_addrlen = len;
	info->ai_addr = (struct sockaddr *)(void *)(info + 1);
	memcpy(info->ai_addr, address, len);
	info->ai_next = next;
	return info;
}

/* In place of the C library's: "two" has two addresses, one of them twice; "silent" answers when it
 * may; all others are unknown. */
int getaddrinfo(const char *restrict name, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
	assert_int_equal(hints->ai_socktype, SOCK_STREAM);
	assert_string_equal(service, "9042");
	while (strcmp(name, "silent") == 0 && !atomic_load(&may_answer))
		(void)poll(NULL, 0, 2);
	atomic_fetch_add(&answered, 1);
	if (strcmp(name, "two") != 0)
		return EAI_NONAME;
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9042)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(9042)};
	assert_int_equal(inet_pton(AF_INET, "172.18.0.2", &v4.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "::1", &v6.sin6_addr), 1);
	struct addrinfo *last = make_info((struct sockaddr *)&v4, sizeof(v4), NULL);
	struct addrinfo *second = make_info((struct sockaddr *)&v6, sizeof(v6), last);
	*ret = make_info((struct sockaddr *)&v4, sizeof(v4), second);
	return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
	while (info != NULL) {
		struct addrinfo *next = info->ai_next;
		td_free(info);
		info = next;
	}
}

struct scene {
	struct cql_loop *loop;
	struct cql_task start, cancel;
	const char *name;
	struct cql_lookup *lookup;
	enum td_status started, status;
	char texts[CQL_ADDRESSES_MOST][CQL_ADDRESS_TEXT_SIZE];
	size_t count;
	char why[TD_ERR_TEXT_MAX];
	_Atomic bool is_started, is_canceled, is_told;
};

static void tell(void *ctx, enum td_status status, const struct cql_address *addresses,
	size_t count, const struct td_err *err)
{
	struct scene *s = ctx;
	s->status = status;
	s->count = count;
	for (size_t i = 0; i < count; i++)
		cql_address_format(&addresses[i], s->texts[i]);
	(void)snprintf(s->why, sizeof(s->why), "%s", err->text);
	atomic_store(&s->is_told, true);
}

static void run_start(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, start);
	s->started = cql_lookup_start(s->loop, s->name, 9042, tell, s, &s->lookup, NULL);
	atomic_store(&s->is_started, true);
}

static void run_cancel(struct cql_task *task)
{
	struct scene *s = TD_CONTAINER_OF(task, struct scene, cancel);
	cql_lookup_cancel(s->lookup);
	atomic_store(&s->is_canceled, true);
}

static bool flag_is_set(void *ctx)
{
	return atomic_load((_Atomic bool *)ctx);
}

static void begin(struct scene *s, const char *name)
{
	struct td_err err = TD_ERR_INIT;
	*s = (struct scene){
		.name = name, .start = {.run = run_start}, .cancel = {.run = run_cancel}};
	assert_int_equal(cql_loop_create("test", &s->loop, &err), TD_OK);
	cql_loop_post(s->loop, &s->start);
	assert_true(wait_until(flag_is_set, &s->is_started, LIMIT_MS));
}

static void test_each_address_comes_once_in_order(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, "two");
	assert_true(wait_until(flag_is_set, &s.is_told, LIMIT_MS));
	cql_loop_destroy(s.loop);
	assert_int_equal(s.status, TD_OK);
	assert_int_equal(s.count, 2);
	assert_string_equal(s.texts[0], "172.18.0.2:9042");
	assert_string_equal(s.texts[1], "[::1]:9042");
}

static void test_an_unknown_name_is_named(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, "nowhere.example");
	assert_true(wait_until(flag_is_set, &s.is_told, LIMIT_MS));
	cql_loop_destroy(s.loop);
	assert_int_equal(s.status, TD_NOTFOUND);
	assert_int_equal(s.count, 0);
	assert_non_null(strstr(s.why, "nowhere.example"));
}

/* The loop may go at once; the thread ends by itself. */
static void test_whoever_cancels_hears_nothing_more(void **state)
{
	(void)state;
	struct scene s;
	unsigned before = atomic_load(&answered);
	begin(&s, "silent");
	cql_loop_post(s.loop, &s.cancel);
	assert_true(wait_until(flag_is_set, &s.is_canceled, LIMIT_MS));
	cql_loop_destroy(s.loop);
	atomic_store(&may_answer, true);
	for (int i = 0; i < LIMIT_MS && atomic_load(&answered) == before; i++)
		(void)poll(NULL, 0, 1);
	assert_true(atomic_load(&answered) > before);
	assert_false(atomic_load(&s.is_told));
}

static void test_a_name_that_is_too_long_is_refused(void **state)
{
	(void)state;
	struct scene s;
	char name[257];
	memset(name, 'a', sizeof(name) - 1);
	name[256] = '\0';
	begin(&s, name);
	cql_loop_destroy(s.loop);
	assert_int_equal(s.started, TD_INVALID);
	assert_false(atomic_load(&s.is_told));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_address_comes_once_in_order),
		cmocka_unit_test(test_an_unknown_name_is_named),
		cmocka_unit_test(test_whoever_cancels_hears_nothing_more),
		cmocka_unit_test(test_a_name_that_is_too_long_is_refused),
	};
	return cmocka_run_group_tests_name("cql/client/lookup", tests, NULL, NULL);
}
