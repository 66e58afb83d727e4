/* A real HTTP server over a store that this test holds in its hand. Under ASan and TSan it proves
 * who may touch what. */
#include "../call/held_store.h"

#include "api/call.h"
#include "api/users.h"
#include "app/apikey.h"
#include "base/alloc.h"
#include "work/thread.h"

#include <sodium.h>

#define BODY "{\"email\":\"a@example.com\",\"first_name\":\"A\",\"last_name\":\"B\"}"

static void finish(struct store_op *op, enum td_status status)
{
	if (status == TD_OK) {
		op->out.user = op->in.user;
		op->out.created = true;
	}
	op->done(op, status);
}

/* ---- the fixture ----------------------------------------------------------------------------- */

struct fixture {
	struct held_store held;
	struct calls *calls;
	struct api_calls *api;
	struct http_server *server;
	char key[APIKEY_TEXT_SIZE];
};

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	struct td_err err = TD_ERR_INIT;
	struct http_server_config config = HTTP_SERVER_CONFIG_DEFAULT;
	config.port = 0;
	config.threads = 2;
	held_init(&f.held);
	const struct calls_config shared = {.clock = &td_clock_system, .store_timeout_ms = 10000};
	assert_int_equal(calls_create(&shared, &f.calls, &err), TD_OK);
	f.api = api_calls_create(f.calls, NULL);
	assert_non_null(f.api);
	assert_int_equal(http_server_create(&config, &f.server, &err), TD_OK);
	assert_int_equal(api_users_add_routes(f.api, f.server, &err), TD_OK);
	assert_int_equal(http_server_start(f.server, &err), TD_OK);
	calls_set_store(f.calls, &f.held.store);
	apikey_generate(f.key);
	*state = &f;
	return 0;
}

static void end_server(struct fixture *f)
{
	if (f->server == NULL)
		return;
	(void)http_server_stop(f->server, td_clock_mono_ms(&td_clock_system));
	http_server_destroy(f->server);
	f->server = NULL;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	end_server(f);
	api_calls_destroy(f->api);
	calls_destroy(f->calls);
	held_done(&f->held);
	return 0;
}

/* ---- a client -------------------------------------------------------------------------------- */

static int send_request(const struct fixture *f, const char *method, const char *path,
	const char *headers, const char *body)
{
	char target[256], all[512];
	(void)snprintf(target, sizeof(target), "/user-subscription/users%s", path);
	(void)snprintf(all, sizeof(all), "Authorization: Bearer %s\r\n%s", f->key, headers);
	return client_send(f->server, method, target, all, body);
}

/* ---- one call -------------------------------------------------------------------------------- */

/* The answer needs only `done`; the operation is let go after it. */
static void test_call_is_answered_before_it_is_released(void **state)
{
	struct fixture *f = *state;
	int fd = send_request(f, "PUT", "/u-1", "", BODY);
	struct store_op *op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_USER_PUT);
	assert_int_equal(op->auth.kind, STORE_AUTH_KEY);
	finish(op, TD_OK);
	client_expect(fd, 201, "Location: /user-subscription/users/u-1\r\n");
	op->release(op);
}

/* As lanes do it: both at once, whatever the HTTP thread is at. */
static void test_call_released_at_once_still_shows_its_result(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 50; i++) {
		int fd = send_request(f, "PUT", "/u-1", "", BODY);
		struct store_op *op = held_take(&f->held);
		finish(op, TD_OK);
		op->release(op);
		client_expect(fd, 201, "\"email\":\"a@example.com\"");
	}
}

/* After TD_TIMEOUT the store goes on writing into the operation, and lets go much later. */
static void test_call_late_result_touches_nobody(void **state)
{
	struct fixture *f = *state;
	int fd = send_request(f, "PUT", "/u-1", "", BODY);
	struct store_op *op = held_take(&f->held);
	op->done(op, TD_TIMEOUT);
	op->out.user = op->in.user;
	op->out.created = true;
	(void)td_err_set(&op->err, TD_IO, "late");
	client_expect(fd, 503, "store-unavailable");
	op->out.user.id = td_arena_slice(&op->arena, TD_SLICE("later still"));
	op->release(op);
}

/* A submit that is refused is answered at once, and the next request runs. */
static void test_call_refused_by_the_store(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum td_status status;
		const char *code;
	} rows[] = {
		{TD_BUSY, "overloaded"}, {TD_STOPPING, ""}, {TD_UNAVAILABLE, "store-unavailable"}};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		atomic_store(&f->held.refuse, (int)rows[i].status);
		struct answer answer;
		client_read(send_request(f, "POST", "", "Idempotency-Key: k\r\n", BODY), &answer);
		assert_int_equal(answer.status, 503);
		assert_non_null(strstr(answer.text, "Retry-After: "));
		assert_non_null(strstr(answer.text, rows[i].code));
	}
	atomic_store(&f->held.refuse, TD_OK);
	int fd = send_request(f, "POST", "", "Idempotency-Key: k\r\n", BODY);
	struct store_op *op = held_take(&f->held);
	finish(op, TD_OK);
	op->release(op);
	client_expect(fd, 201, "HTTP/1.1 201");
}

