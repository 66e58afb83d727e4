/* The supervisor's thread over a port whose attempts take no time but the fake clock's. Only pauses
 * are real: 50 ms after each attempt that took longer than its back-off. */
#include "fake_clock.h"
#include "fault_alloc.h"
#include "td_test.h"
#include "wait_until.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "connect/supervisor.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_MS      20000
#define TIMEOUT_MS    5000
#define ATTEMPTS_MOST 256
#define NOTHING       (-1) /* in the place of a class: it connects */
#define STEADY_MS     1000 /* an attempt after that is the first of a new outage */
#define HANGS_MS      1500 /* an attempt that took that long was pause enough */

/* As the supervisor has them. */
#define BRISK_MS       1000
#define BRISK_IN_A_ROW 40
#define PATIENT_EVERY  4

struct world {
	struct fake_clock fake;
	struct connect_supervisor *supervisor;
	bool keeps_trying; /* from its beginning */

	/* What the next attempt, and the connection, will do. */
	_Atomic int fails_as;     /* an enum connect_class, or NOTHING */
	_Atomic int in_turn_with; /* how every second one fails; NOTHING: as the others */
	atomic_uint takes_ms;
	atomic_bool hangs;  /* in real time, until it is stopped */
	atomic_bool breaks; /* the connection is lost */
	atomic_uint breaks_after_ms;

	/* What was seen. */
	_Atomic int64_t allowed_ms[ATTEMPTS_MOST];
	atomic_uint attempts, ended, closed;
	atomic_bool is_trying, overlapped;
	atomic_uint connecting, start_failed, gave_up, up, up_again, lost, still_down;
	_Atomic int64_t away_ms, waits_ms[ATTEMPTS_MOST];
};

/* ---- the port
 * ------------------------------------------------------------------------------------------ */

static void fail_as(enum connect_class class, struct connect_failures *failures)
{
	failures->count = 1;
	failures->list[0] = (struct connect_failure){.class = class};
	(void)snprintf(failures->list[0].reason, sizeof(failures->list[0].reason), "it is %s",
		connect_class_words(class));
}

static enum td_status attempt(
	void *ctx, const struct connect_limit *limit, struct connect_failures *failures)
{
	struct world *w = ctx;
	unsigned number = atomic_load(&w->attempts);
	int64_t allowed_ms = (int64_t)(limit->deadline_ms - td_clock_mono_ms(&w->fake.clock));
	if (atomic_exchange(&w->is_trying, true))
		atomic_store(&w->overlapped, true);
	if (number < ATTEMPTS_MOST)
		atomic_store(&w->allowed_ms[number], allowed_ms);
	atomic_store(&w->attempts, number + 1);
	while (atomic_load(&w->hangs) && !atomic_load(limit->stop))
		(void)poll(NULL, 0, 1);
	fake_clock_advance(&w->fake, atomic_load(&w->takes_ms));
	int class = atomic_load(&w->hangs) ? (int)CONNECT_SILENT : atomic_load(&w->fails_as);
	if (number % 2 == 1 && atomic_load(&w->in_turn_with) != NOTHING)
		class = atomic_load(&w->in_turn_with);
	atomic_store(&w->is_trying, false);
	atomic_fetch_add(&w->ended, 1);
	if (class < 0)
		return TD_OK;
	fail_as((enum connect_class) class, failures);
	return TD_UNAVAILABLE;
}

static bool watch(void *ctx, const struct connect_limit *limit, struct connect_failures *failures)
{
	struct world *w = ctx;
	while (!atomic_load(&w->breaks) && !atomic_load(limit->stop))
		(void)poll(NULL, 0, 1);
	if (!atomic_load(&w->breaks))
		return true;
	fake_clock_advance(&w->fake, atomic_load(&w->breaks_after_ms));
	fail_as(CONNECT_CLOSED, failures);
	return false;
}

static void close_it(void *ctx)
{
	struct world *w = ctx;
	atomic_fetch_add(&w->closed, 1);
}

/* ---- the observer
 * -------------------------------------------------------------------------------------- */

static void on_connecting(void *ctx)
{
	struct world *w = ctx;
	atomic_fetch_add(&w->connecting, 1);
}

static void on_start_failed(void *ctx, int64_t number, int64_t of,
	const struct connect_failures *failures, int64_t wait_ms)
{
	struct world *w = ctx;
	(void)of;
	(void)failures;
	atomic_store(&w->waits_ms[number], wait_ms);
	atomic_fetch_add(&w->start_failed, 1);
}

