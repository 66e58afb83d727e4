/* Requests of several steps over a real HTTP server, with a store that this test holds in its hand.
 * Under ASan and TSan it proves who may touch what, whoever lets go last. */
#include "held_store.h"

#include "app/password.h"
#include "app/session.h"
#include "base/alloc.h"
#include "call/call.h"
#include "call/problem.h"
#include "wait_until.h"
#include "work/thread.h"
#include "work/ticker.h"

#include <poll.h>
#include <sodium.h>

#define TIMEOUT_MS 10000

/* ---- what is asked for: a flow with a step for each letter
 * ------------------------------------------------------------------------------------------- */

struct fixture {
	struct held_store held;
	struct calls *calls;
	struct http_server *server;
	struct td_ticker *ticker;
	unsigned flags; /* of call_open() */
	const char *script;
	size_t memory; /* of a hash */
	atomic_int begun, ended;
};

struct scripted {
	struct app_flow flow; /* first */
	const char *at;       /* the next letter: 'o' an operation, 'h' a hash, 'x' no memory */
	size_t memory;
	unsigned conflicts;
};

static enum app_next scripted_step(struct app_flow *flow, enum td_status status)
{
	struct scripted *s = TD_CONTAINER_OF(flow, struct scripted, flow);
	if (status == TD_CONFLICT) {
		s->conflicts++;
		s->at--;
	}
	switch (*s->at++) {
	case 'o':
		return app_flow_op(flow, STORE_USER_GET) ? APP_NEXT_OP : app_flow_no_memory(flow);
	case 'h':
		flow->hash = (struct app_hash_job){
			.password = TD_SLICE("correct horse battery staple"), .memory = s->memory};
		return APP_NEXT_HASH;
	case 'x':
		/* An operation that was made, but could not be filled. */
		(void)!app_flow_op(flow, STORE_USER_GET);
		return app_flow_no_memory(flow);
	default:
		return app_flow_done(flow);
	}
}

struct test_call {
	struct call call; /* first */
	struct fixture *f;
};

static void end_call(struct call *call)
{
	atomic_fetch_add(&((struct test_call *)call)->f->ended, 1);
}

static const struct call_class test_class = {.size = sizeof(struct test_call), .end = end_call};

static void show(struct call *call, struct app_flow *flow)
{
	const struct scripted *s = (const struct scripted *)flow;
	char text[256];
	int len = snprintf(text, sizeof(text), "user=%.*s ops=%zu conflicts=%u made=%.9s",
		TD_SLICE_ARG(call->user_id), call->op_count, s->conflicts, flow->hash.made);
	const struct http_reply reply = {
		.status = 200, .content_type = "text/plain", .body = td_slice(text, (size_t)len)};
	http_reply(call->rq, &reply);
}

static void begin_flow(struct call *call)
{
	const struct fixture *f = ((struct test_call *)call)->f;
	struct scripted *s = td_arena_alloc(http_arena(call->rq), sizeof(*s));
	if (s == NULL) {
		call_submit(call, /* ready= */ false, NULL);
		return;
	}
	*s = (struct scripted){
		.flow = {.step = scripted_step}, .at = f->script, .memory = f->memory};
	call_flow(call, &s->flow, show);
}

static void handle(struct http_request *rq, void *ctx)
{
	struct fixture *f = ctx;
	struct call *call = call_begin(f->calls, rq, &test_class);
	if (call == NULL)
		return;
	((struct test_call *)call)->f = f;
	atomic_fetch_add(&f->begun, 1);
	call_open(call, f->flags, begin_flow);
}

/* ---- the fixture
 * --------------------------------------------------------------------------------------- */