/* Each outcome of the store is one answer; nothing of the inside shows. */
static void test_call_outcomes(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum td_status status;
		int http;
		const char *part;
	} rows[] = {
		{TD_DENIED, 401, "WWW-Authenticate: Bearer"},
		{TD_EXISTS, 409, "email-taken"},
		{TD_MISMATCH, 422, "idempotency-mismatch"},
		{TD_TIMEOUT, 503, "Retry-After: "},
		{TD_UNAVAILABLE, 503, "store-unavailable"},
		{TD_BUSY, 503, "overloaded"},
		{TD_STOPPING, 503, "Retry-After: "},
		{TD_NOMEM, 503, "overloaded"},
		{TD_IO, 500, "\"code\":\"internal"},
		{TD_CORRUPT, 500, "\"code\":\"internal"},
		{TD_INTERNAL, 500, "\"code\":\"internal"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		int fd = send_request(f, "PUT", "/u-1", "", BODY);
		struct store_op *op = held_take(&f->held);
		(void)td_err_set(&op->err, rows[i].status, "disk sda1 said no");
		op->done(op, rows[i].status);
		op->release(op);
		struct answer answer;
		client_read(fd, &answer);
		assert_int_equal(answer.status, rows[i].http);
		assert_non_null(strstr(answer.text, rows[i].part));
		assert_null(strstr(answer.text, "sda1"));
	}
}

/* A key that is not in force is told so before anything that is wrong with the request. */
static void test_call_refusal_asks_who_first(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *method, *path, *headers, *body;
		int http;
		const char *part;
	} rows[] = {
		{"PUT", "/u-1", "", "{", 400, "bad-request"},
		{"PUT", "/u-1", "", "{}", 422, "/first_name"},
		{"PUT", "/a%20b", "", BODY, 422, "/user_id"},
		{"POST", "", "Idempotency-Key: a b\r\n", BODY, 400, "Idempotency-Key"},
		{"GET", "", "", "", 400, "email="},
	};
	for (size_t i = 0; i < 2 * TD_ARRAY_LEN(rows); i++) {
		bool known = i % 2 == 0;
		int fd = send_request(f, rows[i / 2].method, rows[i / 2].path, rows[i / 2].headers,
			rows[i / 2].body);
		struct store_op *op = held_take(&f->held);
		assert_int_equal(op->kind, STORE_AUTHORIZE);
		assert_null(op->idempotency);
		finish(op, known ? TD_OK : TD_DENIED);
		op->release(op);
		client_expect(fd, known ? rows[i / 2].http : 401,
			known ? rows[i / 2].part : "unauthorized");
	}
}

/* Without a store every answer is 503, but for who has no key at all. */
static void test_call_without_a_store(void **state)
{
	struct fixture *f = *state;
	calls_set_store(f->calls, NULL);
	client_expect(send_request(f, "PUT", "/u-1", "", BODY), 503, "store-unavailable");
	f->key[5] ^= 1;
	client_expect(send_request(f, "PUT", "/u-1", "", BODY), 401, "checksum");
}

/* ---- repeated requests ----------------------------------------------------------------------- */

static struct store_op *post_with_key(struct fixture *f, int *ret_fd)
{
	*ret_fd = send_request(f, "POST", "", "Idempotency-Key: \"k-1\"\r\n", BODY);
	return held_take(&f->held);
}

/* After a time-out the same key is busy until the store lets go: the first may still be at work. */
static void test_idempotency_busy_until_released(void **state)
{
	struct fixture *f = *state;
	int first_fd, second_fd;
	struct store_op *first = post_with_key(f, &first_fd);
	assert_non_null(first->idempotency);
	assert_true(td_slice_is(first->idempotency->key, "k-1"));
	first->done(first, TD_TIMEOUT);
	client_expect(first_fd, 503, "store-unavailable");

	struct store_op *second = post_with_key(f, &second_fd);
	assert_int_equal(second->kind, STORE_AUTHORIZE);
	finish(second, TD_OK);
	second->release(second);
	client_expect(second_fd, 409, "idempotency-busy");

	second = post_with_key(f, &second_fd);
	finish(second, TD_DENIED);
	second->release(second);
	client_expect(second_fd, 401, "unauthorized");

	first->release(first);
	second = post_with_key(f, &second_fd);
	assert_int_equal(second->kind, STORE_USER_CREATE);
	finish(second, TD_OK);
	second->release(second);
	client_expect(second_fd, 201, "\"id\":\"");
}

