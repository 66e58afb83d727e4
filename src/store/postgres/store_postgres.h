/* PostgreSQL behind the store's port: one lane that writes, some that read, each with a connection
 * in pipeline mode, and a supervisor whose own connection tells whether the server is there and
 * what changed.
 *
 * A batch of reads is one statement for each kind; so is a batch of writes, in one transaction.
 * While the server is away operations are answered TD_UNAVAILABLE at once; a write whose connection
 * dies is repeated under its own identifier within its deadline. */
#ifndef TD_STORE_POSTGRES_STORE_POSTGRES_H
#define TD_STORE_POSTGRES_STORE_POSTGRES_H

#include "connect/supervisor.h"
#include "connect/url.h"
#include "migrate/migrate.h"
#include "store/examine.h"
#include "store/store.h"

/* Gives the password, anew at every connection, because a file may have been replaced; into
 * `arena`, which is wiped soon after. *ret_password NULL: none. Any thread of the store. */
typedef enum td_status store_postgres_password_fn(
	void *ctx, struct td_arena *arena, const char **ret_password, struct td_err *err);

struct store_postgres_config {
	struct connect_url
		url; /* its strings are borrowed until destroy; its password is not used */
	store_postgres_password_fn *password; /* NULL: none */
	void *password_ctx;
	const char *application;      /* shown in pg_stat_activity */
	const struct td_clock *clock; /* borrowed until destroy */
	int64_t connect_timeout_ms;   /* CONNECT_TIMEOUT */
	int64_t store_timeout_ms;     /* STORE_TIMEOUT */
	size_t queue_limit;           /* of each lane; 0: 8192 */
	int64_t lifetime_ms;          /* of a lane's connection, at most; 0: 45 minutes */
	struct connect_schedule schedule;
	struct connect_observer observer;
	/* A row of another client's that breaks the rules and is not served: each is told once (or
	 * seldom). By a thread of the store; short. NULL: nobody. */
	void (*bad_row)(void *ctx, const struct store_bad_row *row);
	void *bad_row_ctx;
};

/* Begins to connect and returns at once; the store answers TD_UNAVAILABLE until it has. `config` is
 * copied. */
enum td_status store_postgres_create(const struct store_postgres_config *config,
	struct store **ret_store, struct td_err *err) TD_MUST_CHECK;

/* Waits for the first connection: TD_OK; TD_UNAVAILABLE when the schedule is used up; TD_STOPPING.
 */
enum td_status store_postgres_wait(struct store *store) TD_MUST_CHECK;

/* What is known of the server since the last connection. */
struct store_postgres_server {
	int version; /* 150018 */
	bool fsync_off, synchronous_commit_off;
	bool pooled; /* a pooler stands between: changes are only noticed by reading again */
};

/* On a connection of its own, until CONNECT_TIMEOUT. */
enum td_status store_postgres_inspect(struct store *store, struct store_postgres_server *ret_server,
	struct td_err *err) TD_MUST_CHECK;

struct store_postgres_migration {
	const char *schema_dir; /* NULL: compiled in */
	struct migrate_observer observer;
	bool (*go_on)(void *ctx); /* asked about every second while another process migrates; false
				     gives up */
	void *go_on_ctx;
};

/* Brings the schema up to date on a connection of its own. A newer schema is accepted and left
 * alone. */
enum td_status store_postgres_migrate(struct store *store, const struct store_postgres_migration *m,
	struct td_err *err) TD_MUST_CHECK;

/* What store_postgres_migrate() would do; changes nothing. */
enum td_status store_postgres_plan(struct store *store, const char *schema_dir,
	struct td_arena *arena, struct migrate_plan *ret_plan, struct td_err *err) TD_MUST_CHECK;

/* ---- for doctor; without a store */

/* Whether libpq is there and takes the URL's parameters; connects to nothing. Before
 * store_postgres_examine(), by one thread at a time. TD_INVALID, TD_UNAVAILABLE, TD_NOMEM. */
enum td_status store_postgres_check(
	const struct store_postgres_config *config, struct td_err *err) TD_MUST_CHECK;

struct store_postgres_look {
	size_t host;            /* which of the URL's */
	const char *schema_dir; /* NULL: compiled in */
	bool has_content;       /* metadata and features are here, and not in Cassandra */
};

/* Logs in at one host and looks at everything from TLS on, changing nothing: what tries whether the
 * server takes writes is rolled back.
 *   TD_OK           x has the findings, up to the first layer that fails
 *   TD_UNAVAILABLE  nobody could log in: ret_failures has each address
 *   TD_NOMEM */
enum td_status store_postgres_examine(const struct store_postgres_config *config,
	const struct store_postgres_look *look, const struct connect_limit *limit,
	struct store_examination *x, struct connect_failures *ret_failures) TD_MUST_CHECK;

#endif
