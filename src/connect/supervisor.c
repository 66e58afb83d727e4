/* Invariants:
 *  1. only the supervisor's thread calls the port and the observer, never with the lock held;
 *  2. `health` changes only in enter() and note_failure(), under the lock, and every change wakes
 * those who wait;
 *  3. a success counts only after attempt() returned TD_OK, which includes an answered query; and
 * the back-off starts anew only after one that stood for a while. */
#include "connect/supervisor.h"

#include "base/alloc.h"
#include "base/slice.h"
#include "work/lock.h"
#include "work/thread.h"

#include <sodium.h>
#include <stdio.h>

#define REMIND_MS 30000

/* After the first success an attempt must not hang longer than the back-off may be: a server that
 * comes back is found by the next one. One that has become slow gets its time every few attempts,
 * but only after most outages would be over, since nobody else looks for the server meanwhile; and
 * only where something accepts: a connection request that is lost is as good as a new one. */
#define BRISK_MS       1000
#define BRISK_IN_A_ROW 40
#define PATIENT_EVERY  4
#define PAUSE_LEAST_MS 50

/* A connection that is lost sooner than that has mended nothing: the back-off goes on. */
#define STEADY_MS 1000

struct connect_supervisor {
	struct connect_supervisor_config config; /* set before start, then read-only */
	struct td_lock lock;
	struct td_cond changed;
	struct connect_health
		health; /* guarded by lock; next_attempt_in_ms is unused: see next_attempt_ms */
	uint64_t next_attempt_ms; /* mono; 0: none planned; guarded by lock */
	bool interrupted;         /* nobody waits for it any more; guarded by lock */
	atomic_bool stop;         /* set under the lock, so that no wait misses it; read anywhere */
	atomic_bool keeps_trying; /* the start has no end */
	struct td_thread thread;
	/* The supervisor's thread only. */
	uint64_t tried_ms; /* when the last attempt began */
	int64_t took_ms;   /* how long the last one took that succeeded */
	struct connect_backoff backoff;

	bool joined; /* the stopping thread only */
};

/* How much a failure tells, from little to much: the order of the layers. */
static unsigned depth(enum connect_class class)
{
	static const char *const layers[] = {"dns", "tcp", "protocol", "tls", "auth", "database",
		"writable", "capacity", "version", "config"};
	for (unsigned i = 0; i < TD_ARRAY_LEN(layers); i++) {
		if (strcmp(layers[i], connect_class_layer(class)) == 0)
			return i;
	}
	return 0;
}

const struct connect_failure *connect_failures_worst(const struct connect_failures *failures)
{
	const struct connect_failure *worst = &failures->list[0];
	for (size_t i = 1; i < failures->count; i++) {
		if (depth(failures->list[i].class) > depth(worst->class))
			worst = &failures->list[i];
	}
	return worst;
}

static bool is_told_before(const struct connect_failures *failures, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcmp(failures->list[i].reason, failures->list[at].reason) == 0)
			return true;
	}
	return false;
}

void connect_failures_text(const struct connect_failures *failures, char *out, size_t out_size)
{
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; i < failures->count && used < out_size; i++) {
		if (is_told_before(failures, i))
			continue;
		int n = snprintf(out + used, out_size - used, "%s%s", i > 0 ? "; " : "",
			failures->list[i].reason);
		used += n > 0 ? (size_t)n : 0;
	}
}

static void enter(struct connect_supervisor *s, enum connect_state state)
{
	td_lock_take(&s->lock);
	if (s->health.state != state) {
		s->health.state = state;
		s->health.since_ms = td_clock_wall_ms(s->config.clock);
	}
	s->next_attempt_ms = 0;
	if (state == CONNECT_IS_UP)
		s->health.successes++;
	td_cond_wake_all(&s->changed);
	td_lock_give(&s->lock);
}

static void note_failure(struct connect_supervisor *s, const struct connect_failures *failures)
{
	td_lock_take(&s->lock);
	s->health.last = *connect_failures_worst(failures);
	td_lock_give(&s->lock);
}

static uint64_t now_ms(const struct connect_supervisor *s)
{
	return td_clock_mono_ms(s->config.clock);
}

int connect_limit_slice_ms(const struct connect_limit *limit)
{
	uint64_t now = td_clock_mono_ns() / 1000000u;
	if (now >= limit->deadline_ms || (limit->stop != NULL && atomic_load(limit->stop)))
		return 0;
	uint64_t left_ms = limit->deadline_ms - now;
	return left_ms < 100 ? (int)left_ms : 100;
}

static bool is_stopping(struct connect_supervisor *s)
{
	return atomic_load(&s->stop);
}

static struct connect_limit limit_of(struct connect_supervisor *s, int64_t ms)
{
	return (struct connect_limit){now_ms(s) + (uint64_t)ms, &s->stop};
}

