/* Signing in: passwords, sessions, the links that reset a password, and how often somebody may try.
 * Each but the look-ups is an operation with a transaction for itself; none needs a mark, since
 * each has a row of its own to be recognised by, or may be done twice. */
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_sql.h"

#define USER_COLUMNS \
	"u.id, u.email, u.first_name, u.last_name, u.company, u.created_at, u.updated_at"

/* 32 bytes as a parameter for decode(…, 'hex'). */
static const char *hex_of(struct td_arena *arena, const uint8_t hash[TD_SHA256_SIZE])
{
	char hex[TD_SHA256_TEXT_SIZE];
	td_hex(hash, TD_SHA256_SIZE, hex);
	return td_arena_strndup(arena, hex, sizeof(hex) - 1);
}

static const char *text_or_null(struct td_arena *arena, struct td_slice text)
{
	return text.ptr != NULL ? pg_sql_text(arena, text) : NULL;
}

/* ---- looking up
 * ---------------------------------------------------------------------------------------- */

static struct td_slice key_session(struct store_op *op)
{
	return td_slice((const char *)op->auth.hash, TD_SHA256_SIZE);
}

static void give_session(struct pg_store *s, const PGresult *r, int row, struct pg_task *t)
{
	(void)s;
	if (pg_time(r, row, 2) <= t->op->now_ms)
		return;
	t->op->caller.user_id = pg_text(r, row, 1, &t->op->arena);
	t->outcome = t->op->arena.failed ? TD_NOMEM : TD_OK;
}

const struct pg_read_kind pg_session_get = {
	.statement = PG_STMT_SESSIONS_BY_HASH,
	.key_type = PG_BYTEA,
	.key = key_session,
	.give = give_session,
	.absent = TD_DENIED,
};

static void give_login(struct pg_store *s, const PGresult *r, int row, struct pg_task *t)
{
	t->outcome = pg_user(s, r, row, 1, &t->op->arena, &t->op->out.user);
	t->op->out.password_hash = pg_text(r, row, 8, &t->op->arena);
	if (t->op->arena.failed)
		t->outcome = TD_NOMEM;
}

const struct pg_read_kind pg_login_get = {
	.statement = PG_STMT_LOGINS_BY_EMAIL,
	.key_type = PG_TEXT,
	.key = pg_key_email,
	.give = give_login,
	.absent = TD_NOTFOUND,
};

/* A result with the columns of a user, or no row. */
static enum td_status take_user(struct pg_lane *l, const PGresult *r, struct store_op *op)
{
	if (PQntuples(r) == 0)
		return TD_NOTFOUND;
	return pg_user(l->store, r, 0, 0, &op->arena, &op->out.user);
}

enum td_status pg_reset_get(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	const char *params[] = {
		hex_of(&op->arena, op->in.session.hash), pg_sql_time(&op->arena, op->now_ms)};
	PGresult *r = NULL;
	enum td_status status = pg_sql_run(l, limit,
		"SELECT " USER_COLUMNS " FROM password_resets p JOIN users u ON u.id = p.user_id"
		" WHERE p.hash = decode($1, 'hex') AND p.expires_at > $2::timestamptz",
		params, TD_ARRAY_LEN(params), &r, &op->err);
	if (status == TD_OK)
		status = take_user(l, r, op);
	PQclear(r);
	return status;
}

/* ---- sessions
 * ------------------------------------------------------------------------------------------ */

/* The user's row is locked: whoever sets another password waits for the session, and then ends it
 * too; or was faster, and the hash is another. */
static enum td_status insert_session(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, bool *ret_there, struct td_err *err)
{
	const struct store_session *s = &op->in.session;
	const char *params[] = {hex_of(&op->arena, s->hash), pg_sql_text(&op->arena, s->user_id),
		pg_sql_time(&op->arena, s->created_at), pg_sql_time(&op->arena, s->expires_at),
		text_or_null(&op->arena, op->in.password_hash)};
	return pg_sql_finds(l, limit,
		"WITH u AS (SELECT id FROM users WHERE id = $2"
		" AND password_hash IS NOT DISTINCT FROM $5::text FOR NO KEY UPDATE),"
		" made AS (INSERT INTO sessions (hash, user_id, created_at, expires_at)"
		" SELECT decode($1, 'hex'), id, $3::timestamptz, $4::timestamptz FROM u"
		" ON CONFLICT DO NOTHING) SELECT id FROM u",
		params, TD_ARRAY_LEN(params), ret_there, err);
}

static enum td_status delete_session(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, const uint8_t hash[TD_SHA256_SIZE], struct td_err *err)
{
	const char *params[] = {hex_of(&op->arena, hash)};
	bool found;
	return pg_sql_finds(l, limit, "DELETE FROM sessions WHERE hash = decode($1, 'hex')", params,
		TD_ARRAY_LEN(params), &found, err);
}

static enum td_status renew_password(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, struct td_err *err)
{
	const char *params[] = {pg_sql_text(&op->arena, op->in.session.user_id),
		pg_sql_text(&op->arena, op->in.renewed_hash)};
	bool found;
	return pg_sql_finds(l, limit, "UPDATE users SET password_hash = $2 WHERE id = $1", params,
		TD_ARRAY_LEN(params), &found, err);
}

