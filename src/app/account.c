/* Flows that stand inside another one (signing in, subscribing) are driven by it: the outer flow
 * hands their operations and hashes on and goes on where they end.
 *
 *	checkout: hash ─► CHECKOUT ── ok ──► done
 *	                     └─ exists ─► sign in ─► subscribe ─► done
 *	sign in:  THROTTLE_TAKE ─► LOGIN_GET ─► verify ─► SESSION_CREATE ─► done
 *	                               └──── another password meanwhile, once
 *	reset:    RESET_GET ─► hash ─► RESET_USE ─► SESSION_CREATE ─► done
 */
#include "app/account.h"

#include "app/session.h"
#include "app/text.h"
#include "base/utf8.h"

static enum app_next go_on(struct app_flow *flow, bool ready, app_step_fn *step)
{
	flow->step = step;
	return ready ? APP_NEXT_OP : app_flow_no_memory(flow);
}

static void begin_inside(struct app_flow *inner, const struct app_flow *outer)
{
	*inner = (struct app_flow){
		.arena = outer->arena, .now_ms = outer->now_ms, .actor = outer->actor};
}

/* The next thing of the inner flow, as the outer's; APP_NEXT_DONE: the inner one has ended. */
static enum app_next go_inside(struct app_flow *flow, struct app_flow *inner, enum td_status status)
{
	inner->hash = flow->hash;
	enum app_next next = app_flow_next(inner, status);
	flow->op = inner->op;
	flow->hash = inner->hash;
	return next;
}

/* Ends the outer flow as the inner one has ended. */
static enum app_next end_like(struct app_flow *flow, const struct app_flow *inner)
{
	if (inner->status != TD_OK)
		return app_flow_fail(flow, inner->status);
	flow->retry_ms = inner->retry_ms;
	return inner->refused ? app_flow_refuse(flow, inner->problem, inner->detail)
			      : app_flow_done(flow);
}

/* ---- sessions
 * ------------------------------------------------------------------------------------------- */

static void put_session(struct store_op *op, const struct app_new_session *session,
	struct td_slice user_id, int64_t now_ms)
{
	struct store_session *row = &op->in.session;
	memcpy(row->hash, session->hash, sizeof(row->hash));
	memcpy(op->in.old_hash, session->old_hash, sizeof(op->in.old_hash));
	row->user_id = td_arena_slice(&op->arena, user_id);
	row->created_at = now_ms;
	row->expires_at = now_ms + session->ttl_ms;
}

/* For who has shown the password with this hash: where another is set meanwhile, none begins. */
static bool prepare_session(struct app_flow *flow, const struct app_new_session *session,
	struct td_slice user_id, struct td_slice password_hash)
{
	if (!app_flow_op(flow, STORE_SESSION_CREATE))
		return false;
	put_session(flow->op, session, user_id, flow->now_ms);
	flow->op->in.password_hash = td_arena_slice(&flow->op->arena, password_hash);
	return !flow->op->arena.failed;
}

/* ---- throttles
 * ------------------------------------------------------------------------------------------ */

static struct td_slice trim_email(struct td_slice email)
{
	return td_utf8_is_valid(email) ? app_text_trim(email) : email;
}

/* The address itself is not kept: only that somebody tried it. */
static struct td_slice account_subject(struct td_arena *arena, struct td_slice email)
{
	uint8_t digest[TD_SHA256_SIZE];
	char hex[TD_SHA256_TEXT_SIZE];
	char *lower = td_arena_strndup(arena, email.ptr, email.len);
	if (lower == NULL)
		return td_slice(NULL, 0);
	for (size_t i = 0; i < email.len; i++) {
		if (lower[i] >= 'A' && lower[i] <= 'Z')
			lower[i] = (char)(lower[i] + ('a' - 'A'));
	}
	td_sha256(td_slice(lower, email.len), digest);
	td_hex(digest, sizeof(digest), hex);
	return td_slice_str(td_arena_printf(arena, "account:%s", hex));
}