/* False when it was interrupted by a stop. */
static bool pause_for(struct connect_supervisor *s, int64_t wait_ms)
{
	uint64_t end_ns = td_clock_mono_ns() + (uint64_t)wait_ms * UINT64_C(1000000);
	td_lock_take(&s->lock);
	s->next_attempt_ms = now_ms(s) + (uint64_t)wait_ms;
	bool in_time = true;
	while (!s->stop && in_time)
		in_time = td_cond_wait_until(&s->changed, &s->lock, end_ns);
	s->next_attempt_ms = 0;
	bool go_on = !s->stop;
	td_lock_give(&s->lock);
	return go_on;
}

static enum td_status attempt(
	struct connect_supervisor *s, int64_t timeout_ms, struct connect_failures *failures)
{
	s->tried_ms = now_ms(s);
	failures->count = 0;
	td_lock_take(&s->lock);
	s->health.attempts++;
	td_lock_give(&s->lock);
	struct connect_limit limit = limit_of(s, timeout_ms);
	enum td_status status = s->config.port.attempt(s->config.port.ctx, &limit, failures);
	if (status != TD_OK)
		note_failure(s, failures);
	else
		s->took_ms = (int64_t)(now_ms(s) - s->tried_ms);
	return status;
}

static bool reconnect(
	struct connect_supervisor *s, uint64_t start_ms, struct connect_failures *failures);

static void give_up(
	struct connect_supervisor *s, uint64_t start_ms, const struct connect_failures *failures)
{
	const struct connect_observer *o = &s->config.observer;
	o->gave_up(
		o->ctx, s->config.schedule.max_retries, (int64_t)(now_ms(s) - start_ms), failures);
	enter(s, CONNECT_IS_FAILED);
}

/* The schedule is used up. */
static bool end_start(
	struct connect_supervisor *s, uint64_t start_ms, struct connect_failures *failures)
{
	if (atomic_load(&s->keeps_trying)) {
		enter(s, CONNECT_IS_DOWN);
		return reconnect(s, start_ms, failures);
	}
	give_up(s, start_ms, failures);
	return false;
}

/* The first phase. False: given up or stopped. */
static bool start_up(struct connect_supervisor *s, struct connect_failures *failures)
{
	const struct connect_observer *o = &s->config.observer;
	struct connect_schedule schedule = s->config.schedule;
	uint64_t began_ms = now_ms(s);
	int64_t wait_ms;
	o->connecting(o->ctx);
	while (attempt(s, s->config.timeout_ms, failures) != TD_OK) {
		if (is_stopping(s))
			return false;
		if (!connect_schedule_next(&schedule, &wait_ms))
			return end_start(s, began_ms, failures);
		o->start_failed(o->ctx, schedule.failed, schedule.max_retries, failures, wait_ms);
		if (!pause_for(s, wait_ms))
			return false;
	}
	enter(s, CONNECT_IS_UP);
	o->up(o->ctx, /* again= */ false, 0);
	return true;
}

/* What reconnecting has told so far: each kind of reason once in a while, also where two of them
 * take turns, as those of two addresses do. */
struct outage {
	uint64_t began_ms;
	uint64_t due_ms[CONNECT_CLASS_COUNT]; /* 0: not told yet */
};

static void tell_still_down(struct connect_supervisor *s, struct outage *outage,
	const struct connect_failures *failures)
{
	const struct connect_observer *o = &s->config.observer;
	const struct connect_failure *worst = connect_failures_worst(failures);
	uint64_t now = now_ms(s);
	if (now < outage->due_ms[worst->class])
		return;
	outage->due_ms[worst->class] = now + REMIND_MS;
	o->still_down(o->ctx, (int64_t)(now - outage->began_ms), failures);
}

/* How long the next attempt may take, after `in_vain` of them and that failure. */
static int64_t brisk_timeout(
	const struct connect_supervisor *s, unsigned in_vain, const struct connect_failure *last)
{
	int64_t brisk_ms = s->took_ms * 4 > BRISK_MS ? s->took_ms * 4 : BRISK_MS;
	bool patient = in_vain >= BRISK_IN_A_ROW && in_vain % PATIENT_EVERY == 0 &&
		       last->class != CONNECT_NO_ANSWER;
	return patient || brisk_ms > s->config.timeout_ms ? s->config.timeout_ms : brisk_ms;
}

/* The pause counts from the attempt's beginning: one that hung was pause enough. False: stopped. */
static bool back_off(struct connect_supervisor *s, const struct connect_failures *failures)
{
	enum connect_pace pace = connect_class_pace(connect_failures_worst(failures)->class);
	int64_t wait_ms = connect_backoff_next(&s->backoff, pace, randombytes_random());
	wait_ms -= (int64_t)(now_ms(s) - s->tried_ms);
	return pause_for(s, wait_ms > PAUSE_LEAST_MS ? wait_ms : PAUSE_LEAST_MS);
}

/* The second phase: after a loss, or where start_ms is not 0 a start since then that goes on.
 * False: stopped, or given up. */
