/* The routes of subscriptions over a store in hand: what they ask it for, how often, and what they
 * do without memory. Outcomes are tested from outside (tests/integration). */
#include "../call/held_store.h"

#include "api/call.h"
#include "api/subscriptions.h"
#include "app/apikey.h"
#include "app/session.h"
#include "base/alloc.h"
#include "work/thread.h"

#include <sodium.h>

#define SUBSCRIBE "{\"user_id\":\"u-1\",\"package_slug\":\"pro\",\"billing_cycle\":\"monthly\"}"

struct fixture {
	struct held_store held;
	struct calls *calls;
	struct catalogue_holder *holder;
	struct api_calls *api;
	struct http_server *server;
	char key[APIKEY_TEXT_SIZE];
	char head[256]; /* with the key */
};

static struct catalogue_snapshot *make_snapshot(void)
{
	struct store_package packages[] = {
		{.id = TD_SLICE("p-1"),
			.slug = TD_SLICE("pro"),
			.name = TD_SLICE("Pro"),
			.description = TD_SLICE("x"),
			.currency = TD_SLICE("USD"),
			.price_monthly = 2999,
			.price_yearly = 29900,
			.is_active = true},
		{.id = TD_SLICE("p-2"),
			.slug = TD_SLICE("old"),
			.name = TD_SLICE("Old"),
			.description = TD_SLICE("x"),
			.currency = TD_SLICE("USD")},
	};
	const struct store_catalogue rows = {.packages = packages, .package_count = 2};
	struct catalogue_snapshot *snapshot;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(catalogue_snapshot_create(&rows, &snapshot, &err), TD_OK);
	return snapshot;
}

static int set_up(void **state)
{
	static struct fixture f;
	struct td_err err = TD_ERR_INIT;
	struct http_server_config config = HTTP_SERVER_CONFIG_DEFAULT;
	const struct calls_config shared = {.clock = &td_clock_system, .store_timeout_ms = 10000};
	memset(&f, 0, sizeof(f));
	config.port = 0;
	config.threads = 2;
	held_init(&f.held);
	assert_int_equal(calls_create(&shared, &f.calls, &err), TD_OK);
	f.holder = catalogue_holder_create();
	assert_non_null(f.holder);
	catalogue_holder_swap(f.holder, make_snapshot());
	f.api = api_calls_create(f.calls, f.holder);
	assert_non_null(f.api);
	assert_int_equal(http_server_create(&config, &f.server, &err), TD_OK);
	assert_int_equal(api_subscriptions_add_routes(f.api, f.server, &err), TD_OK);
	assert_int_equal(http_server_start(f.server, &err), TD_OK);
	calls_set_store(f.calls, &f.held.store);
	apikey_generate(f.key);
	(void)snprintf(f.head, sizeof(f.head), "Authorization: Bearer %s\r\n", f.key);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	(void)http_server_stop(f->server, td_clock_mono_ms(&td_clock_system));
	http_server_destroy(f->server);
	api_calls_destroy(f->api);
	calls_destroy(f->calls);
	catalogue_holder_destroy(f->holder);
	held_done(&f->held);
	return 0;
}

static int get(const struct fixture *f, const char *path)
{
	char target[128];
	(void)snprintf(target, sizeof(target), "/user-subscription/user/%s", path);
	return client_send(f->server, "GET", target, f->head, "");
}

static int post(const struct fixture *f, const char *verb, const char *headers, const char *body)
{
	char target[128], all[512];
	(void)snprintf(target, sizeof(target), "/user-subscription/%s", verb);
	(void)snprintf(all, sizeof(all), "%s%s", f->head, headers);
	return client_send(f->server, "POST", target, all, body);
}

/* ---- a store that knows one user with a subscription to "pro" -------------------------------- */