/* The first is forgotten, the others count one less. */
static enum td_status give_back(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, struct td_err *err)
{
	enum td_status status = TD_OK;
	bool found;
	for (size_t i = 0; i < op->in.throttle_count && status == TD_OK; i++) {
		const char *params[] = {pg_sql_text(&op->arena, op->in.throttles[i].subject)};
		status = pg_sql_finds(l, limit,
			i == 0 ? "DELETE FROM throttles WHERE subject = $1"
			       : "UPDATE throttles SET count = count - 1"
				 " WHERE subject = $1 AND count > 0",
			params, TD_ARRAY_LEN(params), &found, err);
	}
	return status;
}

static enum td_status run_session_create(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	static const uint8_t none[TD_SHA256_SIZE];
	struct store_op *op = t->op;
	bool there = false;
	enum td_status status = insert_session(l, limit, op, &there, err);
	t->outcome = there ? TD_OK : TD_NOTFOUND;
	if (status == TD_OK && there && op->in.renewed_hash.ptr != NULL)
		status = renew_password(l, limit, op, err);
	if (status == TD_OK && there && memcmp(op->in.old_hash, none, sizeof(none)) != 0)
		status = delete_session(l, limit, op, op->in.old_hash, err);
	if (status == TD_OK && there)
		status = give_back(l, limit, op, err);
	return status;
}

static enum td_status run_session_end(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	t->outcome = TD_OK;
	return delete_session(l, limit, t->op, t->op->in.session.hash, err);
}

const struct pg_write_kind pg_session_create = {.run = run_session_create, .unmarked = true};
const struct pg_write_kind pg_session_end = {.run = run_session_end, .unmarked = true};

/* ---- how often
 * ----------------------------------------------------------------------------------------- */

static enum td_status take_one(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *t, const struct store_throttle *throttle, struct td_err *err)
{
	struct store_op *op = t->op;
	const char *params[] = {pg_sql_text(&op->arena, throttle->subject),
		pg_sql_time(&op->arena, op->now_ms),
		pg_sql_time(&op->arena, op->now_ms + op->in.window_ms)};
	PGresult *r = NULL;
	enum td_status status = pg_sql_ask(l, limit,
		"INSERT INTO throttles AS t (subject, count, expires_at)"
		" VALUES ($1, 1, $3::timestamptz) ON CONFLICT (subject) DO UPDATE SET"
		" count = CASE WHEN t.expires_at <= $2::timestamptz THEN 1 ELSE t.count + 1 END,"
		" expires_at = CASE WHEN t.expires_at <= $2::timestamptz THEN $3::timestamptz"
		" ELSE t.expires_at END RETURNING count, expires_at",
		params, TD_ARRAY_LEN(params), &r, err);
	if (status == TD_OK && pg_int(r, 0, 0) > throttle->limit) {
		int64_t left = pg_time(r, 0, 1) - op->now_ms;
		t->outcome = TD_LIMITED;
		if (left > op->out.retry_ms)
			op->out.retry_ms = left;
	}
	PQclear(r);
	return status;
}

static enum td_status run_throttle_take(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	enum td_status status = TD_OK;
	t->outcome = TD_OK;
	t->op->out.retry_ms = 0;
	for (size_t i = 0; i < t->op->in.throttle_count && status == TD_OK; i++)
		status = take_one(l, limit, t, &t->op->in.throttles[i], err);
	return status;
}

/* Where the answer of a commit is lost, the repeat counts the attempt once more. That errs on the
 * safe side and is bounded: nobody gets an attempt too many; one too few comes of each connection
 * that is lost in that moment and ends with the window, or with the next right password. A mark for
 * each attempt would be a row that whoever guesses passwords makes us write. */
const struct pg_write_kind pg_throttle_take = {.run = run_throttle_take, .unmarked = true};

/* ---- links that reset a password
 * ----------------------------------------------------------------------- */

static enum td_status ask_user(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *t, const char *sql, const char *const *params, int count,
	struct td_err *err)
{
	PGresult *r = NULL;
	enum td_status status = pg_sql_ask(l, limit, sql, params, count, &r, err);
	if (status == TD_OK)
		t->outcome = take_user(l, r, t->op);
	PQclear(r);
	return t->outcome == TD_NOMEM ? TD_NOMEM : status;
}

static enum td_status run_reset_create(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	struct td_slice email = pg_key_email(op);
	const char *params[] = {pg_sql_text(&op->arena, email),
		hex_of(&op->arena, op->in.session.hash),
		pg_sql_time(&op->arena, op->in.session.expires_at)};
	return ask_user(l, limit, t,
		"WITH u AS (SELECT * FROM users WHERE lower(email COLLATE \"C\") = $1),"
		" made AS (INSERT INTO password_resets (user_id, hash, expires_at)"
		" SELECT id, decode($2, 'hex'), $3::timestamptz FROM u ON CONFLICT (user_id)"
		" DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at)"
		" SELECT " USER_COLUMNS " FROM u",
		params, TD_ARRAY_LEN(params), err);
}

