/* Rows of history on their way to an event log: the outbox, which a trigger fills in the
 * transaction that writes the history, so that none can be missed and none is there that was not
 * committed. An event is gone once it was told; whoever takes some has them for a while, and
 * somebody else has them later where he dies meanwhile. All of this may be done twice. */
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_sql.h"

/* ---- the beginning
 * ------------------------------------------------------------------------------------- */

static enum td_status do_all(struct pg_lane *l, const struct connect_limit *limit,
	const char *const *statements, size_t count, struct td_err *err)
{
	enum td_status status = TD_OK;
	for (size_t i = 0; i < count && status == TD_OK; i++) {
		PGresult *r = NULL;
		status = pg_sql_ask(l, limit, statements[i], NULL, 0, &r, err);
		PQclear(r);
	}
	return status;
}

/* Making a trigger waits for all that write history: each of them either has committed, and its row
 * is below filled_from, or finds the trigger. */
static enum td_status make_trigger(
	struct pg_lane *l, const struct connect_limit *limit, struct td_err *err)
{
	static const char *const statements[] = {
		"CREATE OR REPLACE TRIGGER history_to_outbox AFTER INSERT ON subscription_history"
		" REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
		" EXECUTE FUNCTION tools_dashboard_history_to_outbox()",
		"INSERT INTO subscription_event_log (id, filled_from)"
		" SELECT 1, coalesce(max(seq), 0) + 1 FROM subscription_history"
		" ON CONFLICT DO NOTHING",
	};
	return do_all(l, limit, statements, TD_ARRAY_LEN(statements), err);
}

/* A range of numbers, from the newest to the oldest. Whoever fills at the same time waits for the
 * row, and then goes on behind. */
static enum td_status fill(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, struct td_err *err)
{
	const char *params[] = {pg_sql_number(&op->arena, (int64_t)op->in.limit)};
	PGresult *r = NULL;
	enum td_status status = pg_sql_ask(l, limit,
		"WITH range AS (SELECT filled_from AS upto, greatest(filled_from - $1::bigint, 0)"
		" AS lower FROM subscription_event_log WHERE id = 1 FOR UPDATE),"
		" filled AS (INSERT INTO subscription_outbox (seq, history_id)"
		" SELECT h.seq, h.id FROM subscription_history h, range"
		" WHERE h.seq >= range.lower AND h.seq < range.upto ON CONFLICT DO NOTHING)"
		" UPDATE subscription_event_log SET filled_from = range.lower FROM range"
		" WHERE id = 1 RETURNING filled_from",
		params, TD_ARRAY_LEN(params), &r, err);
	if (status == TD_OK)
		op->out.more = PQntuples(r) > 0 && pg_int(r, 0, 0) > 0;
	PQclear(r);
	return status;
}

static enum td_status run_start(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	bool has_begun = false;
	enum td_status status = pg_sql_finds(
		l, limit, "SELECT 1 FROM subscription_event_log", NULL, 0, &has_begun, err);
	if (status == TD_OK && !has_begun)
		status = make_trigger(l, limit, err);
	if (status == TD_OK)
		status = fill(l, limit, t->op, err);
	t->outcome = TD_OK;
	return status;
}

const struct pg_write_kind pg_events_start = {.run = run_start, .unmarked = true};

/* ---- telling
 * -------------------------------------------------------------------------------------------- */

static enum td_status delete_events(struct pg_lane *l, const struct connect_limit *limit,
	const struct td_buf *numbers, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	const char *params[] = {
		numbers->failed ? NULL : td_arena_strndup(&arena, numbers->ptr, numbers->len)};
	PGresult *r = NULL;
	enum td_status status = TD_OK;
	if (params[0] == NULL)
		status = td_err_set(err, TD_NOMEM, "no memory for the numbers of events");
	else
		status = pg_sql_ask(l, limit,
			"DELETE FROM subscription_outbox WHERE seq = ANY ($1::bigint[])", params,
			TD_ARRAY_LEN(params), &r, err);
	PQclear(r);
	td_arena_done(&arena);
	return status;
}

/* "{1,2,3}". */
static void put_number(struct td_buf *numbers, int64_t number)
{
	td_buf_put_char(numbers, numbers->len == 0 ? '{' : ',');
	td_buf_put_i64(numbers, number);
}

static enum td_status delete_told(struct pg_lane *l, const struct connect_limit *limit,
	const struct store_op *op, struct td_err *err)
{
	struct td_buf numbers = TD_BUF_INIT;
	for (size_t i = 0; i < op->in.seq_count; i++)
		put_number(&numbers, op->in.seqs[i]);
	td_buf_put_char(&numbers, '}');
	enum td_status status = delete_events(l, limit, &numbers, err);
	td_buf_done(&numbers);
	return status;
}

/* `numbers` gets those whose history somebody has deleted: there is nothing to tell. */
static enum td_status take_rows(const PGresult *r, struct store_op *op, struct td_buf *numbers)
{
	int rows = PQntuples(r);
	struct store_history *list = td_arena_array(&op->arena, (size_t)rows + 1, sizeof(*list));
	op->out.history = list;
	op->out.history_count = 0;
	for (int row = 0; list != NULL && row < rows; row++) {
		if (PQgetisnull(r, row, 1)) {
			put_number(numbers, pg_int(r, row, 0));
			continue;
		}
		struct store_history *h = &list[op->out.history_count++];
		/* One outside the rules is told as far as it can be: nobody else will tell it. */
		(void)pg_history_row(r, row, &op->arena, h);
	}
	return op->arena.failed ? TD_NOMEM : TD_OK;
}

/* Those that somebody else has locked at this moment are his. Rows are looked up one by one,
 * whatever the planner knows of tables that have just grown: reading all of them each time would be
 * far slower. */