static void start(struct fixture *f, const struct calls_config *config)
{
	struct td_err err = TD_ERR_INIT;
	struct http_server_config http = HTTP_SERVER_CONFIG_DEFAULT;
	const struct http_route route = {
		.method = "GET", .pattern = "/", .handler = handle, .ctx = f};
	held_init(&f->held);
	assert_int_equal(calls_create(config, &f->calls, &err), TD_OK);
	http.port = 0;
	http.threads = 2;
	http.answer = calls_sign_answer;
	http.answer_ctx = f->calls;
	assert_int_equal(http_server_create(&http, &f->server, &err), TD_OK);
	assert_int_equal(http_server_add_routes(f->server, &route, 1, &err), TD_OK);
	assert_int_equal(http_server_start(f->server, &err), TD_OK);
	assert_int_equal(td_ticker_create(5, &f->ticker, &err), TD_OK);
	assert_int_equal(td_ticker_add(f->ticker, calls_tick, f->calls, &err), TD_OK);
	calls_set_store(f->calls, &f->held.store);
}

static void end_server(struct fixture *f)
{
	td_ticker_destroy(f->ticker);
	f->ticker = NULL;
	(void)http_server_stop(f->server, td_clock_mono_ms(&td_clock_system));
	http_server_destroy(f->server);
	f->server = NULL;
	calls_destroy(f->calls);
	f->calls = NULL;
}

static struct fixture *set_up_with(
	void **state, bool has_test_clock, bool hashes, unsigned timeout_ms)
{
	static struct fixture f;
	const struct calls_config config = {.clock = &td_clock_system,
		.store_timeout_ms = timeout_ms,
		.has_test_clock = has_test_clock,
		.hashes_passwords = hashes};
	memset(&f, 0, sizeof(f));
	f.script = "o";
	f.memory = 8192;
	start(&f, &config);
	*state = &f;
	return &f;
}

static int set_up(void **state)
{
	(void)set_up_with(state, false, false, TIMEOUT_MS);
	return 0;
}

static int set_up_clock(void **state)
{
	(void)set_up_with(state, true, false, TIMEOUT_MS);
	return 0;
}

static int set_up_hashing(void **state)
{
	(void)set_up_with(state, false, true, TIMEOUT_MS);
	return 0;
}

/* Every call that was begun has let go of what it held. */
static int tear_down(void **state)
{
	struct fixture *f = *state;
	if (f->server != NULL)
		end_server(f);
	assert_int_equal(atomic_load(&f->ended), atomic_load(&f->begun));
	held_done(&f->held);
	return 0;
}

static int ask(const struct fixture *f, const char *headers)
{
	return client_send(f->server, "GET", "/", headers, "");
}

/* ---- several operations
 * -------------------------------------------------------------------------------- */

static void test_flow_runs_one_after_the_other_with_one_deadline(void **state)
{
	struct fixture *f = *state;
	f->script = "ooo";
	int fd = ask(f, "");
	uint64_t deadline_ms = 0;
	for (unsigned i = 0; i < 3; i++) {
		struct store_op *op = held_take(&f->held);
		if (i == 0)
			deadline_ms = op->deadline_ms;
		assert_true(op->deadline_ms == deadline_ms);
		assert_int_equal(f->held.count, 0);
		held_answer(op, i == 1 ? TD_NOTFOUND : TD_OK);
	}
	client_expect(fd, 200, "ops=3 conflicts=0");
}

/* What came out of an earlier operation may be read until the end. */
static void test_flow_keeps_its_operations(void **state)
{
	struct fixture *f = *state;
	f->script = "oo";
	int fd = ask(f, "");
	struct store_op *first = held_take(&f->held);
	held_answer(first, TD_OK);
	struct store_op *second = held_take(&f->held);
	assert_int_equal(first->kind, STORE_USER_GET);
	held_answer(second, TD_OK);
	client_expect(fd, 200, "ops=2");
}

static void test_flow_goes_round_after_a_conflict(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "");
	for (unsigned i = 0; i < 5; i++)
		held_answer(held_take(&f->held), i < 4 ? TD_CONFLICT : TD_OK);
	client_expect(fd, 200, "ops=5 conflicts=4");
}

/* Not for ever. */
static void test_flow_gives_up_going_round(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "");
	for (unsigned i = 0; i < CALL_OPS_MOST; i++)
		held_answer(held_take(&f->held), TD_CONFLICT);
	client_expect(fd, 503, "overloaded");
}

