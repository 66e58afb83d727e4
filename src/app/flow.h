/* A use case that takes several operations of a store, one after the other: load, decide, write,
 * and again where somebody else was faster. It knows neither who drives it nor how they wait: an
 * HTTP request (call/call.h), a command or the sweeper (app_flow_run).
 *
 * A driver calls app_flow_next() with TD_OK to begin with. APP_NEXT_OP: it runs flow->op and calls
 * again with its outcome, but only where that is the rules' business (TD_OK, TD_NOTFOUND,
 * TD_EXISTS, TD_CONFLICT, TD_LIMITED) and nothing kept was replayed; every other outcome ends the
 * flow, which is not called again. APP_NEXT_HASH: it does flow->hash and calls again with TD_OK.
 * APP_NEXT_DONE: flow->status is TD_OK, and the result is what the flow's own struct says, or
 * `refused`; or how it failed (TD_NOMEM; TD_CORRUPT with flow->op->err), and where flow->op is not
 * what was run last the driver frees it.
 *
 * Memory. A flow and what it points to live in its driver's arena until its end. Operations are the
 * driver's: it keeps all of them until the flow has ended, since results point into their arenas.
 * Any thread, one at a time. */
#ifndef TD_APP_FLOW_H
#define TD_APP_FLOW_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/problem.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct app_flow;

enum app_next {
	APP_NEXT_OP,
	APP_NEXT_HASH,
	APP_NEXT_DONE,
};

typedef enum app_next app_step_fn(struct app_flow *flow, enum td_status status);

/* Answers that are kept for a repeated request. NULL in a flow: nothing is kept. */
struct app_keeper {
	/* Fills caller, route, key, fingerprint and expires_at, in the operation's arena. False: no
	 * memory. */
	bool (*identify)(void *ctx, struct store_op *op, struct store_idempotency *keep);
	/* The answer to the flow's result (or refusal) as it stands, in `arena`. False: no memory.
	 */
	bool (*render)(const struct app_flow *flow, struct td_arena *arena,
		struct store_answer *ret_answer);
	void *ctx;
};

/* Work for a processor, not for a store: see app/password.h. */
struct app_hash_job {
	bool verifies;            /* else it makes one */
	struct td_slice password; /* borrowed from the flow's input */
	struct td_slice hash;     /* what to verify against; NULL pointer: a dummy, which fails */
	size_t memory;            /* bytes that one takes which is made now */
	bool matches;             /* verified */
	char made[128];           /* made; its text. Verified: made anew, where the hash is of other
				   * parameters than it would have now; else "" */
	enum td_status status;    /* TD_OK, TD_NOMEM */
};

struct app_flow {
	app_step_fn *step;
	struct td_arena *arena;
	int64_t now_ms;
	struct td_slice actor; /* "user"; a NULL pointer: the store writes the API key's name */
	const struct app_keeper *keeper;

	struct store_op *op; /* to be run, or that just ran; the driver's */
	struct app_hash_job hash;

	enum td_status status;
	bool refused;
	enum td_problem problem; /* where refused */
	const char *detail;      /* a sentence, static or in the arena */
	int64_t retry_ms;        /* of TD_PROBLEM_TOO_MANY_REQUESTS */
};

/* The next thing to do. */
enum app_next app_flow_next(struct app_flow *flow, enum td_status status);

/* ---- for flows */

/* Makes flow->op a fresh operation with the flow's time. False: no memory. */
bool app_flow_op(struct app_flow *flow, enum store_op_kind kind) TD_MUST_CHECK;

/* Lets flow->op keep the answer to the flow's result as it stands, where there is a keeper. False:
 * no memory. */
bool app_flow_keep(struct app_flow *flow) TD_MUST_CHECK;

/* Ends the flow, or goes on with what is the way to its end. */
enum app_next app_flow_done(struct app_flow *flow);
enum app_next app_flow_fail(struct app_flow *flow, enum td_status status);
enum app_next app_flow_no_memory(struct app_flow *flow);

/* A refusal is an answer of the rules: with a keeper it is kept first (ANSWER_KEEP), and the step
 * after that must be app_flow_done(). */
enum app_next app_flow_refuse(struct app_flow *flow, enum td_problem problem, const char *detail);

/* ---- without HTTP */

/* Drives a flow to its end with blocking calls; for commands, the sweeper and tests. TD_OK: the
 * flow has ended as said above; else how its last operation ended, with `err`. The operations are
 * kept in *ops, to be given to app_flow_ops_free(). */
struct app_flow_ops {
	struct store_op *list[64];
	size_t count;
};
enum td_status app_flow_run(struct app_flow *flow, struct store *store, uint64_t deadline_ms,
	struct app_flow_ops *ops, struct td_err *err) TD_MUST_CHECK;
void app_flow_ops_free(struct app_flow_ops *ops);

#endif