static enum td_status give_subscription(struct store_op *op)
{
	struct store_subscription *row = td_arena_alloc(&op->arena, sizeof(*row));
	if (row == NULL)
		return td_err_set(&op->err, TD_NOMEM, "no memory");
	*row = (struct store_subscription){.id = TD_SLICE("s-1"),
		.user_id = TD_SLICE("u-1"),
		.package = {.id = TD_SLICE("p-1"),
			.slug = TD_SLICE("pro"),
			.name = TD_SLICE("Pro")},
		.status = STORE_ACTIVE,
		.cycle = STORE_CYCLE_MONTHLY,
		.price = 2999,
		.currency = TD_SLICE("USD"),
		.started_at = op->now_ms,
		.anchor_day = 1,
		.current_period_start = op->now_ms,
		.current_period_end = op->now_ms + 86400000,
		.version = 1,
		.created_at = op->now_ms,
		.updated_at = op->now_ms};
	op->out.subscriptions = row;
	op->out.subscription_count = 1;
	return TD_OK;
}

static void answer(struct store_op *op)
{
	enum td_status status = op->kind == STORE_ANSWER_FIND ? TD_NOTFOUND : TD_OK;
	if (op->kind == STORE_SUBSCRIPTION_GET)
		status = give_subscription(op);
	held_answer(op, status);
}

/* ---- what they ask for ----------------------------------------------------------------------- */

static void test_get_is_one_operation(void **state)
{
	struct fixture *f = *state;
	int fd = get(f, "u-1");
	struct store_op *op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_SUBSCRIPTION_GET);
	assert_int_equal(op->auth.kind, STORE_AUTH_KEY);
	assert_true(td_slice_is(op->in.user.id, "u-1"));
	answer(op);
	client_expect(fd, 200, "\"package_slug\":\"pro\"");
	assert_int_equal(f->held.count, 0);
}

static void test_subscribe_is_one_operation(void **state)
{
	struct fixture *f = *state;
	int fd = post(f, "subscribe", "Idempotency-Key: k\r\n", SUBSCRIBE);
	struct store_op *op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_SUBSCRIBE);
	assert_int_equal(op->auth.kind, STORE_AUTH_KEY);
	assert_int_equal(op->in.subscription->price, 2999);
	assert_int_equal(op->in.history_count, 1);
	assert_null(op->in.history[0].actor.ptr);
	assert_non_null(op->idempotency);
	assert_int_equal(op->idempotency->on_ok.http_status, 201);
	assert_int_equal(op->idempotency->on_exists.http_status, 0);
	answer(op);
	client_expect(fd, 201, "Location: /user-subscription/user/u-1\r\n");
	assert_int_equal(f->held.count, 0);
}

/* The catalogue may change meanwhile: the call holds on to its own. */
static void test_subscribe_outlives_its_catalogue(void **state)
{
	struct fixture *f = *state;
	int fd = post(f, "subscribe", "", SUBSCRIBE);
	struct store_op *op = held_take(&f->held);
	catalogue_holder_swap(f->holder, make_snapshot());
	answer(op);
	client_expect(fd, 201, "\"package_name\":\"Pro\"");
}

static void test_changes_look_for_a_kept_answer_first(void **state)
{
	struct fixture *f = *state;
	int fd = post(f, "cancel", "Idempotency-Key: k\r\n", "{\"user_id\":\"u-1\"}");
	static const enum store_op_kind kinds[] = {
		STORE_ANSWER_FIND, STORE_SUBSCRIPTION_GET, STORE_SUBSCRIPTION_CHANGE};
	for (size_t i = 0; i < TD_ARRAY_LEN(kinds); i++) {
		struct store_op *op = held_take(&f->held);
		assert_int_equal(op->kind, kinds[i]);
		assert_true((op->idempotency != NULL) == (i != 1));
		answer(op);
	}
	client_expect(fd, 200, "\"cancel_at_period_end\":true");
}

