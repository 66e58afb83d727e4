/* How each kind of read is done: a row for each in pg_read.c's tables, the functions in the file of
 * its family. A kind is either
 *  - keyed: one statement reads for all operations of the kind in a batch, by an array of keys, or
 *  - single: it has statements of its own (`single`). */
#ifndef TD_STORE_POSTGRES_PG_READ_H
#define TD_STORE_POSTGRES_PG_READ_H

#include "store/postgres/pg_store_internal.h"

struct pg_read_kind {
	enum pg_statement statement; /* one parameter: an array of keys */
	enum pg_type key_type;
	/* What the operation asks for; empty where there is no memory. */
	struct td_slice (*key)(struct store_op *op);
	/* The result's first column is the key. Sets t->outcome and op->out; several operations may
	 * be given the same row. */
	void (*give)(struct pg_store *s, const PGresult *r, int row, struct pg_task *t);
	enum td_status absent; /* the outcome of one for which no row comes back */
};

extern const struct pg_read_kind pg_user_get, pg_user_by_email;
extern const struct pg_read_kind pg_subscription_get;
extern const struct pg_read_kind pg_login_get, pg_session_get;

/* E-mail addresses compare without case, as the index has them: op->in.user.email in small letters.
 */
struct td_slice pg_key_email(struct store_op *op);
struct td_slice pg_key_user_id(struct store_op *op);

/* Reads that run alone, in a transaction of their own. TD_UNAVAILABLE: lost. */
typedef enum td_status pg_single_read_fn(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op);
pg_single_read_fn pg_catalogue_read, pg_key_list, pg_subscription_due, pg_history_list,
	pg_answer_find, pg_reset_get, pg_clock_get, pg_events_count, pg_kept_get;

/* The columns of a row of history `h`, and how they are read where they begin with column 1. False:
 * it is outside the rules. */
#define PG_SQL_HISTORY                                                  \
	"h.id, h.subscription_id, h.user_id, h.action, h.from_package," \
	" h.to_package, h.from_cycle, h.to_cycle, " PG_SQL_CENTS(       \
		"h.price") ", h.currency, h.reason, h.actor, h.created_at, h.seq"
bool pg_history_row(const PGresult *r, int row, struct td_arena *arena, struct store_history *h);

#endif
