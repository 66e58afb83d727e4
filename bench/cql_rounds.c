#include "cql_rounds.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS     4 /* id, name, amount, body */
#define BODY_SIZE   100
#define AMOUNT_MOST 1000

static char body[BODY_SIZE];

/* ---- rows */

static void bind_row(struct td_buf *values, int64_t id)
{
	char name[32];
	int len = snprintf(name, sizeof(name), "row %lld", (long long)id);
	cql_bind_bigint(values, id);
	cql_bind_bytes(values, td_slice(name, (size_t)len));
	cql_bind_int(values, (int32_t)(id % AMOUNT_MOST));
	cql_bind_bytes(values, td_slice(body, sizeof(body)));
}

/* Every column of the next row. False: it is not as bind_row() makes them. */
static bool decode_row(struct round *round, const struct td_slice *cells, int64_t *ret_id)
{
	int32_t amount;
	bool is_right = cql_get_bigint(cells[0], ret_id) && !cql_is_null(cells[1]) &&
			cql_get_int(cells[2], &amount) && amount == *ret_id % AMOUNT_MOST &&
			cells[3].len == BODY_SIZE;
	if (is_right)
		round->checksum += (uint64_t)amount + cells[1].len + cells[3].len;
	return is_right;
}

/* All rows of an answer; the id of the last one. False: something is wrong with one. */
static bool decode_rows(
	struct round *round, const struct cql_answer *answer, uint64_t *ret_count, int64_t *ret_id)
{
	struct cql_rows rows = answer->result.rows;
	struct td_slice cells[COLUMNS];
	*ret_count = 0;
	if (answer->result.kind != CQL_RESULT_ROWS || rows.metadata.column_count != COLUMNS)
		return false;
	while (cql_rows_next(&rows, cells)) {
		if (!decode_row(round, cells, ret_id))
			return false;
		++*ret_count;
	}
	return cql_rows_check(&rows, NULL) == TD_OK;
}

/* ---- what all rounds have */

static void end_round(struct round *round)
{
	td_lock_take(&round->lock);
	round->ended = true;
	td_cond_wake_all(&round->changed);
	td_lock_give(&round->lock);
}

static void note_error(struct round *round, const struct td_err *err)
{
	if (round->errors++ == 0 && err != NULL)
		round->first_error = *err;
}

static void note_wrong_rows(struct round *round, const char *what)
{
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_CORRUPT, "%s", what);
	note_error(round, &err);
}

static void note_time(struct flight *flight, uint64_t now_ns)
{
	timing_note(&flight->round->latencies, (now_ns - flight->sent_ns) / 1000);
}

static void send_off(struct flight *flight, uint64_t now_ns)
{
	flight->sent_ns = now_ns;
	cql_session_send(flight->round->session, &flight->query);
}

static void prepare_query(struct flight *flight, cql_query_fn *done)
{
	flight->query = (struct cql_query)CQL_QUERY_INIT;
	flight->query.statement = flight->round->statement;
	flight->query.consistency = CQL_LOCAL_ONE;
	flight->query.is_idempotent = true;
	flight->query.done = done;
}

/* ---- requests of one row */

static int64_t choose_key(struct round *round)
{
	if (round->kind == ROUND_LOAD)
		return (int64_t)round->begun;
	uint64_t random = timing_random(&round->random);
	return (int64_t)(round->kind == ROUND_READ ? random % round->rows : random >> 1);
}

static bool is_over(const struct round *round, uint64_t now_ns)
{
	return round->kind == ROUND_LOAD ? round->begun == round->rows : now_ns >= round->until_ns;
}

static void send_next(struct flight *flight, uint64_t now_ns)
{
	struct round *round = flight->round;
	if (is_over(round, now_ns)) {
		if (--round->open == 0)
			end_round(round);
		return;
	}
	flight->key = choose_key(round);
	round->begun++;
	td_buf_reset(&flight->values);
	if (round->kind == ROUND_READ)
		cql_bind_bigint(&flight->values, flight->key);
	else
		bind_row(&flight->values, flight->key);
	flight->query.values.bytes = td_buf_slice(&flight->values);
	flight->query.values.count = round->kind == ROUND_READ ? 1 : COLUMNS;
	send_off(flight, now_ns);
}