/* A package that is not sold any more, and a request that was answered when it was. */
static void test_retired_package_meets_the_kept_answer(void **state)
{
	struct fixture *f = *state;
	static const char body[] = "{\"user_id\":\"u-1\",\"package_slug\":\"old\","
				   "\"billing_cycle\":\"monthly\"}";
	int fd = post(f, "subscribe", "Idempotency-Key: k\r\n", body);
	struct store_op *op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_ANSWER_KEEP);
	assert_int_equal(op->idempotency->on_ok.http_status, 404);
	op->idempotency->replayed = true;
	op->idempotency->kept = (struct store_answer){
		.http_status = 201, .body = TD_SLICE("{\"id\":\"s-old\"}")};
	answer(op);
	client_expect(fd, 201, "Idempotency-Replayed: true\r\n");

	fd = post(f, "subscribe", "", body);
	op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_AUTHORIZE);
	answer(op);
	client_expect(fd, 404, "package-not-found");
}

static void test_nothing_is_sold_before_there_are_packages(void **state)
{
	struct fixture *f = *state;
	catalogue_holder_swap(f->holder, NULL);
	int fd = post(f, "subscribe", "", SUBSCRIBE);
	answer(held_take(&f->held));
	client_expect(fd, 503, "store-unavailable");
}

/* After a time-out the same key is busy until the store lets go. */
static void test_key_is_busy_until_the_store_lets_go(void **state)
{
	struct fixture *f = *state;
	int fd = post(f, "subscribe", "Idempotency-Key: k\r\n", SUBSCRIBE);
	struct store_op *first = held_take(&f->held);
	first->done(first, TD_TIMEOUT);
	client_expect(fd, 503, "store-unavailable");
	fd = post(f, "subscribe", "Idempotency-Key: k\r\n", SUBSCRIBE);
	answer(held_take(&f->held));
	client_expect(fd, 409, "idempotency-busy");
	first->release(first);
	fd = post(f, "subscribe", "Idempotency-Key: k\r\n", SUBSCRIBE);
	struct store_op *second = held_take(&f->held);
	assert_int_equal(second->kind, STORE_SUBSCRIBE);
	answer(second);
	client_expect(fd, 201, "\"version\":1");
}

/* ---- what they cost -------------------------------------------------------------------------- */

static atomic_uint allocations;
static atomic_uint allocations_left; /* the one after these fails; 0: none does */

static bool count_and_fail_one(void)
{
	atomic_fetch_add(&allocations, 1);
	unsigned left = atomic_load(&allocations_left);
	while (left > 0 && !atomic_compare_exchange_weak(&allocations_left, &left, left - 1))
		;
	return left != 1;
}

struct willing {
	struct fixture *f;
	bool stopped; /* guarded by f->held.lock */
	struct td_thread thread;
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
		answer(held_take(held));
	}
}

static void start_willing(struct willing *willing, struct fixture *f)
{
	*willing = (struct willing){.f = f};
	assert_int_equal(
		td_thread_start(&willing->thread, "store", be_willing, willing, NULL), TD_OK);
}

static void end_willing(struct willing *willing)
{
	struct held_store *held = &willing->f->held;
	td_lock_take(&held->lock);
	willing->stopped = true;
	td_cond_wake_all(&held->came);
	td_lock_give(&held->lock);
	td_thread_join(&willing->thread);
}

/* Of all that a request takes beside libmicrohttpd's: a limit, so that nobody adds one unseen. */
static void test_hot_routes_take_few_allocations(void **state)
{
	struct fixture *f = *state;
	struct willing willing;
#ifdef TD_ARENA_MALLOC
	const unsigned get_most = 60, post_most = 120; /* each piece is one */
#else
	const unsigned get_most = 12, post_most = 16;
#endif
	start_willing(&willing, f);
	client_expect(get(f, "u-1"), 200, "\"id\"");
	td_alloc_set_gate(count_and_fail_one);
	atomic_store(&allocations, 0);
	client_expect(get(f, "u-1"), 200, "\"id\"");
	unsigned for_get = atomic_exchange(&allocations, 0);
	client_expect(post(f, "subscribe", "", SUBSCRIBE), 201, "\"id\"");
	unsigned for_post = atomic_exchange(&allocations, 0);
	td_alloc_set_gate(NULL);
	end_willing(&willing);
	print_message("GET: %u allocations, POST subscribe: %u\n", for_get, for_post);
	assert_true(for_get <= get_most);
	assert_true(for_post <= post_most);
}