static void on_gave_up(
	void *ctx, int64_t attempts, int64_t passed_ms, const struct connect_failures *failures)
{
	struct world *w = ctx;
	(void)attempts;
	(void)failures;
	atomic_store(&w->away_ms, passed_ms);
	atomic_fetch_add(&w->gave_up, 1);
}

static void on_up(void *ctx, bool again, int64_t away_ms)
{
	struct world *w = ctx;
	atomic_store(&w->away_ms, away_ms);
	atomic_fetch_add(again ? &w->up_again : &w->up, 1);
}

static void on_lost(void *ctx, const struct connect_failures *failures)
{
	struct world *w = ctx;
	(void)failures;
	atomic_fetch_add(&w->lost, 1);
}

static void on_still_down(void *ctx, int64_t away_ms, const struct connect_failures *failures)
{
	struct world *w = ctx;
	(void)away_ms;
	(void)failures;
	atomic_fetch_add(&w->still_down, 1);
}

/* ---- a supervisor
 * -------------------------------------------------------------------------------------- */

static enum td_status create(struct world *w, int64_t max_retries, struct td_err *err)
{
	const struct connect_supervisor_config config = {
		.name = "test-supervisor",
		.port = {.attempt = attempt, .watch = watch, .close = close_it, .ctx = w},
		.observer = {.connecting = on_connecting,
			.start_failed = on_start_failed,
			.gave_up = on_gave_up,
			.up = on_up,
			.lost = on_lost,
			.still_down = on_still_down,
			.ctx = w},
		.schedule = {.max_retries = max_retries, .initial_ms = 1, .max_ms = 4},
		.keeps_trying = w->keeps_trying,
		.timeout_ms = TIMEOUT_MS,
		.clock = &w->fake.clock,
	};
	return connect_supervisor_create(&config, &w->supervisor, err);
}

static void init(struct world *w, int fails_as, unsigned takes_ms)
{
	memset(w, 0, sizeof(*w));
	fake_clock_init(&w->fake, 0, 1000000);
	atomic_store(&w->fails_as, fails_as);
	atomic_store(&w->in_turn_with, NOTHING);
	atomic_store(&w->takes_ms, takes_ms);
	atomic_store(&w->breaks_after_ms, STEADY_MS);
}

static void begin(struct world *w)
{
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(create(w, 3, &err), TD_OK);
}

static void begin_connected(struct world *w, unsigned takes_ms)
{
	init(w, NOTHING, takes_ms);
	begin(w);
	assert_int_equal(connect_supervisor_wait(w->supervisor), TD_OK);
	assert_true(connect_supervisor_is_up(w->supervisor));
}

/* The connection is lost, and what then is tried fails in that way. */
static void lose(struct world *w, int fails_as, unsigned takes_ms)
{
	atomic_store(&w->takes_ms, takes_ms);
	atomic_store(&w->fails_as, fails_as);
	atomic_store(&w->breaks, true);
}

static void end(struct world *w)
{
	connect_supervisor_destroy(w->supervisor);
	w->supervisor = NULL;
	assert_false(atomic_load(&w->overlapped));
	assert_int_equal(atomic_load(&w->attempts), atomic_load(&w->ended));
	assert_true(atomic_load(&w->closed) > 0);
}

static int make_world(void **state)
{
	*state = td_alloc_zero(sizeof(struct world));
	return *state == NULL;
}

/* A test that failed left its thread. */
static int free_world(void **state)
{
	struct world *w = *state;
	connect_supervisor_destroy(w->supervisor);
	td_free(w);
	return 0;
}

struct number {
	struct world *world;
	unsigned wanted;
	int64_t seen_ms;
};

static bool has_ended(void *ctx)
{
	const struct number *n = ctx;
	return atomic_load(&n->world->ended) >= n->wanted;
}

static void wait_for_attempts(struct world *w, unsigned count)
{
	struct number n = {.world = w, .wanted = count};
	assert_true(wait_until(has_ended, &n, LIMIT_MS));
}

static bool pauses_that_long(void *ctx)
{
	struct number *n = ctx;
	struct connect_health health;
	connect_supervisor_get_health(n->world->supervisor, &health);
	n->seen_ms = health.next_attempt_in_ms;
	return n->seen_ms >= (int64_t)n->wanted;
}

/* ---- reconnecting
 * -------------------------------------------------------------------------------------- */

/* A server that comes back is found within a second: attempts that hang are given up, but for one
 * in a few, once it has taken long, for a server that became slow. */