/* Of an account, and of an address where there is one. */
static bool put_throttles(struct store_op *op, struct td_slice email, struct td_slice address)
{
	struct store_throttle *list = td_arena_array(&op->arena, 2, sizeof(*list));
	if (list == NULL)
		return false;
	list[0] = (struct store_throttle){
		account_subject(&op->arena, trim_email(email)), APP_THROTTLE_ACCOUNT};
	list[1] = (struct store_throttle){.limit = APP_THROTTLE_ADDRESS};
	if (address.len > 0)
		list[1].subject = td_slice_str(
			td_arena_printf(&op->arena, "address:%.*s", TD_SLICE_ARG(address)));
	op->in.throttles = list;
	op->in.throttle_count = address.len > 0 ? 2 : 1;
	op->in.window_ms = APP_THROTTLE_WINDOW_MS;
	return !op->arena.failed;
}

/* ---- signing in
 * ----------------------------------------------------------------------------------------- */

static struct app_sign_in *sign_in_of(struct app_flow *flow)
{
	return TD_CONTAINER_OF(flow, struct app_sign_in, flow);
}

static enum app_next refuse_sign_in(struct app_flow *flow)
{
	return app_flow_refuse(flow, TD_PROBLEM_UNAUTHORIZED,
		"The e-mail address and the password do not belong together.");
}

static enum app_next sign_in_look(struct app_flow *flow);

/* Another password was set while this one was verified: it is verified against that one. */
static enum app_next sign_in_created(struct app_flow *flow, enum td_status status)
{
	struct app_sign_in *s = sign_in_of(flow);
	if (status == TD_OK)
		return app_flow_done(flow);
	if (s->looked_again)
		return refuse_sign_in(flow);
	s->looked_again = true;
	return sign_in_look(flow);
}

static bool prepare_sign_in(struct app_flow *flow)
{
	const struct app_sign_in *s = sign_in_of(flow);
	struct td_slice renewed = td_slice_str(flow->hash.made);
	if (!prepare_session(flow, &s->session, s->user_id, flow->hash.hash))
		return false;
	if (renewed.len > 0)
		flow->op->in.renewed_hash = td_arena_slice(&flow->op->arena, renewed);
	return put_throttles(flow->op, s->email, s->address);
}

static enum app_next sign_in_verified(struct app_flow *flow, enum td_status status)
{
	(void)status;
	if (flow->hash.status != TD_OK)
		return app_flow_no_memory(flow);
	if (!flow->hash.matches)
		return refuse_sign_in(flow);
	return go_on(flow, prepare_sign_in(flow), sign_in_created);
}

/* An account that is not there, or has no password, is checked against nothing: for as long. */
static enum app_next sign_in_found(struct app_flow *flow, enum td_status status)
{
	struct app_sign_in *s = sign_in_of(flow);
	bool found = status == TD_OK;
	if (found)
		s->user_id = flow->op->out.user.id;
	flow->hash = (struct app_hash_job){
		.verifies = true,
		.password = s->password,
		.hash = found ? flow->op->out.password_hash : td_slice(NULL, 0),
		.memory = s->memory,
	};
	flow->step = sign_in_verified;
	return APP_NEXT_HASH;
}

static enum app_next sign_in_look(struct app_flow *flow)
{
	if (!app_flow_op(flow, STORE_LOGIN_GET))
		return app_flow_no_memory(flow);
	flow->op->in.user.email = td_arena_slice(
		&flow->op->arena, trim_email(sign_in_of(flow)->email));
	return go_on(flow, !flow->op->arena.failed, sign_in_found);
}

static enum app_next sign_in_taken(struct app_flow *flow, enum td_status status)
{
	if (status == TD_LIMITED) {
		flow->retry_ms = flow->op->out.retry_ms;
		return app_flow_refuse(flow, TD_PROBLEM_TOO_MANY_REQUESTS,
			"There were too many tries with a wrong password.");
	}
	return sign_in_look(flow);
}

/* Counted before it is verified, so that tries at the same time count too; success takes it back.
 */
static enum app_next sign_in_take(struct app_flow *flow, enum td_status status)
{
	struct app_sign_in *s = sign_in_of(flow);
	(void)status;
	return go_on(flow,
		app_flow_op(flow, STORE_THROTTLE_TAKE) &&
			put_throttles(flow->op, s->email, s->address),
		sign_in_taken);
}