/* The second one hangs: the client has its answer, the store lets go when it likes. */
static void test_flow_whose_second_operation_hangs(void **state)
{
	struct fixture *f = *state;
	f->script = "oo";
	int fd = ask(f, "");
	held_answer(held_take(&f->held), TD_OK);
	struct store_op *op = held_take(&f->held);
	op->done(op, TD_TIMEOUT);
	client_expect(fd, 503, "store-unavailable");
	assert_int_equal(atomic_load(&f->ended), 0);
	op->out.user.id = td_arena_slice(&op->arena, TD_SLICE("later"));
	op->release(op);
	assert_int_equal(atomic_load(&f->ended), 1);
}

/* The first was answered, but the store lets go of it after all else. */
static void test_flow_whose_first_operation_is_released_last(void **state)
{
	struct fixture *f = *state;
	f->script = "oo";
	int fd = ask(f, "");
	struct store_op *first = held_take(&f->held);
	first->done(first, TD_OK);
	held_answer(held_take(&f->held), TD_OK);
	client_expect(fd, 200, "ops=2");
	assert_int_equal(atomic_load(&f->ended), 0);
	first->release(first);
	assert_int_equal(atomic_load(&f->ended), 1);
}

static void test_flow_refused_by_the_store_in_the_middle(void **state)
{
	struct fixture *f = *state;
	f->script = "oo";
	int fd = ask(f, "");
	struct store_op *op = held_take(&f->held);
	atomic_store(&f->held.refuse, TD_BUSY);
	held_answer(op, TD_OK);
	client_expect(fd, 503, "overloaded");
	atomic_store(&f->held.refuse, TD_OK);
}

/* Each outcome that is not the rules' ends the flow. */
static void test_flow_ends_with_a_failure(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum td_status status;
		int http;
	} rows[] = {{TD_UNAVAILABLE, 503}, {TD_BUSY, 503}, {TD_STOPPING, 503}, {TD_NOMEM, 503},
		{TD_IO, 500}, {TD_CORRUPT, 500}, {TD_DENIED, 500}, {TD_MISMATCH, 500}};
	f->script = "oo";
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		int fd = ask(f, "");
		struct store_op *op = held_take(&f->held);
		(void)td_err_set(&op->err, rows[i].status, "disk sda1 said no");
		held_answer(op, rows[i].status);
		struct answer answer;
		client_read(fd, &answer);
		assert_int_equal(answer.status, rows[i].http);
		assert_null(strstr(answer.text, "sda1"));
	}
}

/* An operation that was made but never run is freed too (LeakSanitizer looks). */
static void test_flow_without_memory_in_the_middle(void **state)
{
	struct fixture *f = *state;
	f->script = "ox";
	int fd = ask(f, "");
	held_answer(held_take(&f->held), TD_OK);
	client_expect(fd, 503, "overloaded");
}

/* Requests that the server cut off let go in calls_destroy(), operations when the store does. */
static void test_flow_cut_off_by_the_end(void **state)
{
	struct fixture *f = *state;
	f->script = "oo";
	int before_fd = ask(f, ""), after_fd = ask(f, "");
	struct store_op *before = held_take(&f->held), *after = held_take(&f->held);
	after->done(after, TD_OK);
	struct store_op *second = held_take(&f->held);
	(void)http_server_stop(f->server, td_clock_mono_ms(&td_clock_system));
	held_answer(before, TD_STOPPING);
	second->done(second, TD_STOPPING);
	end_server(f);
	assert_int_equal(atomic_load(&f->ended), 1);
	second->release(second);
	after->release(after);
	assert_int_equal(atomic_load(&f->ended), 2);
	close(before_fd);
	close(after_fd);
}

static void test_call_without_a_store(void **state)
{
	struct fixture *f = *state;
	calls_set_store(f->calls, NULL);
	client_expect(ask(f, ""), 503, "store-unavailable");
}

/* ---- who is signed in
 * ---------------------------------------------------------------------------------- */

static void make_cookie(char out[128], char token[APP_TOKEN_TEXT_SIZE])
{
	app_token_generate(token);
	(void)snprintf(out, 128, "Cookie: a=b; session=%s\r\n", token);
}