static void test_supervisor_attempts_are_brisk_and_then_now_and_then_patient(void **state)
{
	struct world *w = *state;
	const unsigned last = BRISK_IN_A_ROW + 1 + 2 * PATIENT_EVERY;
	begin_connected(w, 0);
	lose(w, CONNECT_SILENT, HANGS_MS);
	wait_for_attempts(w, last + 1);
	end(w);
	assert_int_equal(w->allowed_ms[0], TIMEOUT_MS);
	for (unsigned i = 1; i <= last; i++) {
		bool patient = i > BRISK_IN_A_ROW && (i - 1) % PATIENT_EVERY == 0;
		assert_int_equal(w->allowed_ms[i], patient ? TIMEOUT_MS : BRISK_MS);
	}
}

/* Nobody answers at all: a new connection request is as good as an old one. */
static void test_supervisor_attempts_stay_brisk_where_nobody_answers(void **state)
{
	struct world *w = *state;
	const unsigned last = BRISK_IN_A_ROW + 1 + PATIENT_EVERY;
	begin_connected(w, 0);
	lose(w, CONNECT_NO_ANSWER, HANGS_MS);
	wait_for_attempts(w, last + 1);
	end(w);
	for (unsigned i = 1; i <= last; i++)
		assert_int_equal(w->allowed_ms[i], BRISK_MS);
}

/* Four times as long as the last success took, but never longer than the whole time-out. */
static void test_supervisor_gives_a_far_server_more_time(void **state)
{
	static const unsigned takes[] = {100, 700, 2000}, allowed[] = {1000, 2800, 5000};
	struct world *w = *state;
	for (size_t i = 0; i < 3; i++) {
		begin_connected(w, takes[i]);
		lose(w, CONNECT_SILENT, HANGS_MS);
		wait_for_attempts(w, 2);
		end(w);
		assert_int_equal(w->allowed_ms[1], allowed[i]);
	}
}

/* An attempt that took as long as its back-off is pause enough. Here that has grown to 10 s: from 5
 * to 10 s, as chance will. */
static void test_supervisor_pause_counts_from_the_beginning_of_the_attempt(void **state)
{
	struct world *w = *state;
	struct number pause = {.world = w, .wanted = 51};
	begin_connected(w, 0);
	lose(w, CONNECT_PASSWORD, 10000);
	wait_for_attempts(w, 9); /* 50 ms between them */
	atomic_store(&w->takes_ms, 5000);
	assert_true(wait_until(pauses_that_long, &pause, LIMIT_MS));
	assert_in_range(pause.seen_ms, 51, 5000);
	end(w);
}

/* A server that ends every session as soon as it has begun is not asked without pause, either. */
static void test_supervisor_connection_that_never_stands_is_no_storm(void **state)
{
	struct world *w = *state;
	struct number long_pause = {.world = w, .wanted = 750};
	begin_connected(w, 0);
	atomic_store(&w->breaks_after_ms, 0);
	atomic_store(&w->breaks, true);
	assert_true(wait_until(pauses_that_long, &long_pause, LIMIT_MS));
	assert_in_range(atomic_load(&w->attempts), 4, 8);
	assert_true(atomic_load(&w->up_again) >= 3);
	end(w);
}

/* After a connection that stood the first attempt comes at once, and the pauses are short again,
 * however long they were. */
static void test_supervisor_success_that_lasts_begins_anew(void **state)
{
	struct world *w = *state;
	struct number pause = {.world = w, .wanted = 50};
	begin_connected(w, 0);
	lose(w, CONNECT_PASSWORD, 10000);
	wait_for_attempts(w, 9);
	lose(w, NOTHING, 0);
	wait_for_attempts(w, 100);
	assert_true(atomic_load(&w->up_again) >= 80);
	lose(w, CONNECT_PASSWORD, 0);
	assert_true(wait_until(pauses_that_long, &pause, LIMIT_MS));
	assert_in_range(pause.seen_ms, 50, 4999);
	end(w);
}

static bool told_of(void *ctx)
{
	const struct number *n = ctx;
	return atomic_load(&n->world->still_down) >= n->wanted;
}

static bool is_up_again(void *ctx)
{
	struct world *w = ctx;
	return atomic_load(&w->up_again) > 0;
}

