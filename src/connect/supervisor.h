/* Keeps one connection to a database alive, in a thread of its own: the schedule at start, the
 * back-off for ever afterwards, and a watch while it is up. The engine's part stands behind
 * `connect_port`; what happens is told to an observer.
 *
 *   STARTING  nothing has worked yet; attempts follow connect_schedule
 *   UP        the connection answers; watch() runs
 *   DOWN      it was up before; attempts follow connect_backoff, without end
 *   FAILED    the schedule at start is used up; no further attempt
 *   STOPPED   connect_supervisor_stop() was called */
#ifndef TD_CONNECT_SUPERVISOR_H
#define TD_CONNECT_SUPERVISOR_H

#include "base/clock.h"
#include "connect/failure.h"
#include "connect/schedule.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CONNECT_FAILURES_MOST 32

/* Every address that was tried in one attempt, with its own reason. */
struct connect_failures {
	struct connect_failure list[CONNECT_FAILURES_MOST];
	size_t count;
};

/* The one that tells most: what a server said goes before what the network said. `failures` is not
 * empty. */
const struct connect_failure *connect_failures_worst(const struct connect_failures *failures);

/* All reasons in one text, "; " between them; each once. */
void connect_failures_text(const struct connect_failures *failures, char *out, size_t out_size);

/* When an attempt must end: at a time, or as soon as somebody wants the thread to stop (looked at
 * every 100 ms). */
struct connect_limit {
	uint64_t deadline_ms; /* CLOCK_MONOTONIC */
	atomic_bool *stop;    /* NULL: nobody will */
};

/* Milliseconds that a wait may last now: 0 when the limit is reached, at most 100. */
int connect_limit_slice_ms(const struct connect_limit *limit);

/* Implemented by an engine; all called by the supervisor's thread only. */
struct connect_port {
	/* One attempt at all addresses, until deadline_ms. TD_OK: connected and a query was
	 * answered. Else `ret_failures` has at least one row. */
	enum td_status (*attempt)(void *ctx, const struct connect_limit *limit,
		struct connect_failures *ret_failures);
	/* Looks after the connection for about a second at most: heartbeat, notifications. False:
	 * it is lost, and ret_failures says why. */
	bool (*watch)(void *ctx, const struct connect_limit *limit,
		struct connect_failures *ret_failures);
	/* Lets the connection go. */
	void (*close)(void *ctx);
	void *ctx;
};

enum connect_state {
	CONNECT_IS_STARTING,
	CONNECT_IS_UP,
	CONNECT_IS_DOWN,
	CONNECT_IS_FAILED,
	CONNECT_IS_STOPPED,
};

struct connect_health {
	enum connect_state state;
	int64_t since_ms;           /* wall clock */
	int64_t next_attempt_in_ms; /* -1: none is planned */
	uint64_t attempts, successes;
	uint64_t reconnects;         /* of the successes: after a loss */
	int64_t lost_ms;             /* since the loss, while it is DOWN; else 0 */
	struct connect_failure last; /* reason[0] is NUL where nothing failed yet */
};

/* What happened; called by the supervisor's thread. */
struct connect_observer {
	void (*connecting)(void *ctx);
	/* An attempt at start has failed; the next comes in wait_ms. number counts from 1; of is
	 * CONNECT_MAX_RETRIES (-1: no end). */
	void (*start_failed)(void *ctx, int64_t number, int64_t of,
		const struct connect_failures *failures, int64_t wait_ms);
	/* The closing try failed too. */
	void (*gave_up)(void *ctx, int64_t attempts, int64_t passed_ms,
		const struct connect_failures *failures);
	/* `again` is false the first time. */
	void (*up)(void *ctx, bool again, int64_t away_ms);
	/* Lost; called once, not at each attempt. */
	void (*lost)(void *ctx, const struct connect_failures *failures);
	/* An attempt to reconnect failed for another reason than the one before (or half a minute
	 * has passed). */
	void (*still_down)(void *ctx, int64_t away_ms, const struct connect_failures *failures);
	/* It is there, but cannot do what was asked: its disk is full, it has no memory. Called by
	 * whoever was refused, once a minute at most; not by the supervisor. */
	void (*refused)(void *ctx, const struct td_err *err);
	void *ctx;
};

struct connect_supervisor_config {
	const char *name; /* the thread's; static */
	struct connect_port port;
	struct connect_observer observer;
	struct connect_schedule schedule;
	bool keeps_trying;  /* a start whose schedule is used up goes on as after a loss */
	int64_t timeout_ms; /* CONNECT_TIMEOUT: one attempt in all */
	const struct td_clock *clock; /* borrowed until destroy; only pauses are in real time */
};

struct connect_supervisor;

/* Starts at once. Give it to connect_supervisor_destroy(). */
enum td_status connect_supervisor_create(const struct connect_supervisor_config *config,
	struct connect_supervisor **ret_supervisor, struct td_err *err) TD_MUST_CHECK;

/* Waits until it is UP (TD_OK), FAILED (TD_UNAVAILABLE), or STOPPED or interrupted (TD_STOPPING).
 * Not on an HTTP thread. */
enum td_status connect_supervisor_wait(struct connect_supervisor *s) TD_MUST_CHECK;

/* As config.keeps_trying, from the next attempt on. Any thread; without effect on one that is
 * FAILED. */
void connect_supervisor_keep_trying(struct connect_supervisor *s, bool keeps_trying);

/* From now on connect_supervisor_wait() returns at once; connecting goes on. Any thread. */
void connect_supervisor_interrupt(struct connect_supervisor *s);

/* Any thread. */
bool connect_supervisor_is_up(struct connect_supervisor *s);
void connect_supervisor_get_health(struct connect_supervisor *s, struct connect_health *ret_health);

/* Interrupts waits, closes the connection, joins the thread. watch() and attempt() are waited for.
 */
void connect_supervisor_stop(struct connect_supervisor *s);

/* Stops it if need be; NULL is fine. */
void connect_supervisor_destroy(struct connect_supervisor *s);

#endif