/* Who has read the answer may send the next request, though the store has not let go yet. */
static void test_idempotency_not_busy_after_an_answer(void **state)
{
	struct fixture *f = *state;
	static const enum td_status outcomes[] = {TD_OK, TD_EXISTS, TD_UNAVAILABLE, TD_STOPPING};
	for (size_t i = 0; i < TD_ARRAY_LEN(outcomes); i++) {
		int first_fd, second_fd;
		struct answer answer;
		struct store_op *first = post_with_key(f, &first_fd);
		finish(first, outcomes[i]);
		client_read(first_fd, &answer);
		struct store_op *second = post_with_key(f, &second_fd);
		assert_int_equal(second->kind, STORE_USER_CREATE);
		first->release(first);
		finish(second, TD_OK);
		second->release(second);
		client_expect(second_fd, 201, "\"id\":\"");
	}
}

/* What the store kept is sent as it is, and marked. */
static void test_idempotency_kept_answer_is_replayed(void **state)
{
	struct fixture *f = *state;
	int fd;
	struct store_op *op = post_with_key(f, &fd);
	assert_int_equal(op->idempotency->on_ok.http_status, 201);
	assert_int_equal(op->idempotency->on_exists.http_status, 409);
	op->idempotency->replayed = true;
	op->idempotency->kept = (struct store_answer){.http_status = 201,
		.body = TD_SLICE("{\"id\":\"old\"}"),
		.location = TD_SLICE("/user-subscription/users/old")};
	op->done(op, TD_OK);
	op->release(op);
	struct answer answer;
	client_read(fd, &answer);
	assert_int_equal(answer.status, 201);
	assert_non_null(strstr(answer.text, "Idempotency-Replayed: true\r\n"));
	assert_non_null(strstr(answer.text, "Location: /user-subscription/users/old\r\n"));
	assert_non_null(strstr(answer.text, "\r\n\r\n{\"id\":\"old\"}"));
}

/* First and kept answer have the same bytes; a kept refusal is a problem too. */
static void test_idempotency_first_answer_is_the_kept_one(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 2; i++) {
		int fd;
		struct store_op *op = post_with_key(f, &fd);
		const struct store_answer *kept = i == 0 ? &op->idempotency->on_ok
							 : &op->idempotency->on_exists;
		char body[1024];
		(void)snprintf(body, sizeof(body), "\r\n\r\n%.*s", TD_SLICE_ARG(kept->body));
		finish(op, i == 0 ? TD_OK : TD_EXISTS);
		op->release(op);
		struct answer answer;
		client_read(fd, &answer);
		assert_int_equal(answer.status, i == 0 ? 201 : 409);
		assert_non_null(strstr(answer.text, body));
		assert_non_null(
			strstr(answer.text, i == 0 ? "Content-Type: application/json"
						   : "Content-Type: application/problem+json"));
		assert_null(strstr(answer.text, "Idempotency-Replayed"));
	}
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Requests that the server cut off let go in calls_destroy(), operations when the store does:
 * nothing leaks, in either order. */
static void test_call_cut_off_by_the_end(void **state)
{
	struct fixture *f = *state;
	int before_fd = send_request(f, "POST", "", "Idempotency-Key: a\r\n", BODY);
	struct store_op *before = held_take(&f->held);
	int after_fd = send_request(f, "POST", "", "Idempotency-Key: b\r\n", BODY);
	struct store_op *after = held_take(&f->held);
	(void)http_server_stop(f->server, td_clock_mono_ms(&td_clock_system));
	before->done(before, TD_STOPPING);
	before->release(before);
	after->done(after, TD_STOPPING);
	http_server_destroy(f->server);
	f->server = NULL;
	api_calls_destroy(f->api);
	calls_destroy(f->calls);
	f->api = NULL;
	f->calls = NULL;
	after->release(after);
	close(before_fd);
	close(after_fd);
}

/* ---- without memory -------------------------------------------------------------------------- */

static atomic_uint allocations_left; /* the one after these fails; 0: none does */

static bool fail_one(void)
{
	unsigned left = atomic_load(&allocations_left);
	while (left > 0 && !atomic_compare_exchange_weak(&allocations_left, &left, left - 1))
		;
	return left != 1;
}

struct willing {
	struct fixture *f;
	bool stopped; /* guarded by f->held.lock */
};

/* A store that does what it is asked, until it is stopped. */
static void be_willing(void *ctx)
{
	struct willing *willing = ctx;
	struct held_store *held = &willing->f->held;
	for (;;) {
		td_lock_take(&held->lock);
		while (held->count == 0 && !willing->stopped)
			td_cond_wait(&held->came, &held->lock);
		bool ended = held->count == 0;
		td_lock_give(&held->lock);
		if (ended)
			return;
		struct store_op *op = held_take(held);
		finish(op, TD_OK);
		op->release(op);
	}
}