/* A loss is told once, a reason once until it is another or half a minute has passed. */
static void test_supervisor_tells_what_is_new(void **state)
{
	struct world *w = *state;
	struct number second = {.world = w, .wanted = 2}, third = {.world = w, .wanted = 3};
	struct connect_health health;
	begin_connected(w, 0);
	lose(w, CONNECT_REFUSED, 10);
	wait_for_attempts(w, 4);
	assert_int_equal(atomic_load(&w->still_down), 1);
	atomic_store(&w->fails_as, (int)CONNECT_STARTING);
	assert_true(wait_until(told_of, &second, LIMIT_MS));
	atomic_store(&w->takes_ms, 30000);
	assert_true(wait_until(told_of, &third, LIMIT_MS));
	connect_supervisor_get_health(w->supervisor, &health);
	assert_true(health.lost_ms >= 30000);
	assert_int_equal(health.reconnects, 0);
	atomic_store(&w->breaks, false);
	atomic_store(&w->fails_as, NOTHING);
	assert_true(wait_until(is_up_again, w, LIMIT_MS));
	assert_true(atomic_load(&w->away_ms) >= 30000);
	assert_int_equal(atomic_load(&w->lost), 1);
	connect_supervisor_get_health(w->supervisor, &health);
	assert_int_equal(health.lost_ms, 0);
	assert_int_equal(health.reconnects, 1);
	end(w);
}

/* Reasons that take turns, as those of two addresses do, are told once each. */
static void test_supervisor_tells_reasons_that_take_turns_once(void **state)
{
	struct world *w = *state;
	begin_connected(w, 0);
	atomic_store(&w->in_turn_with, (int)CONNECT_STARTING);
	lose(w, CONNECT_REFUSED, 10);
	wait_for_attempts(w, 12);
	assert_int_equal(atomic_load(&w->still_down), 2);
	end(w);
}

/* ---- the end
 * ------------------------------------------------------------------------------------------- */

static void assert_ends_at_once(struct world *w)
{
	struct connect_health health;
	uint64_t began_ms = td_clock_mono_ms(&td_clock_system);
	connect_supervisor_stop(w->supervisor);
	assert_true(td_clock_mono_ms(&td_clock_system) - began_ms < 2000);
	connect_supervisor_get_health(w->supervisor, &health);
	assert_int_equal(health.state, CONNECT_IS_STOPPED);
	assert_int_equal(connect_supervisor_wait(w->supervisor), TD_STOPPING);
}

/* In the middle of a pause of five seconds and more. */
static void test_supervisor_stop_ends_a_pause(void **state)
{
	struct world *w = *state;
	struct number long_pause = {.world = w, .wanted = 5000};
	begin_connected(w, 0);
	lose(w, CONNECT_PASSWORD, 10000);
	wait_for_attempts(w, 9);
	atomic_store(&w->takes_ms, 0);
	assert_true(wait_until(pauses_that_long, &long_pause, LIMIT_MS));
	unsigned attempts = atomic_load(&w->attempts);
	assert_ends_at_once(w);
	assert_int_equal(atomic_load(&w->attempts), attempts);
	end(w);
}

static bool is_trying(void *ctx)
{
	struct world *w = ctx;
	return atomic_load(&w->is_trying);
}

/* An attempt is told to stop, and is the last. */
static void test_supervisor_stop_ends_an_attempt(void **state)
{
	struct world *w = *state;
	begin_connected(w, 0);
	atomic_store(&w->hangs, true);
	lose(w, CONNECT_SILENT, 0);
	assert_true(wait_until(is_trying, w, LIMIT_MS));
	assert_ends_at_once(w);
	assert_int_equal(atomic_load(&w->attempts), 2);
	end(w);
}

static void test_supervisor_stop_ends_a_connection_that_stands(void **state)
{
	struct world *w = *state;
	begin_connected(w, 0);
	assert_ends_at_once(w);
	assert_int_equal(atomic_load(&w->attempts), 1);
	end(w);
}

/* ---- the start
 * ----------------------------------------------------------------------------------------- */

/* Three retries after 1, 2 and 4 ms, each with the whole time-out; then no more. */
static void test_supervisor_start_follows_its_schedule_and_ends(void **state)
{
	struct world *w = *state;
	struct connect_health health;
	init(w, CONNECT_SILENT, TIMEOUT_MS);
	begin(w);
	assert_int_equal(connect_supervisor_wait(w->supervisor), TD_UNAVAILABLE);
	connect_supervisor_get_health(w->supervisor, &health);
	assert_int_equal(health.state, CONNECT_IS_FAILED);
	assert_int_equal(health.attempts, 4);
	assert_int_equal(health.last.class, CONNECT_SILENT);
	end(w);
	assert_int_equal(w->connecting, 1);
	assert_int_equal(w->start_failed, 3);
	assert_int_equal(w->gave_up, 1);
	assert_int_equal(w->away_ms, 4 * TIMEOUT_MS);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(w->allowed_ms[i], TIMEOUT_MS);
		assert_int_equal(w->waits_ms[i], i == 0 ? 0 : 1 << (i - 1));
	}
}