static void test_session_is_resolved_first(void **state)
{
	struct fixture *f = *state;
	char cookie[128], token[APP_TOKEN_TEXT_SIZE];
	uint8_t hash[TD_SHA256_SIZE];
	f->flags = CALL_WITH_SESSION;
	make_cookie(cookie, token);
	app_token_hash(td_slice_str(token), hash);
	int fd = ask(f, cookie);
	struct store_op *op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_AUTHORIZE);
	assert_int_equal(op->auth.kind, STORE_AUTH_SESSION);
	assert_memory_equal(op->auth.hash, hash, sizeof(hash));
	op->caller.user_id = td_arena_slice(&op->arena, TD_SLICE("u-7"));
	held_answer(op, TD_OK);
	op = held_take(&f->held);
	assert_int_equal(op->auth.kind, STORE_AUTH_NONE);
	held_answer(op, TD_OK);
	client_expect(fd, 200, "user=u-7 ops=2");
}

static void test_session_that_is_not_in_force_is_nobody(void **state)
{
	struct fixture *f = *state;
	char cookie[128], token[APP_TOKEN_TEXT_SIZE];
	f->flags = CALL_WITH_SESSION;
	make_cookie(cookie, token);
	int fd = ask(f, cookie);
	held_answer(held_take(&f->held), TD_DENIED);
	held_answer(held_take(&f->held), TD_OK);
	client_expect(fd, 200, "user= ops=2");
}

/* A store that fails is not "nobody": a signed-in user would see the door. */
static void test_session_that_cannot_be_asked_for(void **state)
{
	struct fixture *f = *state;
	static const enum td_status outcomes[] = {TD_TIMEOUT, TD_UNAVAILABLE, TD_STOPPING};
	char cookie[128], token[APP_TOKEN_TEXT_SIZE];
	f->flags = CALL_WITH_SESSION;
	make_cookie(cookie, token);
	for (size_t i = 0; i < TD_ARRAY_LEN(outcomes); i++) {
		int fd = ask(f, cookie);
		held_answer(held_take(&f->held), outcomes[i]);
		client_expect(fd, 503, "Retry-After: ");
	}
}

/* The store is not asked about what cannot be a token of ours. */
static void test_session_of_strange_cookies(void **state)
{
	struct fixture *f = *state;
	static const char *const rows[] = {"", "Cookie: session=\r\n", "Cookie: session=abc\r\n",
		"Cookie: session=!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!\r\n",
		"Cookie: Session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
		"Cookie: __Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"};
	f->flags = CALL_WITH_SESSION;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		int fd = ask(f, rows[i]);
		struct store_op *op = held_take(&f->held);
		assert_int_equal(op->kind, STORE_USER_GET);
		held_answer(op, TD_OK);
		client_expect(fd, 200, "user= ops=1");
	}
}

/* ---- the test clock
 * ------------------------------------------------------------------------------------ */

#define DAY_MS INT64_C(86400000)

static void test_clock_is_asked_first_and_moves_all_times(void **state)
{
	struct fixture *f = *state;
	char cookie[128], token[APP_TOKEN_TEXT_SIZE];
	f->flags = CALL_WITH_SESSION;
	make_cookie(cookie, token);
	int64_t before_ms = td_clock_wall_ms(&td_clock_system);
	int fd = ask(f, cookie);
	struct store_op *op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_CLOCK_GET);
	op->out.clock_offset_ms = 1000 * DAY_MS;
	held_answer(op, TD_OK);
	for (unsigned i = 0; i < 2; i++) {
		op = held_take(&f->held);
		assert_true(op->now_ms >= before_ms + 1000 * DAY_MS);
		assert_true(op->now_ms < before_ms + 1001 * DAY_MS);
		held_answer(op, i == 0 ? TD_DENIED : TD_OK);
	}
	char told[64] = "Test-Clock: ";
	td_time_format(before_ms + 1000 * DAY_MS, told + strlen(told));
	told[strlen("Test-Clock: 2029-01-01T")] = '\0';
	client_expect(fd, 200, told);
	assert_true(calls_now_ms(f->calls) >= before_ms + 1000 * DAY_MS);
}