static enum td_status take_others(struct pg_lane *l, const struct connect_limit *limit,
	struct store_op *op, struct td_err *err)
{
	const char *params[] = {pg_sql_time(&op->arena, op->in.lease.now_ms),
		pg_sql_time(&op->arena, op->in.lease.expires_at),
		pg_sql_number(&op->arena, (int64_t)op->in.limit)};
	struct td_buf numbers = TD_BUF_INIT;
	PGresult *r = NULL;
	enum td_status status = pg_sql_ask(l, limit,
		"WITH free AS (SELECT seq FROM subscription_outbox"
		" WHERE taken_until <= $1::timestamptz"
		" OR taken_until > $2::timestamptz + interval '1 minute'"
		" ORDER BY seq LIMIT $3::bigint"
		" FOR UPDATE SKIP LOCKED),"
		" taken AS (UPDATE subscription_outbox SET taken_until = $2::timestamptz"
		" WHERE seq = ANY (ARRAY (SELECT seq FROM free)) RETURNING seq, history_id)"
		" SELECT taken.seq, " PG_SQL_HISTORY " FROM taken"
		" LEFT JOIN LATERAL (SELECT * FROM subscription_history"
		" WHERE id = taken.history_id LIMIT 1) h ON true ORDER BY taken.seq",
		params, TD_ARRAY_LEN(params), &r, err);
	if (status == TD_OK)
		status = take_rows(r, op, &numbers);
	PQclear(r);
	if (status == TD_OK && numbers.len > 0) {
		td_buf_put_char(&numbers, '}');
		status = delete_events(l, limit, &numbers, err);
	}
	td_buf_done(&numbers);
	return status;
}

static enum td_status run_take(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	enum td_status status = TD_OK;
	if (t->op->in.seq_count > 0)
		status = delete_told(l, limit, t->op, err);
	if (status == TD_OK && t->op->in.limit > 0)
		status = take_others(l, limit, t->op, err);
	t->outcome = TD_OK;
	return status;
}

const struct pg_write_kind pg_events_take = {.run = run_take, .unmarked = true};

enum td_status pg_events_count(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	PGresult *r = NULL;
	enum td_status status = pg_sql_run(l, limit,
		"SELECT EXISTS (SELECT 1 FROM subscription_event_log),"
		" (SELECT count(*) FROM subscription_outbox),"
		" (SELECT h.created_at FROM subscription_outbox o"
		" JOIN subscription_history h ON h.id = o.history_id ORDER BY o.seq LIMIT 1)",
		NULL, 0, &r, &op->err);
	if (status == TD_OK)
		op->out.events = (struct store_events){.started = pg_bool(r, 0, 0),
			.waiting = pg_int(r, 0, 1),
			.oldest_ms = pg_time(r, 0, 2)};
	PQclear(r);
	return status;
}

/* ---- trimming
 * ------------------------------------------------------------------------------------------- */

/* A range of numbers from where the last one ended, up to the first row of it that must stay: what
 * goes is always the beginning, so whoever lists history never meets a hole. The last range ends
 * with its last row, for numbers behind that are yet to be written. Whoever trims at the same time
 * waits for the row of the log, and then goes on behind. */
static const char trim_range[] =
	"WITH log AS (SELECT trimmed_to AS from_seq, trimmed_to + $2::bigint AS to_seq"
	" FROM subscription_event_log WHERE id = 1 AND filled_from = 0 FOR UPDATE),"
	" rows AS (SELECT h.seq, h.created_at >= $1::timestamptz AS stays"
	" FROM subscription_history h, log"
	" WHERE h.seq >= log.from_seq AND h.seq < log.to_seq),"
	" bound AS (SELECT least((SELECT min(seq) FROM rows WHERE stays),"
	" (SELECT min(seq) FROM subscription_outbox),"
	" CASE WHEN log.to_seq <= (SELECT last_value FROM subscription_history_seq_seq)"
	" THEN log.to_seq ELSE coalesce((SELECT max(seq) + 1 FROM rows), log.from_seq) END)"
	" AS upto FROM log),"
	" gone AS (DELETE FROM subscription_history h USING log, bound"
	" WHERE h.seq >= log.from_seq AND h.seq < bound.upto RETURNING h.user_id, h.created_at),"
	" early AS (UPDATE users u SET history_from = first.at"
	" FROM (SELECT user_id, min(created_at) AS at FROM gone GROUP BY user_id) first"
	" WHERE u.id = first.user_id AND first.at < least(u.created_at, u.history_from)),"
	" noted AS (UPDATE subscription_event_log e SET trimmed_to = bound.upto,"
	" trimmed_before = CASE WHEN EXISTS (SELECT 1 FROM gone)"
	" THEN greatest(e.trimmed_before, $1::timestamptz) ELSE e.trimmed_before END"
	" FROM log, bound WHERE e.id = 1 AND bound.upto > log.from_seq RETURNING 1)"
	" SELECT (SELECT count(*) FROM gone),"
	" coalesce((SELECT bound.upto = log.to_seq FROM log, bound), false)";

static enum td_status run_trim(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	const char *params[] = {pg_sql_time(&op->arena, op->in.due_ms),
		pg_sql_number(&op->arena, (int64_t)op->in.limit)};
	PGresult *r = NULL;
	enum td_status status = pg_sql_ask(
		l, limit, trim_range, params, TD_ARRAY_LEN(params), &r, err);
	if (status == TD_OK) {
		op->out.swept = (size_t)pg_int(r, 0, 0);
		op->out.more = pg_bool(r, 0, 1);
	}
	PQclear(r);
	t->outcome = TD_OK;
	return status;
}

const struct pg_write_kind pg_history_trim = {.run = run_trim, .unmarked = true};