/* Whichever allocation fails: the answer is 503 or the connection ends, nothing leaks, the key is
 * free again, and the next request is served. */
static void test_call_without_memory(void **state)
{
	struct fixture *f = *state;
	struct willing willing = {.f = f};
	struct td_thread thread;
	struct answer answer;
	assert_int_equal(td_thread_start(&thread, "store", be_willing, &willing, NULL), TD_OK);
	td_alloc_set_gate(fail_one);
	unsigned failed = 0;
	for (unsigned nth = 1; nth < 200; nth++) {
		atomic_store(&allocations_left, nth);
		client_read(send_request(f, "POST", "", "Idempotency-Key: m\r\n", BODY), &answer);
		bool met = atomic_exchange(&allocations_left, 0) == 0;
		if (!met)
			break;
		failed++;
		if (answer.status != 201 && answer.status != 503 && answer.status != 500 &&
			answer.status != 0)
			fail_msg("allocation %u: %s", nth, answer.text);
	}
	td_alloc_set_gate(NULL);
	assert_true(failed >= 5);
	client_expect(
		send_request(f, "POST", "", "Idempotency-Key: m\r\n", BODY), 201, "\"id\":\"");
	td_lock_take(&f->held.lock);
	willing.stopped = true;
	td_cond_wake_all(&f->held.came);
	td_lock_give(&f->held.lock);
	td_thread_join(&thread);
}

/* ---- many ------------------------------------------------------------------------------------ */

#define STORM_CLIENTS 8
#define STORM_ROUNDS  40

struct storm {
	struct fixture *f;
	atomic_uint answered;
};

static void storm_client(void *ctx)
{
	struct storm *storm = ctx;
	for (int i = 0; i < STORM_ROUNDS; i++) {
		struct answer answer;
		bool keyed = i % 2 == 0;
		client_read(send_request(storm->f, keyed ? "POST" : "PUT", keyed ? "" : "/u-1",
				    keyed ? "Idempotency-Key: same\r\n" : "", BODY),
			&answer);
		if (answer.status == 201 || answer.status == 503 || answer.status == 409)
			atomic_fetch_add(&storm->answered, 1);
	}
}

struct storm_lane {
	struct fixture *f;
	size_t rounds;
};

/* Lets go of late operations three rounds after they were answered. */
static void storm_run(void *ctx)
{
	struct storm_lane *lane = ctx;
	struct store_op *late[3] = {NULL};
	for (size_t i = 0; i < lane->rounds; i++) {
		struct store_op *op = held_take(&lane->f->held);
		if (i % 3 == 0) {
			op->done(op, TD_TIMEOUT);
			op->out.user = op->in.user;
		} else {
			finish(op, TD_OK);
		}
		struct store_op *old = late[i % 3];
		late[i % 3] = op;
		if (old != NULL)
			old->release(old);
	}
	for (size_t i = 0; i < 3; i++)
		late[i]->release(late[i]);
}

/* Every request gets its one answer, whatever the order. */
static void test_call_storm(void **state)
{
	struct fixture *f = *state;
	struct storm storm = {.f = f};
	struct storm_lane lane = {f, (size_t)STORM_CLIENTS * STORM_ROUNDS};
	struct td_thread clients[STORM_CLIENTS], runner;
	assert_int_equal(td_thread_start(&runner, "store", storm_run, &lane, NULL), TD_OK);
	for (size_t i = 0; i < STORM_CLIENTS; i++)
		assert_int_equal(
			td_thread_start(&clients[i], "client", storm_client, &storm, NULL), TD_OK);
	for (size_t i = 0; i < STORM_CLIENTS; i++)
		td_thread_join(&clients[i]);
	td_thread_join(&runner);
	assert_int_equal(atomic_load(&storm.answered), STORM_CLIENTS * STORM_ROUNDS);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		ROW(test_call_is_answered_before_it_is_released),
		ROW(test_call_released_at_once_still_shows_its_result),
		ROW(test_call_late_result_touches_nobody),
		ROW(test_call_refused_by_the_store),
		ROW(test_call_outcomes),
		ROW(test_call_refusal_asks_who_first),
		ROW(test_call_without_a_store),
		ROW(test_idempotency_busy_until_released),
		ROW(test_idempotency_not_busy_after_an_answer),
		ROW(test_idempotency_kept_answer_is_replayed),
		ROW(test_idempotency_first_answer_is_the_kept_one),
		ROW(test_call_without_memory),
		ROW(test_call_cut_off_by_the_end),
		ROW(test_call_storm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
