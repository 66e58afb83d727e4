/* Cassandra behind the store's port, for content (metadata and features of packages) and as the
 * event log (EVENTS_TELL, EVENTS_LIST). What else the port has is answered TD_INTERNAL: it belongs
 * to the store of the records.
 *
 * CATALOGUE_READ with STORE_CONTENT reads by partition, until two reads say the same, for nothing
 * here holds several partitions together. CATALOGUE_APPLY writes in logged batches, one where they
 * fit into it. CATALOGUE_POPULATE is recorded when it is complete, under the lock of the
 * migrations: one that was cut off is completed by the next, and it never overwrites or brings back
 * what somebody else has written or deleted.
 *
 * While no node is there operations are answered TD_UNAVAILABLE at once. */
#ifndef TD_STORE_CASSANDRA_STORE_CASSANDRA_H
#define TD_STORE_CASSANDRA_STORE_CASSANDRA_H

#include "connect/supervisor.h"
#include "connect/url.h"
#include "cql/client/session.h"
#include "migrate/migrate.h"
#include "store/examine.h"
#include "store/store.h"

/* Gives the password, anew at every attempt, because a file may have been replaced; into `arena`,
 * which is wiped soon after. Any thread of the store. */
typedef enum td_status store_cassandra_password_fn(
	void *ctx, struct td_arena *arena, const char **ret_password, struct td_err *err);

enum store_cassandra_tls_mode {
	STORE_CASSANDRA_TLS_DISABLE,
	STORE_CASSANDRA_TLS_REQUIRE,     /* encrypted; whoever answers is believed */
	STORE_CASSANDRA_TLS_VERIFY_CA,   /* signed by an authority that is trusted, … */
	STORE_CASSANDRA_TLS_VERIFY_FULL, /* … and made out to the name that was asked for */
};

/* Files are PEM, and read again when they have changed. */
struct store_cassandra_tls {
	enum store_cassandra_tls_mode mode;
	const char *ca_file;              /* NULL: the system's */
	const char *cert_file, *key_file; /* ours; NULL: none */
};

/* Its strings and arrays are borrowed until destroy. */
struct store_cassandra_config {
	const struct connect_host *contact_points; /* up to CQL_CONTACT_POINTS_MOST */
	size_t contact_point_count;
	const char *keyspace; /* letters, digits and '_' */
	const char *user;     /* NULL: the nodes ask for none */
	store_cassandra_password_fn *password;
	void *password_ctx;
	struct store_cassandra_tls tls;
	const char *local_dc;        /* NULL: that of the first node */
	const char *replication;     /* a map of CQL for a keyspace that is made; NULL: … */
	unsigned replication_factor; /* … so many in the local data centre */
	enum cql_consistency consistency;
	const char *application;      /* who is said to migrate */
	const struct td_clock *clock; /* borrowed until destroy */
	int64_t connect_timeout_ms;   /* CONNECT_TIMEOUT */
	int64_t store_timeout_ms;     /* STORE_TIMEOUT */
	size_t queue_limit;           /* of each lane; 0: 1024 */
	struct connect_schedule schedule;
	bool keeps_trying; /* when the schedule is used up */
	struct connect_observer observer;
	/* A row of the event log that breaks the rules and is not served; each is told once. Any
	 * thread. NULL: nobody. */
	void (*bad_row)(void *ctx, const struct store_bad_row *row);
	void *bad_row_ctx;
	/* There are more nodes than store_cassandra_inspect() saw last. By the supervisor's thread;
	 * it may call that. NULL: nobody. */
	void (*more_nodes)(void *ctx, struct store *store);
	void *more_nodes_ctx;
};

/* Begins to connect and returns at once. `config` is copied. TD_INVALID, TD_IO: a file for TLS
 * cannot be used. */
enum td_status store_cassandra_create(const struct store_cassandra_config *config,
	struct store **ret_store, struct td_err *err) TD_MUST_CHECK;

/* Waits for the first connection: TD_OK; TD_UNAVAILABLE when the schedule is used up; TD_STOPPING.
 */
enum td_status store_cassandra_wait(struct store *store) TD_MUST_CHECK;

/* As config.keeps_trying, from now on. Any thread. */
void store_cassandra_keep_trying(struct store *store, bool keeps_trying);

struct store_cassandra_migration {
	const char *schema_dir; /* NULL: compiled in */
	struct migrate_observer observer;
	bool (*go_on)(void *ctx); /* asked about every second while another process migrates; false
				     gives up. NULL: go on */
	void *go_on_ctx;
};

/* Makes the keyspace where it is missing, and brings its tables up to date. One process at a time
 * does, under a lock that a dead one loses within half a minute. A newer schema is accepted and
 * left alone.
 *   TD_INVALID  the replication, or a migration, is refused by the server
 *   TD_DENIED   the role may not do that
 *   TD_UNAVAILABLE, TD_TIMEOUT  try again; what was done stays, and is not done twice */
enum td_status store_cassandra_migrate(struct store *store,
	const struct store_cassandra_migration *m, struct td_err *err) TD_MUST_CHECK;

/* What store_cassandra_migrate() would do; changes nothing. */
enum td_status store_cassandra_plan(struct store *store, const char *schema_dir,
	struct td_arena *arena, struct migrate_plan *ret_plan, struct td_err *err) TD_MUST_CHECK;

/* Whether a population was completed once. */
enum td_status store_cassandra_is_populated(
	struct store *store, bool *ret_is, struct td_err *err) TD_MUST_CHECK;

/* Fewer replicas in the local data centre than would survive a node's death. */
struct store_cassandra_weakness {
	size_t nodes;
	unsigned factor, better; /* `better` 0: nothing is weak */
	char keyspace[64], local_dc[256];
	char alter[640]; /* the statement that changes it */
};

enum td_status store_cassandra_inspect(struct store *store,
	struct store_cassandra_weakness *ret_weakness, struct td_err *err) TD_MUST_CHECK;

/* ---- for doctor; without a store */

struct store_cassandra_look {
	size_t point;           /* which of the contact points */
	const char *schema_dir; /* NULL: compiled in */
};

/* Logs in through one contact point and looks at everything from TLS on, changing nothing: what
 * tries whether writes are taken deletes a row, if it is there, that never is.
 *   TD_OK           x has the findings, up to the first layer that fails
 *   TD_UNAVAILABLE  nobody could log in: ret_failures has each address
 *   TD_NOMEM */
enum td_status store_cassandra_examine(const struct store_cassandra_config *config,
	const struct store_cassandra_look *look, const struct connect_limit *limit,
	struct store_examination *x, struct connect_failures *ret_failures) TD_MUST_CHECK;

#endif