static void test_clock_that_was_never_set_is_the_real_time(void **state)
{
	struct fixture *f = *state;
	int64_t before_ms = td_clock_wall_ms(&td_clock_system);
	int fd = ask(f, "");
	held_answer(held_take(&f->held), TD_NOTFOUND);
	struct store_op *op = held_take(&f->held);
	assert_true(op->now_ms >= before_ms && op->now_ms < before_ms + DAY_MS);
	held_answer(op, TD_OK);
	client_expect(fd, 200, "ops=2");
}

static void test_clock_that_cannot_be_asked_for(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "");
	held_answer(held_take(&f->held), TD_TIMEOUT);
	client_expect(fd, 503, "store-unavailable");
}

/* A row that somebody else wrote. */
static void test_clock_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	static const int64_t offsets[] = {
		INT64_MAX, INT64_MIN, INT64_C(300000000000000), INT64_C(-3000000000000)};
	for (size_t i = 0; i < TD_ARRAY_LEN(offsets); i++) {
		int fd = ask(f, "");
		struct store_op *op = held_take(&f->held);
		op->out.clock_offset_ms = offsets[i];
		held_answer(op, TD_OK);
		client_expect(fd, 500, "internal-error");
	}
}

static void test_clock_is_not_there_without_the_setting(void **state)
{
	struct fixture *f = *state;
	struct answer answer;
	calls_note_offset(f->calls, 1000 * DAY_MS);
	assert_true(calls_now_ms(f->calls) < td_clock_wall_ms(&td_clock_system) + DAY_MS);
	int fd = ask(f, "");
	struct store_op *op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_USER_GET);
	held_answer(op, TD_OK);
	client_read(fd, &answer);
	assert_int_equal(answer.status, 200);
	assert_null(strstr(answer.text, "Test-Clock"));
}

/* ---- hashing
 * ------------------------------------------------------------------------------------------- */

static void test_hash_runs_between_operations(void **state)
{
	struct fixture *f = *state;
	f->script = "ohho";
	int fd = ask(f, "");
	held_answer(held_take(&f->held), TD_OK);
	held_answer(held_take(&f->held), TD_OK);
	client_expect(fd, 200, "ops=2 conflicts=0 made=$argon2id");
}

/* Nobody waits longer than STORE_TIMEOUT, though the pool works on what it has begun. */
static void test_hash_meets_the_deadline(void **state)
{
	enum {
		CLIENTS = 24
	};
	struct fixture *f = set_up_with(state, false, true, 400);
	int fds[CLIENTS];
	unsigned made = 0, late = 0;
	f->script = "h";
	f->memory = (size_t)96 << 20;
	for (unsigned i = 0; i < CLIENTS; i++)
		fds[i] = ask(f, "");
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct answer answer;
		client_read(fds[i], &answer);
		made += answer.status == 200;
		late += answer.status == 503 && strstr(answer.text, "store-unavailable") != NULL;
	}
	assert_int_equal(made + late, CLIENTS);
	assert_true(late > 0);
}

/* The one over the queue is refused at once; the end of the process waits for none of the rest. */
static void test_hash_queue_is_bounded(void **state)
{
	enum {
		CLIENTS = 400
	};
	struct fixture *f = *state;
	static struct pollfd fds[CLIENTS];
	long threads = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	long count = (threads > 1 ? threads : 1) * 129 + 64;
	if (count > CLIENTS) {
		print_message("more threads than %d clients keep busy\n", CLIENTS);
		return;
	}
	f->script = "h";
	f->memory = (size_t)64 << 20;
	for (long i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = ask(f, ""), .events = POLLIN};
	bool refused = false;
	while (!refused) {
		assert_true(poll(fds, (nfds_t)count, 20000) > 0);
		for (long i = 0; i < count && !refused; i++) {
			struct answer answer;
			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			client_read(fds[i].fd, &answer);
			fds[i].fd = -1;
			refused = answer.status == 503 && strstr(answer.text, "overloaded") != NULL;
		}
	}
	end_server(f);
	for (long i = 0; i < count; i++) {
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	}
}