/* A statement of its own, after the user's row was waited for: so it sees a session that was being
 * made meanwhile. */
static enum td_status delete_sessions(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, struct td_err *err)
{
	const char *params[] = {pg_sql_text(&op->arena, op->out.user.id)};
	bool found;
	return pg_sql_finds(
		l, limit, "DELETE FROM sessions WHERE user_id = $1", params, 1, &found, err);
}

/* After a loss the link is gone, but nobody else can have set this very hash. */
static enum td_status run_reset_use(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const char *params[] = {pg_sql_text(&op->arena, op->in.password_hash),
		hex_of(&op->arena, op->in.session.hash), pg_sql_time(&op->arena, op->now_ms)};
	enum td_status status = ask_user(l, limit, t,
		"WITH p AS (DELETE FROM password_resets WHERE hash = decode($2, 'hex')"
		" AND expires_at > $3::timestamptz RETURNING user_id),"
		" done AS (UPDATE users SET password_hash = $1 FROM p WHERE users.id = p.user_id)"
		" SELECT " USER_COLUMNS " FROM users u JOIN p ON p.user_id = u.id",
		params, TD_ARRAY_LEN(params), err);
	if (status == TD_OK && t->outcome == TD_OK)
		status = delete_sessions(l, limit, op, err);
	else if (status == TD_OK && t->outcome == TD_NOTFOUND && op->tried.repeated)
		status = ask_user(l, limit, t,
			"SELECT " USER_COLUMNS " FROM users u WHERE u.password_hash = $1", params,
			1, err);
	return status;
}

const struct pg_write_kind pg_reset_create = {.run = run_reset_create, .unmarked = true};
const struct pg_write_kind pg_reset_use = {.run = run_reset_use, .unmarked = true};

/* ---- a visitor's checkout
 * ------------------------------------------------------------------------------ */

static enum td_status insert_user(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, bool *ret_made, struct td_err *err)
{
	const struct store_user *u = &op->in.user;
	struct td_arena *a = &op->arena;
	const char *params[] = {pg_sql_text(a, u->id), pg_sql_text(a, u->email),
		pg_sql_text(a, u->first_name), pg_sql_text(a, u->last_name),
		text_or_null(a, u->company), pg_sql_text(a, op->in.password_hash),
		pg_sql_time(a, op->now_ms)};
	return pg_sql_finds(l, limit,
		"INSERT INTO users (id, email, first_name, last_name, company, password_hash,"
		" created_at, updated_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7::timestamptz, $7::timestamptz)"
		" ON CONFLICT DO NOTHING RETURNING id",
		params, TD_ARRAY_LEN(params), ret_made, err);
}

static enum td_status insert_subscription(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct pg_columns c;
	PGresult *r = NULL;
	pg_columns_begin(&c, pg_subscribe.types, pg_subscribe.columns);
	pg_subscribe.put(&c, t->op);
	enum td_status status = pg_columns_send(l, pg_subscribe.statement, &c);
	pg_columns_done(&c);
	if (status == TD_OK && !pg_push(l, limit))
		status = pg_sql_lost(err);
	if (status == TD_OK)
		status = pg_receive(l, limit, &r, err);
	if (status == TD_OK && (PQntuples(r) != 1 || !pg_bool(r, 0, 1)))
		status = td_err_set(err, TD_INTERNAL, "a new user's subscription was not taken");
	PQclear(r);
	return status;
}

/* Locked, so that it is still there at the commit. */
static enum td_status find_package(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, bool *ret_there, struct td_err *err)
{
	const char *params[] = {pg_sql_text(&op->arena, op->in.subscription->package.id)};
	return pg_sql_finds(l, limit,
		"SELECT 1 FROM subscription_packages WHERE id = $1 FOR KEY SHARE", params, 1,
		ret_there, err);
}

/* The id of the history is ours: if it is there, an earlier try wrote all of it. */
static enum td_status find_earlier(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, bool *ret_there, struct td_err *err)
{
	const char *params[] = {pg_sql_text(&op->arena, op->in.history[0].id)};
	return pg_sql_finds(l, limit, "SELECT 1 FROM subscription_history WHERE id = $1", params, 1,
		ret_there, err);
}

static enum td_status run_checkout(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	bool package = false, made = false, session = false;
	enum td_status status = find_package(l, limit, op, &package, err);
	t->outcome = TD_NOTFOUND;
	if (status != TD_OK || !package) {
		op->out.missing = STORE_MISSING_PACKAGE;
		return status;
	}
	status = insert_user(l, limit, op, &made, err);
	if (status == TD_OK && made)
		status = insert_subscription(l, limit, t, err);
	if (status == TD_OK && made)
		status = insert_session(l, limit, op, &session, err);
	else if (status == TD_OK && op->tried.repeated)
		status = find_earlier(l, limit, op, &made, err);
	t->outcome = made ? TD_OK : TD_EXISTS;
	return status;
}

const struct pg_write_kind pg_checkout = {.run = run_checkout, .unmarked = true};
