/* Reads the event log, from the newest month to the oldest, some months with each request. Rows are
 * in the order in which they were written (seq); their months follow their times, which clocks that
 * disagree may have told otherwise around a month's end: so one month more is read than is needed.
 */
#include "store/cassandra/cas_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define MONTHS_FIRST   3
#define MONTHS_AT_ONCE 12
#define MONTHS_MOST    1200 /* a hundred years */
#define REQUEST_MS     10000
#define ROWS_MOST      1000000
#define COLUMNS        14

struct listing {
	struct cas_store *store;
	struct cql_session *session;
	struct store_op *op;
	struct store_history *rows; /* in the operation's arena */
	size_t count, room;
	size_t given, left_out; /* of the last answer: rows, and those that are none of ours */
};

void cas_month_of(int64_t wall_ms, char out[CAS_MONTH_SIZE])
{
	struct td_date date = td_date_of(wall_ms);
	(void)snprintf(out, CAS_MONTH_SIZE, "%04d-%02d", (int)date.year, date.month);
}

/* ---- rows */

static bool take_price(struct td_slice cell, struct store_history *row)
{
	int32_t scale;
	struct td_slice unscaled;
	if (cell.ptr == NULL)
		return true;
	row->has_price = true;
	return cql_get_decimal(cell, &scale, &unscaled) && scale == 2 &&
	       cql_get_varint(unscaled, &row->price) && row->price >= 0;
}

static bool take_cycle(struct td_slice cell, enum store_cycle *ret)
{
	*ret = STORE_CYCLE_NONE;
	return cell.ptr == NULL || store_cycle_find(cell, ret);
}

static struct td_slice copy(struct store_op *op, struct td_slice cell)
{
	return cell.ptr != NULL ? td_arena_slice(&op->arena, cell) : cell;
}

/* NULL, or what is wrong. */
static const char *take_row(
	struct store_op *op, const struct td_slice cells[COLUMNS], struct store_history *row)
{
	*row = (struct store_history){
		.id = copy(op, cells[1]),
		.subscription_id = copy(op, cells[2]),
		.user_id = op->in.user.id,
		.from_package = copy(op, cells[4]),
		.to_package = copy(op, cells[5]),
		.currency = copy(op, cells[9]),
		.reason = copy(op, cells[10]),
		.actor = copy(op, cells[11]),
	};
	if (!cql_get_bigint(cells[0], &row->seq) || row->seq < 1)
		return "seq is not a number from 1";
	if (!store_action_find(cells[3], &row->action))
		return "action is not a word of ours";
	if (!take_cycle(cells[6], &row->from_cycle) || !take_cycle(cells[7], &row->to_cycle))
		return "a cycle is not a word of ours";
	if (!take_price(cells[8], row))
		return "price is not an amount with two places";
	if (!cql_get_timestamp(cells[12], &row->created_at) || row->created_at < 0)
		return "created_at is not a time since 1970";
	if (row->id.len == 0 || row->subscription_id.len == 0 || row->actor.len == 0)
		return "id, subscription_id or actor is empty";
	return NULL;
}

static void leave_out(struct listing *l, const struct td_slice cells[COLUMNS], const char *why)
{
	struct td_slice user = l->op->in.user.id, id = cells[1], month = cells[13];
	const char *key = td_arena_printf(&l->op->arena, "%.*s/%.*s/%.*s", TD_SLICE_ARG(user),
		TD_SLICE_ARG(month), id.len > 64 ? 64 : (int)id.len, id.ptr);
	const struct store_bad_row row = {
		.table = TD_SLICE("subscription_events"),
		.key = td_slice_str(key != NULL ? key : ""),
		.why = td_slice_str(why),
	};
	cas_tell_bad_row(l->store, &row);
}

static bool make_room(struct listing *l)
{
	if (l->count < l->room)
		return true;
	size_t room = l->room * 2 + 64;
	struct store_history *more = td_arena_array(&l->op->arena, room, sizeof(*more));
	if (more != NULL && l->count > 0)
		memcpy(more, l->rows, l->count * sizeof(*more));
	l->rows = more;
	l->room = more != NULL ? room : 0;
	return more != NULL;
}

static enum td_status take_rows(struct listing *l, struct cas_call *call)
{
	struct td_slice cells[COLUMNS];
	l->given = l->left_out = 0;
	while (cas_call_row(call, cells, COLUMNS)) {
		l->given++;
		if (!make_room(l))
			return td_err_set(&l->op->err, TD_NOMEM, "no memory for the events");
		const char *why = take_row(l->op, cells, &l->rows[l->count]);
		if (why == NULL) {
			l->count++;
			continue;
		}
		l->left_out++;
		leave_out(l, cells, why);
	}
	return TD_OK;
}

