/* One request that a store answers, from the handler to the answer. A route is two small functions:
 *
 *	static void get_thing(struct http_request *rq, void *ctx)
 *	{
 *		struct api_call *call = api_call_begin(ctx, rq);
 *		if (call == NULL)
 *			return;
 *		bool ready = app_thing_get(api_call_op(call), http_param(rq, "id"));
 *		api_call_submit(call, ready, show_thing);
 *	}
 *
 *	static void show_thing(struct http_request *rq, const struct store_op *op,
 *		enum td_status status)
 *
 * Everything that routes have in common is done here: who asks (401 comes before every other
 * refusal), the deadline, repeated requests (Idempotency-Key), outcomes of the store as answers.
 *
 * Who owns what. A call and its operation live until two have let go of them: the request, which
 * does so when it has been answered, and the store, which does so in `release`. Either may be the
 * last: a store that hangs is answered 503 at the deadline and lets go much later. The request is
 * never touched after it was woken, and the operation is not read after TD_TIMEOUT. */
#ifndef TD_API_CALL_H
#define TD_API_CALL_H

#include "app/fault.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/http.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct api_call;
struct api_calls;

/* What all calls of a process share. NULL: no memory. Give it to api_calls_destroy(). */
struct api_calls *api_calls_create(
	const struct td_clock *clock, unsigned store_timeout_ms) TD_MUST_CHECK;

/* The store is there now; until then every call is answered 503. Any thread, once. */
void api_calls_set_store(struct api_calls *calls, struct store *store);

/* After the HTTP server has stopped; requests that it cut off let go here. The store may still hold
 * operations: what they need goes with the last of them. NULL is fine. */
void api_calls_destroy(struct api_calls *calls);

/* Makes the answer of one route out of TD_OK, TD_NOTFOUND, TD_EXISTS or TD_CONFLICT; every other
 * outcome, and what has a kept answer, is answered already. On an HTTP thread; must reply. */
typedef void api_render_fn(
	struct http_request *rq, const struct store_op *op, enum td_status status);

/* First in every handler whose route needs a key; `ctx` is the struct api_calls. NULL: the request
 * has been answered (no key, no store, no memory). Else exactly one of the functions below must
 * follow that ends the call. */
struct api_call *api_call_begin(void *ctx, struct http_request *rq) TD_MUST_CHECK;

/* The operation to prepare: it has its time and who asks. */
struct store_op *api_call_op(struct api_call *call);

/* Fills keep->on_ok and keep->on_exists, from the operation as it was prepared, in its arena.
 * False: no memory. */
typedef bool api_answers_fn(struct store_op *op, struct store_idempotency *keep);

/* For every POST, after the operation was prepared. With an Idempotency-Key the answers are made
 * before it runs, so that the store keeps them in the same transaction; without one nothing
 * happens. `route` is "POST /pattern", static. False: the call has ended (a malformed key, one that
 * is running, no memory). */
bool api_call_keep(struct api_call *call, const char *route, api_answers_fn *make) TD_MUST_CHECK;

/* Ends the call: hands the operation to the store where `ready`, else answers 503 (no memory). */
void api_call_submit(struct api_call *call, bool ready, api_render_fn *render);

/* Ends the call with a refusal, after the store has said that the caller's key is in force (else
 * 401). What `problem` points to must be static or in the request's arena. */
void api_call_refuse(struct api_call *call, const struct http_problem *problem);

/* As above with 422 `validation` and all faults. */
void api_call_refuse_faults(struct api_call *call, const struct app_faults *faults);

#endif