void app_sign_in_begin(struct app_sign_in *sign_in)
{
	sign_in->looked_again = false;
	sign_in->flow.step = sign_in_take;
}

/* ---- checkout
 * ------------------------------------------------------------------------------------------- */

static struct app_checkout *checkout_of(struct app_flow *flow)
{
	return TD_CONTAINER_OF(flow, struct app_checkout, flow);
}

static enum app_next checkout_subscribing(struct app_flow *flow, enum td_status status)
{
	struct app_checkout *c = checkout_of(flow);
	struct app_flow *inner = &c->selling.flow;
	enum app_next next = go_inside(flow, inner, status);
	if (next != APP_NEXT_DONE)
		return next;
	c->result = c->selling.result;
	c->written = c->selling.written;
	if (inner->refused && inner->problem == TD_PROBLEM_ALREADY_SUBSCRIBED)
		return app_flow_done(flow);
	return end_like(flow, inner);
}

static enum app_next checkout_signing_in(struct app_flow *flow, enum td_status status)
{
	struct app_checkout *c = checkout_of(flow);
	struct app_flow *inner = &c->sign_in.flow;
	enum app_next next = go_inside(flow, inner, status);
	if (next != APP_NEXT_DONE)
		return next;
	if (inner->refused && inner->problem == TD_PROBLEM_UNAUTHORIZED)
		return app_flow_refuse(flow, TD_PROBLEM_EMAIL_TAKEN,
			"This e-mail address has an account with another password.");
	if (inner->refused || inner->status != TD_OK)
		return end_like(flow, inner);
	c->selling = (struct app_selling){
		.verb = APP_SUBSCRIBE,
		.user_id = c->sign_in.user_id,
		.package = c->package,
		.cycle = c->cycle,
	};
	begin_inside(&c->selling.flow, flow);
	app_selling_begin(&c->selling);
	flow->step = checkout_subscribing;
	return checkout_subscribing(flow, TD_OK);
}

static enum app_next checkout_written(struct app_flow *flow, enum td_status status)
{
	struct app_checkout *c = checkout_of(flow);
	if (status == TD_OK) {
		c->result = c->change.row;
		c->written = true;
		return app_flow_done(flow);
	}
	if (status == TD_NOTFOUND)
		return app_flow_refuse(flow, TD_PROBLEM_PACKAGE_NOT_FOUND,
			"No package with this slug is on offer any more.");
	c->sign_in = (struct app_sign_in){
		.email = c->form->email,
		.password = c->password,
		.address = c->address,
		.session = c->session,
		.memory = c->memory,
	};
	begin_inside(&c->sign_in.flow, flow);
	app_sign_in_begin(&c->sign_in);
	flow->step = checkout_signing_in;
	return checkout_signing_in(flow, TD_OK);
}

static bool prepare_checkout(struct app_checkout *c)
{
	struct app_flow *flow = &c->flow;
	if (!app_flow_op(flow, STORE_CHECKOUT))
		return false;
	struct store_op *op = flow->op;
	if (!app_user_fill(op, c->form))
		return false;
	op->in.password_hash = td_arena_slice(&op->arena, td_slice_str(flow->hash.made));
	put_session(op, &c->session, op->in.user.id, flow->now_ms);
	enum app_rule rule = app_subscription_start(&c->change, flow->arena, op->in.user.id,
		c->package, c->cycle, flow->now_ms, flow->actor);
	return rule == APP_RULE_OK && app_flow_put_change(op, &c->change);
}

static enum app_next checkout_hashed(struct app_flow *flow, enum td_status status)
{
	struct app_checkout *c = checkout_of(flow);
	(void)status;
	return go_on(flow, flow->hash.status == TD_OK && prepare_checkout(c), checkout_written);
}

static enum app_next checkout_hash(struct app_flow *flow, enum td_status status)
{
	struct app_checkout *c = checkout_of(flow);
	(void)status;
	flow->hash = (struct app_hash_job){.password = c->password, .memory = c->memory};
	flow->step = checkout_hashed;
	return APP_NEXT_HASH;
}

