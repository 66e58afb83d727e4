/* How each kind of write is done: a row for each, in the file of its family (pg_users.c, pg_keys.c,
 * pg_catalogue_write.c); pg_transaction.c has their table and what they share. A kind is
 * either
 *  - shared: one statement writes all operations of the kind in a transaction, a row of arrays for
 *    each (`statement`, `put`, `take`), or
 *  - single: it needs several statements and has its transaction for itself (`run`), or
 *  - neither: it is done by keeping its answer; `absent` is its outcome. */
#ifndef TD_STORE_POSTGRES_PG_WRITE_H
#define TD_STORE_POSTGRES_PG_WRITE_H

#include "store/postgres/pg_store_internal.h"

/* ---- pg_clash.c: what a transaction may hold once
 * -------------------------------------------------------- */

enum pg_clash_space {
	PG_CLASH_ANSWER,
	PG_CLASH_SINGLE,
	PG_CLASH_USER_ID,
	PG_CLASH_EMAIL,
	PG_CLASH_KEY_ID,
	PG_CLASH_KEY_HASH,
	PG_CLASH_SUBSCRIBER,
};

#define PG_CLASHES_MOST 6

/* Names as numbers. Two names that have the same number wait for each other without need, no more.
 */
struct pg_clash {
	const uint8_t *secret; /* of the store: nobody outside can choose names that are equal */
	uint64_t numbers[PG_CLASHES_MOST];
	size_t count;
};

/* `text` is UTF-8 or bytes; the second takes ASCII letters without case. */
void pg_clash_put(struct pg_clash *c, enum pg_clash_space space, struct td_slice text);
void pg_clash_put_nocase(struct pg_clash *c, enum pg_clash_space space, struct td_slice text);

/* Moves tasks that may share a transaction to the front and returns how many. The order of those
 * that clash stays; a single kind comes alone. One that is blocked is not taken, and neither is
 * what clashes with it: 0 where no other is left. */
size_t pg_clash_pick(const struct pg_store *s, struct pg_task *tasks, size_t count);

/* ---- kinds
 * ---------------------------------------------------------------------------------------------- */

struct pg_write_kind {
	/* The names that it writes (ids, addresses): no two operations in a transaction may have
	 * one in common. NULL: none. */
	void (*names)(const struct store_op *op, struct pg_clash *c);

	/* Shared. The statement's parameters are arrays, a column each; put() adds an operation's
	 * row. The first column of the result is the number of that row, from 1; take() says what
	 * became of it: t->outcome and op->out, or t->again. `absent` is the outcome of one for
	 * which no row comes back. */
	enum pg_statement statement;
	const enum pg_type *types;
	int columns;
	void (*put)(struct pg_columns *c, const struct store_op *op);
	void (*take)(const PGresult *r, int row, struct pg_task *t);
	enum td_status absent;

	/* Shared, and not TD_OK although an earlier try may have been committed: looks whether
	 * that try is the reason, by the operation's own identifier; if so it sets TD_OK and
	 * op->out. In the transaction. NULL: doing it twice has the same outcome as once. */
	enum td_status (*recognise)(struct pg_lane *l, const struct connect_limit *limit,
		struct pg_task *t, struct td_err *err);

	/* Single: all statements, in the transaction, their results read. TD_OK: t->outcome is set
	 * (what it wrote is kept with TD_OK only where it says so); else why the transaction cannot
	 * be. A repeat is recognised by a mark that is written with it, but where `unmarked` says
	 * that it may be done twice, or looks for itself (op->tried.repeated). */
	bool unmarked;
	enum td_status (*run)(struct pg_lane *l, const struct connect_limit *limit,
		struct pg_task *t, struct td_err *err);
};

extern const struct pg_write_kind pg_user_put, pg_user_create;
extern const struct pg_write_kind pg_key_create, pg_key_revoke;
extern const struct pg_write_kind pg_catalogue_populate, pg_catalogue_apply, pg_kept_put;
extern const struct pg_write_kind pg_subscribe, pg_subscription_change;
extern const struct pg_write_kind pg_answer_keep;
extern const struct pg_write_kind pg_checkout, pg_session_create, pg_session_end, pg_throttle_take;
extern const struct pg_write_kind pg_reset_create, pg_reset_use;
extern const struct pg_write_kind pg_sweep, pg_lease_take, pg_clock_set;
extern const struct pg_write_kind pg_events_start, pg_events_take, pg_history_trim;

/* NULL: it does not write, or this store does not know it. */
const struct pg_write_kind *pg_write_kind(enum store_op_kind kind);

/* take() of a kind whose result has a row for each operation that did something. */
void pg_take_ok(const PGresult *r, int row, struct pg_task *t);

/* An operation whose key for a repeated request was used before does not run. */
bool pg_may_run(const struct pg_task *t);

/* ---- pg_transaction.c
 * ------------------------------------------------------------------------------------------ */

/* The operations that a transaction is for; none of them clashes with another, and a single kind is
 * alone. */
struct pg_part {
	struct pg_lane *l;
	const struct connect_limit *limit;
	struct pg_task *tasks;
	size_t count;
	int lock_ms; /* how long it waits for a lock */
	struct td_err *err;
	bool in_doubt; /* pg_part_run()'s own: from now on a loss leaves unknown what was done */
};

/* Runs those that are not settled, again after a loss until the outcome is known. TD_OK: what it
 * settled is done; what is left lost a race and must run again. TD_UNAVAILABLE: the limit is
 * reached or the server is away. TD_CONFLICT, TD_TIMEOUT, TD_EXISTS and others: nothing was done.
 */
enum td_status pg_part_run(struct pg_part *p) TD_MUST_CHECK;

/* ---- pg_mark.c: how a single operation is recognised
 * ------------------------------------------------------ */

/* First in the transaction. *ret_done: an earlier try was committed, and nothing is left to do. */
enum td_status pg_mark_set(struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t,
	bool *ret_done, struct td_err *err) TD_MUST_CHECK;

/* The operation did nothing after all: so a repeat must run it. */
enum td_status pg_mark_take_back(struct pg_lane *l, const struct connect_limit *limit,
	struct pg_task *t, struct td_err *err) TD_MUST_CHECK;

#endif
