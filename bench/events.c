/* events HOST PORT KEYSPACE COUNT: writes so many rows into the table of the event log as fast as
 * the server takes them, as the relay does, and nothing else: what it cannot exceed. Prints
 * {"done", "seconds", "cpu"}. The rows are those that bench/harness/events.py puts in the outbox.
 */
#include "cql/cql.h"
#include "timing.h"
#include "work/lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define IN_FLIGHT 64
#define ROWS      8 /* with each request */
#define WAIT_MS   60000
#define USERS     1000
#define VALUES    17
#define MONTHS    6
#define FIRST_MS  INT64_C(1767225600000) /* 2026-01-01 */
#define MONTH_MS  INT64_C(2592000000)    /* 30 days */

struct load;

struct flight {
	struct cql_query query;
	struct cql_batch_entry rows[ROWS];
	struct td_buf values[ROWS];
	struct load *load;
};

/* All but the lock and what it guards is the session's thread's. */
struct load {
	struct cql_session *session;
	struct cql_statement *insert;
	uint64_t next, count;
	struct flight flights[IN_FLIGHT];
	struct td_lock lock;
	struct td_cond changed;
	unsigned open; /* guarded by lock */
	bool failed;   /* the same */
};

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void put(struct td_buf *b, const char *text)
{
	cql_bind_bytes(b, td_slice_str(text));
}

static void bind(struct td_buf *b, uint64_t number)
{
	char user[32], id[64], subscription[32], month[16];
	(void)snprintf(user, sizeof(user), "u%" PRIu64, number % USERS);
	(void)snprintf(id, sizeof(id), "018f0000-0000-7000-8000-%012" PRIu64, number);
	(void)snprintf(subscription, sizeof(subscription), "s%" PRIu64, number % USERS);
	unsigned part = (unsigned)(number / USERS % MONTHS);
	(void)snprintf(month, sizeof(month), "2026-%02u", part + 1);
	td_buf_reset(b);
	put(b, user);
	put(b, month);
	cql_bind_bigint(b, (int64_t)number);
	put(b, id);
	put(b, subscription);
	put(b, "renewed");
	put(b, "standard");
	put(b, "standard");
	put(b, "monthly");
	put(b, "monthly");
	cql_bind_decimal(b, 2, 2999);
	put(b, "USD");
	cql_bind_null(b);
	put(b, "system");
	cql_bind_timestamp(b, FIRST_MS + part * MONTH_MS);
	cql_bind_bigint(b, (FIRST_MS + part * MONTH_MS) * 1000);
	cql_bind_int(b, 0);
}

/* False: nothing is left. */
static bool send_next(struct flight *f)
{
	struct load *l = f->load;
	td_lock_take(&l->lock);
	uint64_t first = l->next, left = l->failed ? 0 : l->count - l->next;
	size_t rows = left < ROWS ? (size_t)left : ROWS;
	l->next += rows;
	td_lock_give(&l->lock);
	for (size_t i = 0; i < rows; i++) {
		bind(&f->values[i], first + i);
		f->rows[i] = (struct cql_batch_entry){.statement = l->insert,
			.values = {.bytes = td_buf_slice(&f->values[i]), .count = VALUES}};
	}
	f->query.batch_count = rows;
	if (rows > 0)
		cql_session_send(l->session, &f->query);
	return rows > 0;
}

static void note_end(struct load *l, bool failed)
{
	td_lock_take(&l->lock);
	l->failed = l->failed || failed;
	l->open--;
	td_cond_wake_all(&l->changed);
	td_lock_give(&l->lock);
}

static void written(struct cql_query *query, const struct cql_answer *answer)
{
	struct flight *f = TD_CONTAINER_OF(query, struct flight, query);
	bool failed = answer->status != TD_OK;
	if (failed)
		fprintf(stderr, "%s\n", answer->err->text);
	if (failed || !send_next(f))
		note_end(f->load, failed);
}

static void run(struct load *l)
{
	l->open = IN_FLIGHT;
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		struct flight *f = &l->flights[i];
		*f = (struct flight){.query = CQL_QUERY_INIT, .load = l};
		f->query.batch = f->rows;
		f->query.batch_type = CQL_BATCH_UNLOGGED;
		f->query.is_idempotent = true;
		f->query.done = written;
		if (!send_next(f))
			note_end(l, false);
	}
	td_lock_take(&l->lock);
	while (l->open > 0)
		td_cond_wait(&l->changed, &l->lock);
	td_lock_give(&l->lock);
}

static struct cql_session *open_session(const char *host, const char *port)
{
	struct cql_session_config config;
	struct cql_session *session = NULL;
	struct td_err err = TD_ERR_INIT;
	const struct cql_contact_point point = {host, (uint16_t)strtoul(port, NULL, 10)};
	cql_session_config_init(&config);
	config.contact_points = &point;
	config.contact_point_count = 1;
	if (cql_session_open(&config, &session, &err) != TD_OK ||
		cql_session_wait(session, WAIT_MS, &err) != TD_OK)
		fail("connect", err.text);
	return session;
}

int main(int argc, char **argv)
{
	static struct load load;
	char text[512];
	struct td_err err = TD_ERR_INIT;
	if (argc != 5)
		fail("usage", "events HOST PORT KEYSPACE COUNT");
	load.session = open_session(argv[1], argv[2]);
	load.count = strtoull(argv[4], NULL, 10);
	td_lock_init(&load.lock);
	td_cond_init(&load.changed);
	(void)snprintf(text, sizeof(text),
		"INSERT INTO \"%s\".subscription_events (user_id, month, seq, id, subscription_id,"
		" action, from_package, to_package, from_cycle, to_cycle, price, currency, reason,"
		" actor, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" USING TIMESTAMP ? AND TTL ?",
		argv[3]);
	if (cql_statement_create(load.session, text, &load.insert, &err) != TD_OK)
		fail("prepare", err.text);
	double begun = timing_now(), cpu = timing_cpu();
	run(&load);
	if (load.failed)
		fail("write", "a row was refused");
	printf("{\"done\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f}\n", load.count,
		timing_now() - begun, timing_cpu() - cpu);
	for (size_t i = 0; i < IN_FLIGHT * ROWS; i++)
		td_buf_done(&load.flights[i / ROWS].values[i % ROWS]);
	cql_statement_free(load.insert);
	cql_session_close(load.session);
	return 0;
}
