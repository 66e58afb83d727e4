/* One HTTP request that others must work for before it can be answered: a store, the pool that
 * hashes passwords. It may take several steps, one after the other, with one deadline for all of
 * them. A route is a handler and a function for each step:
 *
 *	static void get_thing(struct http_request *rq, void *ctx)
 *	{
 *		struct call *call = call_begin(calls, rq, &thing_class);
 *		if (call != NULL)
 *			call_open(call, CALL_WITH_SESSION, find_thing);
 *	}
 *
 *	static void find_thing(struct call *call)
 *	{
 *		struct store_op *op = call_op(call, STORE_THING_GET);
 *		bool ready = op != NULL && app_thing_get(op, http_param(call->rq, "id"));
 *		call_submit(call, ready, show_thing);
 *	}
 *
 *	static void show_thing(struct call *call, const struct store_op *op, enum td_status status)
 *
 * or call_flow() in the place of the last two, for a use case of app/. Each step runs on an HTTP
 * thread, and either answers the request or does exactly one of the things that go on with it
 * (call_submit, call_flow); a call that does not go on has ended.
 *
 * Who owns what. A call and its operations live until all have let go of them: the request, which
 * does so when it has been answered (or was cut off, in calls_destroy), and the store and the pool,
 * which do so for each operation and hash in `release`. Any may be the last: a store that hangs is
 * answered 503 at the deadline and lets go much later. The request is never touched after it was
 * woken, and an operation is not read after TD_TIMEOUT. A flow and all that it points to may
 * live in the request's arena: who may outlive the request has copies. */
#ifndef TD_CALL_CALL_H
#define TD_CALL_CALL_H

#include "app/flow.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"
#include "http/http.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;
struct call_hash;
struct calls;

/* ---- what all calls of a process share
 * ----------------------------------------------------------------- */

struct calls_config {
	const struct td_clock *clock; /* borrowed until the last call has ended */
	unsigned store_timeout_ms;    /* one call, in all */
	bool has_test_clock;          /* the store's offset is added to the time */
	const char *public_url;       /* copied; NULL: unknown */
	bool hashes_passwords;        /* start the pool: a thread for each processor but one */
};

/* TD_NOMEM, TD_IO (no thread). Give it to calls_destroy(). */
enum td_status calls_create(const struct calls_config *config, struct calls **ret_calls,
	struct td_err *err) TD_MUST_CHECK;

/* The store is there now; until then every call is answered 503. Any thread, once. */
void calls_set_store(struct calls *calls, struct store *store);

/* The same for the event log, where there is one: what asks for EVENTS_LIST goes there. Before
 * calls_set_store(). */
void calls_set_event_log(struct calls *calls, struct store *store);
bool calls_has_event_log(const struct calls *calls);

/* Ends the pool, after what it hashes just now; what waits for it is not hashed any more. After the
 * HTTP server has stopped, before calls_destroy(); never at the same time as that. NULL is fine. */
void calls_stop(struct calls *calls);

/* After the HTTP server has stopped; requests that it cut off let go here. The store may still hold
 * operations: what they need goes with the last of them. NULL is fine. calls_tick() must not run
 * any more. */
void calls_destroy(struct calls *calls);

/* The deadlines of the pool; td_tick_fn's shape. */
void calls_tick(void *calls, uint64_t now_ms);

/* The pool's lanes, for metrics. Any thread. */
void calls_each_lane(struct calls *calls, store_lane_fn *fn, void *ctx);

/* Without its slash at the end; NULL: unknown. */
const char *calls_public_url(const struct calls *calls);
/* PUBLIC_URL is https: cookies are Secure, with the prefix __Host-. */
bool calls_is_https(const struct calls *calls);

/* ---- the test clock
 * ------------------------------------------------------------------------------------ */

bool calls_has_test_clock(const struct calls *calls);

/* The time as far as this process knows: of the last call, or of who told it. Any thread. */
int64_t calls_now_ms(const struct calls *calls);
void calls_note_offset(struct calls *calls, int64_t offset_ms);