/* The first answer comes on the session's thread: from then on no other has to do with it. */
static void spread(struct round *round, uint64_t now_ns)
{
	if (round->has_spread)
		return;
	round->has_spread = true;
	for (size_t i = 1; i < ROUND_IN_FLIGHT; i++)
		send_next(&round->flights[i], now_ns);
}

static void take_answer(struct cql_query *query, const struct cql_answer *answer)
{
	struct flight *flight = TD_CONTAINER_OF(query, struct flight, query);
	struct round *round = flight->round;
	uint64_t now_ns = td_clock_mono_ns(), count = 0;
	int64_t id = -1;
	if (answer->status != TD_OK)
		note_error(round, answer->err);
	else if (round->kind == ROUND_READ &&
		 (!decode_rows(round, answer, &count, &id) || count != 1 || id != flight->key))
		note_wrong_rows(round, "a row that was read is not the one that was asked for");
	else {
		round->ops++;
		note_time(flight, now_ns);
	}
	spread(round, now_ns);
	send_next(flight, now_ns);
}

static void run_requests(struct round *round)
{
	for (size_t i = 0; i < ROUND_IN_FLIGHT; i++)
		prepare_query(&round->flights[i], take_answer);
	round->open = ROUND_IN_FLIGHT;
	send_next(&round->flights[0], td_clock_mono_ns());
}

/* ---- pages */

/* Asks for the page behind `answer` before its rows are looked at. */
static void ask_next_page(
	struct flight *flight, const struct cql_answer *answer, uint64_t now_ns, bool *ret_is_last)
{
	*ret_is_last = !cql_query_next_page(&flight->query, answer, &flight->values);
	if (now_ns >= flight->round->until_ns)
		return;
	if (*ret_is_last)
		flight->query.paging_state = td_slice(NULL, 0);
	send_off(flight, now_ns);
}

static void count_page(struct round *round, const struct cql_answer *answer, bool is_last)
{
	uint64_t count;
	int64_t id;
	if (!decode_rows(round, answer, &count, &id))
		note_wrong_rows(round, "a row of a page is not as it was written");
	round->ops += count;
	round->pass_rows += count;
	if (!is_last)
		return;
	if (round->pass_rows < round->rows)
		note_wrong_rows(round, "all pages together have fewer rows than there are");
	round->pass_rows = 0;
}

static void take_page(struct cql_query *query, const struct cql_answer *answer)
{
	struct flight *flight = TD_CONTAINER_OF(query, struct flight, query);
	struct round *round = flight->round;
	uint64_t now_ns = td_clock_mono_ns();
	bool is_last;
	if (answer->status != TD_OK) {
		note_error(round, answer->err);
		end_round(round);
		return;
	}
	note_time(flight, now_ns);
	ask_next_page(flight, answer, now_ns, &is_last);
	count_page(round, answer, is_last);
	if (now_ns >= round->until_ns)
		end_round(round);
}

static void run_pages(struct round *round)
{
	struct flight *flight = &round->flights[0];
	prepare_query(flight, take_page);
	flight->query.page_size = ROUND_PAGE_ROWS;
	send_off(flight, td_clock_mono_ns());
}

/* ---- a round */

void round_run(struct round *round)
{
	memset(body, 'x', sizeof(body));
	td_lock_init(&round->lock);
	td_cond_init(&round->changed);
	round->random = td_clock_mono_ns() | 1;
	round->until_ns = td_clock_mono_ns() + (uint64_t)(round->seconds * 1e9);
	for (size_t i = 0; i < ROUND_IN_FLIGHT; i++)
		round->flights[i].round = round;
	if (round->kind == ROUND_SCAN)
		run_pages(round);
	else
		run_requests(round);
	td_lock_take(&round->lock);
	while (!round->ended)
		td_cond_wait(&round->changed, &round->lock);
	td_lock_give(&round->lock);
	for (size_t i = 0; i < ROUND_IN_FLIGHT; i++)
		td_buf_done(&round->flights[i].values);
	td_cond_done(&round->changed);
	td_lock_done(&round->lock);
}