static bool reconnect(
	struct connect_supervisor *s, uint64_t start_ms, struct connect_failures *failures)
{
	bool again = start_ms == 0;
	struct outage outage = {.began_ms = again ? now_ms(s) : start_ms};
	const struct connect_observer *o = &s->config.observer;
	if (outage.began_ms - s->tried_ms >= STEADY_MS)
		connect_backoff_reset(&s->backoff);
	else if (!back_off(s, failures))
		return false;
	for (unsigned in_vain = 0;; in_vain++) {
		int64_t brisk_ms = brisk_timeout(s, in_vain, connect_failures_worst(failures));
		if (attempt(s, again ? brisk_ms : s->config.timeout_ms, failures) == TD_OK)
			break;
		if (is_stopping(s))
			return false;
		if (!again && !atomic_load(&s->keeps_trying)) {
			give_up(s, start_ms, failures);
			return false;
		}
		tell_still_down(s, &outage, failures);
		if (!back_off(s, failures))
			return false;
	}
	enter(s, CONNECT_IS_UP);
	o->up(o->ctx, again, (int64_t)(now_ms(s) - outage.began_ms));
	return true;
}

static void supervise(void *ctx)
{
	struct connect_supervisor *s = ctx;
	struct connect_failures failures;
	bool up = start_up(s, &failures);
	while (up) {
		failures.count = 0;
		if (is_stopping(s))
			break;
		struct connect_limit limit = limit_of(s, s->config.timeout_ms);
		if (s->config.port.watch(s->config.port.ctx, &limit, &failures))
			continue;
		if (is_stopping(s))
			break;
		s->config.port.close(s->config.port.ctx);
		note_failure(s, &failures);
		enter(s, CONNECT_IS_DOWN);
		s->config.observer.lost(s->config.observer.ctx, &failures);
		up = reconnect(s, 0, &failures);
	}
	s->config.port.close(s->config.port.ctx);
	if (is_stopping(s))
		enter(s, CONNECT_IS_STOPPED);
}

enum td_status connect_supervisor_create(const struct connect_supervisor_config *config,
	struct connect_supervisor **ret_supervisor, struct td_err *err)
{
	struct connect_supervisor *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for supervising %s", config->name);
	s->config = *config;
	atomic_store(&s->keeps_trying, config->keeps_trying);
	s->health.state = CONNECT_IS_STARTING;
	s->health.since_ms = td_clock_wall_ms(config->clock);
	td_lock_init(&s->lock);
	td_cond_init(&s->changed);
	enum td_status status = td_thread_start(&s->thread, config->name, supervise, s, err);
	if (status != TD_OK) {
		td_cond_done(&s->changed);
		td_lock_done(&s->lock);
		td_free(s);
		return status;
	}
	*ret_supervisor = s;
	return TD_OK;
}

enum td_status connect_supervisor_wait(struct connect_supervisor *s)
{
	td_lock_take(&s->lock);
	while (!s->stop && !s->interrupted &&
		(s->health.state == CONNECT_IS_STARTING || s->health.state == CONNECT_IS_DOWN))
		td_cond_wait(&s->changed, &s->lock);
	enum td_status status = TD_STOPPING;
	if (!s->stop && s->health.state == CONNECT_IS_UP)
		status = TD_OK;
	else if (!s->stop && s->health.state == CONNECT_IS_FAILED)
		status = TD_UNAVAILABLE;
	td_lock_give(&s->lock);
	return status;
}

void connect_supervisor_keep_trying(struct connect_supervisor *s, bool keeps_trying)
{
	atomic_store(&s->keeps_trying, keeps_trying);
}

void connect_supervisor_interrupt(struct connect_supervisor *s)
{
	td_lock_take(&s->lock);
	s->interrupted = true;
	td_cond_wake_all(&s->changed);
	td_lock_give(&s->lock);
}

bool connect_supervisor_is_up(struct connect_supervisor *s)
{
	td_lock_take(&s->lock);
	bool up = s->health.state == CONNECT_IS_UP;
	td_lock_give(&s->lock);
	return up;
}

void connect_supervisor_get_health(struct connect_supervisor *s, struct connect_health *ret_health)
{
	uint64_t now = now_ms(s);
	td_lock_take(&s->lock);
	*ret_health = s->health;
	ret_health->next_attempt_in_ms = -1;
	if (s->next_attempt_ms != 0)
		ret_health->next_attempt_in_ms = s->next_attempt_ms > now
							 ? (int64_t)(s->next_attempt_ms - now)
							 : 0;
	ret_health->reconnects = s->health.successes > 0 ? s->health.successes - 1 : 0;
	int64_t lost_ms = td_clock_wall_ms(s->config.clock) - s->health.since_ms;
	ret_health->lost_ms = s->health.state == CONNECT_IS_DOWN && lost_ms > 0 ? lost_ms : 0;
	td_lock_give(&s->lock);
}

void connect_supervisor_stop(struct connect_supervisor *s)
{
	if (s->joined)
		return;
	td_lock_take(&s->lock);
	atomic_store(&s->stop, true);
	td_cond_wake_all(&s->changed);
	td_lock_give(&s->lock);
	td_thread_join(&s->thread);
	s->joined = true;
}

void connect_supervisor_destroy(struct connect_supervisor *s)
{
	if (s == NULL)
		return;
	connect_supervisor_stop(s);
	td_cond_done(&s->changed);
	td_lock_done(&s->lock);
	td_free(s);
}