/* http_answer_fn's shape: with the test clock every answer says so, in the header Test-Clock. */
void calls_sign_answer(struct http_request *rq, void *calls);

/* ---- one call
 * ------------------------------------------------------------------------------------------ */

/* What the layer above adds to a call. */
struct call_class {
	size_t size; /* of its struct, whose first member is the struct call; zeroed at first */
	/* Asked, on an HTTP thread, about an outcome that is not the rules' business: TD_DENIED,
	 * TD_MISMATCH, a kept answer that was replayed (TD_OK), TD_TIMEOUT and all failures. `op`
	 * is NULL where it must not be read, or where none was run. True: it has answered; else the
	 * answer is call_reply_failure()'s. NULL: nobody is asked. */
	bool (*answer)(struct call *call, const struct store_op *op, enum td_status status);
	/* The call goes: gives back what the layer above holds for it. Any thread. NULL: nothing.
	 */
	void (*end)(struct call *call);
};

typedef void call_step_fn(struct call *call);
/* `status` is TD_OK, TD_NOTFOUND, TD_EXISTS, TD_CONFLICT or TD_LIMITED; `op` lives as long as the
 * call. */
typedef void call_show_fn(struct call *call, const struct store_op *op, enum td_status status);
/* The flow has ended: its result, or `refused`. flow->op is its last operation, if it ran any. */
typedef void call_flow_fn(struct call *call, struct app_flow *flow);

/* Operations of one call, at most: a row that others change again and again ends in 503. */
#define CALL_OPS_MOST 64

struct call {
	/* For the layer above, once the call is open. */
	struct calls *calls;
	struct http_request *rq;
	int64_t now_ms;                       /* the time of all its operations */
	struct td_slice user_id;              /* who is signed in; a NULL pointer: nobody */
	uint8_t session_hash[TD_SHA256_SIZE]; /* of that session */
	bool has_offset;                      /* the test clock was set, */
	int64_t offset_ms;                    /* to this */
	struct store_auth auth; /* goes with every operation; set it before call_open(): a key */

	/* call.c's own. */
	const struct call_class *class;
	unsigned opening; /* of enum call_open_flags: what is still to be found out */
	bool waits;       /* somebody will wake it; the HTTP thread's */
	bool listed;
	atomic_uint refs; /* the request's, and one for each operation and hash that is out */
	uint64_t deadline_ms;
	enum td_status status; /* written by done, read by the continuation */
	struct store_op *ops[CALL_OPS_MOST];
	size_t op_count;
	struct call_hash *hashes; /* newest first */
	struct app_flow *flow;
	void (*step)(struct call *call);
	call_step_fn *opened;
	call_show_fn *show;
	call_flow_fn *ended;
	struct call *prev, *next; /* guarded by the lock of calls */
};

/* First in a handler. NULL: no memory, and the request has been answered. Else call_open() or
 * call_close() must follow. `class` is borrowed for ever. */
struct call *call_begin(
	struct calls *calls, struct http_request *rq, const struct call_class *class) TD_MUST_CHECK;

enum call_open_flags {
	CALL_WITH_SESSION = 1, /* find out who is signed in: the session's cookie */
};

/* Finds out what time it is (where there is a test clock), and who is signed in (where asked for;
 * nobody is an answer too). Then `then` runs: at once where nothing had to be asked. */
void call_open(struct call *call, unsigned flags, call_step_fn *then);

/* Instead of call_open(): the handler has answered. */
void call_close(struct call *call);

/* A fresh operation with the call's time. NULL: no memory; give call_submit() `ready` false. */
struct store_op *call_op(struct call *call, enum store_op_kind kind) TD_MUST_CHECK;

/* Hands the operation that call_op() gave last to the store where `ready`, else answers 503 (no
 * memory). */
void call_submit(struct call *call, bool ready, call_show_fn *show);

/* Drives a flow to its end, its hashing by the pool. The flow's arena becomes the request's, its
 * time the call's; actor, keeper and all that is the use case's are filled and begun before. */
void call_flow(struct call *call, struct app_flow *flow, call_flow_fn *ended);

#endif