void app_checkout_begin(struct app_checkout *checkout)
{
	checkout->written = false;
	checkout->flow.step = checkout_hash;
}

/* ---- signing out
 * ---------------------------------------------------------------------------------------- */

static enum app_next sign_out_ended(struct app_flow *flow, enum td_status status)
{
	(void)status;
	return app_flow_done(flow);
}

static enum app_next sign_out_end(struct app_flow *flow, enum td_status status)
{
	const struct app_sign_out *s = TD_CONTAINER_OF(flow, struct app_sign_out, flow);
	(void)status;
	if (!app_flow_op(flow, STORE_SESSION_END))
		return app_flow_no_memory(flow);
	memcpy(flow->op->in.session.hash, s->hash, sizeof(s->hash));
	return go_on(flow, true, sign_out_ended);
}

void app_sign_out_begin(struct app_sign_out *sign_out)
{
	sign_out->flow.step = sign_out_end;
}

/* ---- another password
 * ------------------------------------------------------------------------------------ */

static struct app_reset *reset_of(struct app_flow *flow)
{
	return TD_CONTAINER_OF(flow, struct app_reset, flow);
}

static enum app_next refuse_reset(struct app_flow *flow)
{
	return app_flow_refuse(flow, TD_PROBLEM_NOT_FOUND,
		"The link was used, has expired, or a later one has taken its place.");
}

static bool prepare_reset(struct app_flow *flow, enum store_op_kind kind)
{
	const struct app_reset *r = reset_of(flow);
	if (!app_flow_op(flow, kind))
		return false;
	memcpy(flow->op->in.session.hash, r->token_hash, sizeof(r->token_hash));
	return true;
}

static enum app_next reset_signed_in(struct app_flow *flow, enum td_status status)
{
	reset_of(flow)->signed_in = status == TD_OK;
	return app_flow_done(flow);
}

/* Tries that somebody else made must not keep the owner out. */
static enum app_next reset_used(struct app_flow *flow, enum td_status status)
{
	struct app_reset *r = reset_of(flow);
	if (status != TD_OK)
		return refuse_reset(flow);
	return go_on(flow,
		prepare_session(flow, &r->session, r->user_id, td_slice_str(flow->hash.made)) &&
			put_throttles(flow->op, r->email, td_slice(NULL, 0)),
		reset_signed_in);
}

static enum app_next reset_hashed(struct app_flow *flow, enum td_status status)
{
	(void)status;
	if (flow->hash.status != TD_OK || !prepare_reset(flow, STORE_RESET_USE))
		return app_flow_no_memory(flow);
	flow->op->in.password_hash = td_arena_slice(
		&flow->op->arena, td_slice_str(flow->hash.made));
	return go_on(flow, !flow->op->arena.failed, reset_used);
}

/* A forged link is refused before anything is hashed. */
static enum app_next reset_found(struct app_flow *flow, enum td_status status)
{
	struct app_reset *r = reset_of(flow);
	if (status != TD_OK)
		return refuse_reset(flow);
	r->user_id = flow->op->out.user.id;
	r->email = flow->op->out.user.email;
	if (r->password.ptr == NULL)
		return app_flow_done(flow);
	flow->hash = (struct app_hash_job){.password = r->password, .memory = r->memory};
	flow->step = reset_hashed;
	return APP_NEXT_HASH;
}

static enum app_next reset_look(struct app_flow *flow, enum td_status status)
{
	(void)status;
	return go_on(flow, prepare_reset(flow, STORE_RESET_GET), reset_found);
}

void app_reset_begin(struct app_reset *reset)
{
	reset->signed_in = false;
	reset->flow.step = reset_look;
}

bool app_reset_create(struct store_op *op, struct td_slice email, struct td_slice token)
{
	op->kind = STORE_RESET_CREATE;
	op->in.user.email = td_arena_slice(&op->arena, trim_email(email));
	app_token_hash(token, op->in.session.hash);
	op->in.session.created_at = op->now_ms;
	op->in.session.expires_at = op->now_ms + APP_RESET_TTL_MS;
	return !op->arena.failed;
}

/* ---- looking
 * -------------------------------------------------------------------------------------------- */