/* ---- asking
 * -------------------------------------------------------------------------------------------- */

/* The month before, as its first moment. */
static int64_t month_before(int64_t wall_ms)
{
	struct td_date date = td_date_of(wall_ms);
	struct td_date before = {.year = date.month > 1 ? date.year : date.year - 1,
		.month = date.month > 1 ? date.month - 1 : 12,
		.day = 1};
	return td_date_to_ms(&before);
}

/* That many months, from that of *at_ms downwards; *at_ms becomes the next. */
static void bind_months(struct cas_call *call, int64_t *at_ms, unsigned count)
{
	size_t opened = cql_bind_open_list(&call->values, count);
	for (unsigned i = 0; i < count; i++) {
		char name[CAS_MONTH_SIZE];
		cas_month_of(*at_ms, name);
		cql_bind_bytes(&call->values, td_slice_str(name));
		*at_ms = month_before(*at_ms);
	}
	cql_bind_close(&call->values, opened);
	call->query.values.count++;
}

/* At most so many rows of each month. */
static enum td_status ask_months(
	struct listing *l, int64_t at_ms, unsigned count, int32_t rows_most)
{
	struct store_op *op = l->op;
	struct cas_call call;
	cas_call_init(&call, l->store,
		"SELECT seq, id, subscription_id, action, from_package, to_package, from_cycle,"
		" to_cycle, price, currency, reason, actor, created_at, month"
		" FROM %s.subscription_events WHERE user_id = ? AND month IN ? AND seq < ?"
		" PER PARTITION LIMIT ?",
		l->store->config.consistency);
	call.query.is_idempotent = true;
	cas_bind_text(&call, op->in.user.id);
	bind_months(&call, &at_ms, count);
	cas_bind_bigint(&call, op->in.before_seq > 0 ? op->in.before_seq : INT64_MAX);
	cas_bind_int(&call, rows_most);
	enum td_status status = cas_call_run(
		&call, l->store, l->session, cas_time_left(l->store, op, REQUEST_MS), &op->err);
	if (status == TD_OK)
		status = take_rows(l, &call);
	cas_call_done(&call);
	return status;
}

/* Where rows were left out a month may have others behind those that it gave: asked for again, with
 * more of each. */
static enum td_status read_months(struct listing *l, int64_t *at_ms, unsigned count)
{
	size_t begun = l->count;
	int32_t rows_most = (int32_t)l->op->in.limit + 1;
	enum td_status status;
	for (;; rows_most *= 8) {
		l->count = begun;
		status = ask_months(l, *at_ms, count, rows_most);
		bool may_be_full = l->left_out > 0 && l->given >= (size_t)rows_most;
		if (status != TD_OK || !may_be_full || rows_most > ROWS_MOST)
			break;
	}
	for (unsigned i = 0; i < count; i++)
		*at_ms = month_before(*at_ms);
	return status;
}

static unsigned months_until(int64_t at_ms, int64_t from_ms, unsigned most)
{
	struct td_date at = td_date_of(at_ms), from = td_date_of(from_ms);
	int64_t months = (at.year - from.year) * 12 + (at.month - from.month) + 1;
	return months < 0 ? 0 : months < most ? (unsigned)months : most;
}

/* Down to the month of the span's beginning, or until there are enough and one month more. */
static enum td_status read_down(struct listing *l)
{
	const struct store_op *op = l->op;
	int64_t at_ms = op->in.span.to_ms, from_ms = month_before(op->in.span.from_ms);
	unsigned wanted = MONTHS_FIRST, read = 0;
	enum td_status status = TD_OK;
	while (status == TD_OK && read < MONTHS_MOST) {
		bool enough = l->count > op->in.limit;
		unsigned months = months_until(at_ms, from_ms, enough ? 1 : wanted);
		if (months == 0)
			break;
		status = read_months(l, &at_ms, months);
		read += months;
		wanted = MONTHS_AT_ONCE;
		if (enough)
			break;
	}
	return status;
}

static int newest_first(const void *x, const void *y)
{
	const struct store_history *a = x, *b = y;
	return (a->seq < b->seq) - (a->seq > b->seq);
}

enum td_status cas_events_list(
	struct cas_store *s, struct cql_session *session, struct store_op *op)
{
	struct listing l = {.store = s, .session = session, .op = op};
	enum td_status status = read_down(&l);
	if (status != TD_OK)
		return status;
	if (op->arena.failed)
		return td_err_set(&op->err, TD_NOMEM, "no memory for the events");
	if (l.count > 0)
		qsort(l.rows, l.count, sizeof(*l.rows), newest_first);
	op->out.history = l.rows;
	op->out.more = l.count > op->in.limit;
	op->out.history_count = op->out.more ? op->in.limit : l.count;
	return TD_OK;
}
