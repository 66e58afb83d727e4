/* What the routes of the JSON API share beyond call/call.h: who asks (401 comes before every other
 * refusal), repeated requests (Idempotency-Key), outcomes as problems. A route:
 *
 *	static void get_thing(struct http_request *rq, void *ctx)
 *	{
 *		api_call_begin(ctx, rq, API_KEYS, find_thing);
 *	}
 *
 *	static void find_thing(struct api_call *call)
 *	{
 *		struct store_op *op = api_call_op(call, STORE_THING_GET);
 *		bool ready = op != NULL && app_thing_get(op, http_param(api_call_rq(call), "id"));
 *		api_call_submit(call, ready, show_thing);
 *	}
 *
 *	static void show_thing(struct http_request *rq, const struct store_op *op,
 *		enum td_status status)
 *
 * Who owns what: as in call/call.h. */
#ifndef TD_API_CALL_H
#define TD_API_CALL_H

#include "app/fault.h"
#include "app/flow.h"
#include "base/buf.h"
#include "call/call.h"
#include "catalogue/snapshot.h"
#include "http/http.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct api_call;
struct api_calls;

/* What all calls of the API share. `calls` is borrowed until the last of them has ended; `holder`
 * too, or NULL where no route needs packages. NULL: no memory. Give it to api_calls_destroy(). */
struct api_calls *api_calls_create(
	struct calls *calls, struct catalogue_holder *holder) TD_MUST_CHECK;

/* After the HTTP server has stopped; what calls that were cut off need goes with the last of them.
 * NULL is fine. */
void api_calls_destroy(struct api_calls *api);

/* ---- beginning
 * ----------------------------------------------------------------------------------------- */

/* Who may ask. */
enum api_callers {
	API_KEYS,             /* whoever has a key */
	API_KEYS_AND_SESSIONS /* users with a session too: their own data only */
};

typedef void api_step_fn(struct api_call *call);

/* All that a handler does; `ctx` is the struct api_calls. `start` runs when it is known who asks
 * (of a key the store says later whether it is in force), and must end in exactly one of the
 * functions below that end a call. */
void api_call_begin(
	void *ctx, struct http_request *rq, enum api_callers callers, api_step_fn *start);

struct http_request *api_call_rq(const struct api_call *call);
struct call *api_call_base(struct api_call *call);

/* Who is signed in; a NULL pointer: the caller has a key. */
struct td_slice api_call_user(const struct api_call *call);

/* False: the caller has a session, and this is another user. */
bool api_call_may_see(const struct api_call *call, struct td_slice user_id);

/* The catalogue as it is served; the call's until its end. NULL: there is none yet. */
const struct catalogue_snapshot *api_call_catalogue(struct api_call *call);

/* ---- one operation
 * ------------------------------------------------------------------------------------- */

/* Makes the answer of one route out of TD_OK, TD_NOTFOUND, TD_EXISTS or TD_CONFLICT; every other
 * outcome, and what has a kept answer, is answered already. On an HTTP thread; must reply. */
typedef void api_render_fn(
	struct http_request *rq, const struct store_op *op, enum td_status status);

/* The operation to prepare: it has its time and who asks. NULL: no memory. */
struct store_op *api_call_op(struct api_call *call, enum store_op_kind kind) TD_MUST_CHECK;

/* Fills keep->on_ok and keep->on_exists, from the operation as it was prepared, in its arena.
 * False: no memory. */
typedef bool api_answers_fn(struct store_op *op, struct store_idempotency *keep);

/* Lets the operation keep its answers, which are made before it runs, where the request has an
 * Idempotency-Key (api_call_once). False: no memory. */
bool api_call_keep(struct api_call *call, struct store_op *op, api_answers_fn *make) TD_MUST_CHECK;

/* Ends the call: hands the operation to the store where `ready`, else answers 503 (no memory). */
void api_call_submit(struct api_call *call, bool ready, api_render_fn *render);

/* ---- repeated requests
 * --------------------------------------------------------------------------------- */

/* For every POST, after its body was checked: reads the Idempotency-Key. `route` is "POST
 * /pattern", static. False: the call has ended (a malformed key, one that is running, no memory).
 */
bool api_call_once(struct api_call *call, const char *route) TD_MUST_CHECK;

/* ---- a use case
 * ---------------------------------------------------------------------------------------- */

struct api_answer {
	unsigned status;
	struct td_buf body;
	const char *location; /* in the arena; NULL: none */
};

/* Makes the answer to a flow's result (refusals are made already). False: no memory. */
typedef bool api_make_fn(
	const struct app_flow *flow, struct td_arena *arena, struct api_answer *ret_answer);

/* Ends the call: runs the flow, which has all but arena, time, actor and keeper, and has begun. */
void api_call_flow(struct api_call *call, struct app_flow *flow, api_make_fn *make);

/* ---- refusals
 * ------------------------------------------------------------------------------------------ */

/* Ends the call with a refusal, after the store has said that the caller's key is in force (else
 * 401). What `problem` points to must be static or in the request's arena. */
void api_call_refuse(struct api_call *call, const struct http_problem *problem);

/* As above with 422 `validation` and all faults. */
void api_call_refuse_faults(struct api_call *call, const struct app_faults *faults);

/* As above with an answer of the rules, which is kept where the request has an Idempotency-Key. */
void api_call_refuse_kept(struct api_call *call, const struct http_problem *problem);

#endif