static struct app_overview *overview_of(struct app_flow *flow)
{
	return TD_CONTAINER_OF(flow, struct app_overview, flow);
}

static enum app_next overview_history(struct app_flow *flow, enum td_status status)
{
	struct app_flow *inner = &overview_of(flow)->history.flow;
	enum app_next next = go_inside(flow, inner, status);
	return next == APP_NEXT_DONE ? end_like(flow, inner) : next;
}

static enum app_next overview_user(struct app_flow *flow, enum td_status status)
{
	struct app_overview *o = overview_of(flow);
	if (status != TD_OK)
		return app_flow_refuse(
			flow, TD_PROBLEM_USER_NOT_FOUND, "There is no such user any more.");
	o->user = flow->op->out.user;
	o->history = (struct app_history){
		.user_id = o->user_id,
		.limit = o->history_limit,
		.before_seq = o->before_seq,
		.log = o->log,
	};
	begin_inside(&o->history.flow, flow);
	app_history_begin(&o->history);
	flow->step = overview_history;
	return overview_history(flow, TD_OK);
}

static enum app_next overview_look(struct app_flow *flow, enum td_status status)
{
	(void)status;
	return go_on(flow,
		app_flow_op(flow, STORE_USER_GET) &&
			app_user_get(flow->op, overview_of(flow)->user_id),
		overview_user);
}

void app_overview_begin(struct app_overview *overview)
{
	overview->flow.step = overview_look;
}

/* ---- confirming
 * ----------------------------------------------------------------------------------------- */

static struct app_confirm *confirm_of(struct app_flow *flow)
{
	return TD_CONTAINER_OF(flow, struct app_confirm, flow);
}

static bool is_reached(const struct app_selling *wish, const struct store_subscription *row)
{
	bool live = store_status_is_live(row->status);
	const struct store_pending *pending = &row->pending;
	switch (wish->verb) {
	case APP_SWITCH:
		if (wish->when == APP_NOW)
			return live && row->cycle == wish->cycle &&
			       td_slice_equal(row->package.id, wish->package->id);
		return live && pending->action == STORE_PENDING_CHANGE &&
		       pending->cycle == wish->cycle &&
		       td_slice_equal(pending->package.id, wish->package->id);
	case APP_CANCEL:
		return !live || (wish->when == APP_PERIOD_END && row->cancel_at_period_end);
	case APP_RESUME:
		return live && pending->action == STORE_PENDING_NONE;
	case APP_SUBSCRIBE:
		break;
	}
	return false;
}

static enum app_next confirm_doing(struct app_flow *flow, enum td_status status)
{
	struct app_flow *inner = &confirm_of(flow)->selling.flow;
	enum app_next next = go_inside(flow, inner, status);
	return next == APP_NEXT_DONE ? end_like(flow, inner) : next;
}

static enum app_next confirm_do(struct app_flow *flow)
{
	struct app_confirm *c = confirm_of(flow);
	begin_inside(&c->selling.flow, flow);
	app_selling_begin(&c->selling);
	flow->step = confirm_doing;
	return confirm_doing(flow, TD_OK);
}

static enum app_next confirm_loaded(struct app_flow *flow, enum td_status status)
{
	struct app_confirm *c = confirm_of(flow);
	if (status != TD_OK || flow->op->out.subscription_count == 0)
		return confirm_do(flow); /* which refuses */
	struct store_subscription row = flow->op->out.subscriptions[0];
	app_subscription_view(&row, flow->now_ms);
	bool is_same = td_slice_equal(row.id, c->seen_id);
	if (is_same && row.version == c->seen_version)
		return confirm_do(flow);
	c->stale = !is_same || !is_reached(&c->selling, &row);
	return app_flow_done(flow);
}

static enum app_next confirm_look(struct app_flow *flow, enum td_status status)
{
	const struct app_confirm *c = confirm_of(flow);
	(void)status;
	if (c->seen_version == 0)
		return confirm_do(flow);
	return go_on(flow, app_flow_load(flow, c->selling.user_id), confirm_loaded);
}

void app_confirm_begin(struct app_confirm *confirm)
{
	confirm->stale = false;
	confirm->flow.step = confirm_look;
}