/* It goes on after the schedule, with the whole time-out, and is up the first time. */
static void test_supervisor_start_that_keeps_trying_has_no_end(void **state)
{
	struct world *w = *state;
	struct connect_health health;
	init(w, CONNECT_SILENT, TIMEOUT_MS);
	w->keeps_trying = true;
	begin(w);
	wait_for_attempts(w, 8);
	connect_supervisor_get_health(w->supervisor, &health);
	assert_int_equal(health.state, CONNECT_IS_DOWN);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(w->allowed_ms[i], TIMEOUT_MS);
	atomic_store(&w->fails_as, NOTHING);
	assert_int_equal(connect_supervisor_wait(w->supervisor), TD_OK);
	end(w);
	assert_int_equal(w->start_failed, 3);
	assert_int_equal(w->gave_up, 0);
	assert_int_equal(w->up, 1);
	assert_int_equal(w->up_again, 0);
}

/* It is told after the schedule was used up that there is no reason to go on. */
static void test_supervisor_start_that_kept_trying_is_told_to_end(void **state)
{
	struct world *w = *state;
	init(w, CONNECT_SILENT, TIMEOUT_MS);
	w->keeps_trying = true;
	begin(w);
	wait_for_attempts(w, 6);
	assert_int_equal(w->gave_up, 0);
	connect_supervisor_keep_trying(w->supervisor, false);
	assert_int_equal(connect_supervisor_wait(w->supervisor), TD_UNAVAILABLE);
	end(w);
	assert_int_equal(w->gave_up, 1);
	assert_true(w->away_ms >= 6 * TIMEOUT_MS);
}

/* Nobody waits for it any more, and connecting goes on. */
static void test_supervisor_interrupted_wait_returns(void **state)
{
	struct world *w = *state;
	init(w, CONNECT_SILENT, 0);
	atomic_store(&w->hangs, true);
	begin(w);
	connect_supervisor_interrupt(w->supervisor);
	assert_int_equal(connect_supervisor_wait(w->supervisor), TD_STOPPING);
	assert_true(wait_until(is_trying, w, LIMIT_MS));
	assert_ends_at_once(w);
	end(w);
}

static bool create_one(void *ctx)
{
	struct world *w = ctx;
	struct td_err err = TD_ERR_INIT;
	if (create(w, 3, &err) != TD_OK)
		return false;
	connect_supervisor_destroy(w->supervisor);
	w->supervisor = NULL;
	return true;
}

static void test_supervisor_without_memory_says_so(void **state)
{
	struct world *w = *state;
	init(w, NOTHING, 0);
	assert_true(fault_alloc_each(create_one, w) >= 1);
	connect_supervisor_destroy(NULL);
}

/* ---- reasons
 * ------------------------------------------------------------------------------------------- */

/* What a server said tells more than what the network said; a reason that two addresses share is
 * told once. */
static void test_supervisor_worst_failure_and_the_text_of_all(void **state)
{
	(void)state;
	struct connect_failures all = {.count = 3,
		.list = {{.class = CONNECT_REFUSED, .reason = "refused"},
			{.class = CONNECT_PASSWORD, .reason = "wrong"},
			{.class = CONNECT_REFUSED, .reason = "refused"}}};
	char text[100], small[8];
	assert_ptr_equal(connect_failures_worst(&all), &all.list[1]);
	connect_failures_text(&all, text, sizeof(text));
	assert_string_equal(text, "refused; wrong");
	connect_failures_text(&all, small, sizeof(small));
	assert_string_equal(small, "refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_supervisor_attempts_are_brisk_and_then_now_and_then_patient,
			make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_attempts_stay_brisk_where_nobody_answers, make_world,
			free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_gives_a_far_server_more_time, make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_pause_counts_from_the_beginning_of_the_attempt, make_world,
			free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_connection_that_never_stands_is_no_storm, make_world,
			free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_success_that_lasts_begins_anew, make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_tells_what_is_new, make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_tells_reasons_that_take_turns_once, make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_stop_ends_a_pause, make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_stop_ends_an_attempt, make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_stop_ends_a_connection_that_stands, make_world, free_world),
		cmocka_unit_test_setup_teardown(test_supervisor_start_follows_its_schedule_and_ends,
			make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_start_that_keeps_trying_has_no_end, make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_start_that_kept_trying_is_told_to_end, make_world,
			free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_interrupted_wait_returns, make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_supervisor_without_memory_says_so, make_world, free_world),
		cmocka_unit_test(test_supervisor_worst_failure_and_the_text_of_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