/* ---- without memory
 * ------------------------------------------------------------------------------------ */

static atomic_uint allocations_left; /* the one after these fails; 0: none does */

static bool fail_one(void)
{
	unsigned left = atomic_load(&allocations_left);
	while (left > 0 && !atomic_compare_exchange_weak(&allocations_left, &left, left - 1))
		;
	return left != 1;
}

struct willing {
	struct held_store *held;
	bool stopped; /* guarded by held->lock */
};

/* A store that does what it is asked, until it is stopped. */
static void be_willing(void *ctx)
{
	struct willing *willing = ctx;
	for (;;) {
		td_lock_take(&willing->held->lock);
		while (willing->held->count == 0 && !willing->stopped)
			td_cond_wait(&willing->held->came, &willing->held->lock);
		bool ended = willing->held->count == 0;
		td_lock_give(&willing->held->lock);
		if (ended)
			return;
		held_answer(held_take(willing->held), TD_OK);
	}
}

/* Whichever allocation fails: the answer is 503 or 500 or the connection ends, nothing leaks, and
 * the next request is served. */
static void test_flow_without_memory(void **state)
{
	struct fixture *f = *state;
	struct willing willing = {.held = &f->held};
	struct td_thread thread;
	struct answer answer;
	char cookie[128], token[APP_TOKEN_TEXT_SIZE];
	f->script = "oho";
	f->flags = CALL_WITH_SESSION;
	make_cookie(cookie, token);
	assert_int_equal(td_thread_start(&thread, "store", be_willing, &willing, NULL), TD_OK);
	td_alloc_set_gate(fail_one);
	unsigned failed = 0;
	for (unsigned nth = 1; nth < 200; nth++) {
		atomic_store(&allocations_left, nth);
		client_read(ask(f, cookie), &answer);
		if (atomic_exchange(&allocations_left, 0) != 0)
			break;
		failed++;
		if (answer.status != 200 && answer.status != 503 && answer.status != 500 &&
			answer.status != 0)
			fail_msg("allocation %u: %s", nth, answer.text);
	}
	td_alloc_set_gate(NULL);
	assert_true(failed >= 8);
	client_expect(ask(f, cookie), 200, "made=$argon2id");
	td_lock_take(&f->held.lock);
	willing.stopped = true;
	td_cond_wake_all(&f->held.came);
	td_lock_give(&f->held.lock);
	td_thread_join(&thread);
}

#define ROW(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		ROW(test_flow_runs_one_after_the_other_with_one_deadline, set_up),
		ROW(test_flow_keeps_its_operations, set_up),
		ROW(test_flow_goes_round_after_a_conflict, set_up),
		ROW(test_flow_gives_up_going_round, set_up),
		ROW(test_flow_whose_second_operation_hangs, set_up),
		ROW(test_flow_whose_first_operation_is_released_last, set_up),
		ROW(test_flow_refused_by_the_store_in_the_middle, set_up),
		ROW(test_flow_ends_with_a_failure, set_up),
		ROW(test_flow_without_memory_in_the_middle, set_up),
		ROW(test_flow_cut_off_by_the_end, set_up),
		ROW(test_call_without_a_store, set_up),
		ROW(test_session_is_resolved_first, set_up),
		ROW(test_session_that_is_not_in_force_is_nobody, set_up),
		ROW(test_session_that_cannot_be_asked_for, set_up),
		ROW(test_session_of_strange_cookies, set_up),
		ROW(test_clock_is_asked_first_and_moves_all_times, set_up_clock),
		ROW(test_clock_that_was_never_set_is_the_real_time, set_up_clock),
		ROW(test_clock_that_cannot_be_asked_for, set_up_clock),
		ROW(test_clock_that_cannot_be, set_up_clock),
		ROW(test_clock_is_not_there_without_the_setting, set_up),
		ROW(test_hash_runs_between_operations, set_up_hashing),
		cmocka_unit_test_teardown(test_hash_meets_the_deadline, tear_down),
		ROW(test_hash_queue_is_bounded, set_up_hashing),
		ROW(test_flow_without_memory, set_up_hashing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