static void expect_memory_to_fail(struct fixture *f, const char *verb, const char *body)
{
	unsigned failed = 0;
	for (unsigned nth = 1; nth < 300; nth++) {
		struct answer answer;
		atomic_store(&allocations_left, nth);
		client_read(post(f, verb, "Idempotency-Key: m\r\n", body), &answer);
		if (atomic_exchange(&allocations_left, 0) != 0)
			break;
		failed++;
		if (answer.status != 201 && answer.status != 200 && answer.status != 503 &&
			answer.status != 500 && answer.status != 0)
			fail_msg("%s, allocation %u: %s", verb, nth, answer.text);
	}
	assert_true(failed >= 8);
}

/* Whichever allocation fails: 503, 500 or no answer, nothing leaks, the key is free again, and the
 * next request is served. */
static void test_routes_without_memory(void **state)
{
	struct fixture *f = *state;
	struct willing willing;
	start_willing(&willing, f);
	td_alloc_set_gate(count_and_fail_one);
	expect_memory_to_fail(f, "subscribe", SUBSCRIBE);
	expect_memory_to_fail(f, "cancel", "{\"user_id\":\"u-1\",\"reason\":\"x\"}");
	td_alloc_set_gate(NULL);
	client_expect(post(f, "subscribe", "Idempotency-Key: m\r\n", SUBSCRIBE), 201, "\"id\"");
	end_willing(&willing);
}

/* ---- with a session -------------------------------------------------------------------------- */

static void test_session_comes_first_and_goes_with_nothing_else(void **state)
{
	struct fixture *f = *state;
	char token[APP_TOKEN_TEXT_SIZE];
	app_token_generate(token);
	(void)snprintf(f->head, sizeof(f->head), "Cookie: session=%s\r\n", token);
	int fd = post(f, "subscribe", "Idempotency-Key: k\r\n", SUBSCRIBE);
	struct store_op *op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_AUTHORIZE);
	op->caller.user_id = td_arena_slice(&op->arena, TD_SLICE("u-1"));
	answer(op);
	op = held_take(&f->held);
	assert_int_equal(op->kind, STORE_SUBSCRIBE);
	assert_int_equal(op->auth.kind, STORE_AUTH_NONE);
	assert_true(td_slice_is(op->in.history[0].actor, "user"));
	assert_true(td_slice_is(op->idempotency->caller, "user:u-1"));
	answer(op);
	client_expect(fd, 201, "\"user_id\":\"u-1\"");

	/* Another's: the store is not even asked. */
	fd = get(f, "u-2");
	op = held_take(&f->held);
	op->caller.user_id = td_arena_slice(&op->arena, TD_SLICE("u-1"));
	answer(op);
	client_expect(fd, 404, "user-not-found");
	assert_int_equal(f->held.count, 0);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		ROW(test_get_is_one_operation),
		ROW(test_subscribe_is_one_operation),
		ROW(test_subscribe_outlives_its_catalogue),
		ROW(test_changes_look_for_a_kept_answer_first),
		ROW(test_retired_package_meets_the_kept_answer),
		ROW(test_nothing_is_sold_before_there_are_packages),
		ROW(test_key_is_busy_until_the_store_lets_go),
		ROW(test_hot_routes_take_few_allocations),
		ROW(test_routes_without_memory),
		ROW(test_session_comes_first_and_goes_with_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
