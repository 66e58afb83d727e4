/* What the parts of a service share; for src/service/ only.
 *
 *  STARTING  HTTP answers: /livez 200, everything else 503 with the reason. The starter's thread
 *            opens, migrates and populates the store and reads the first snapshot.
 *  READY     everything is answered. Nobody goes back to STARTING.
 *  STOPPING  no new connections; what is in flight is answered; then the store is stopped. */
#ifndef TD_SERVICE_SERVICE_INTERNAL_H
#define TD_SERVICE_SERVICE_INTERNAL_H

#include "api/api.h"
#include "api/call.h"
#include "call/call.h"
#include "catalogue/refresh.h"
#include "http/http.h"
#include "page/page.h"
#include "service/go_on.h"
#include "service/notify.h"
#include "service/relay.h"
#include "service/serve.h"
#include "service/sweeper.h"
#include "settings/settings.h"
#include "store/store.h"
#include "work/lock.h"
#include "work/thread.h"
#include "work/ticker.h"

#include <stdatomic.h>

/* What the start does with each kind of database. */
struct service_database {
	const char *name;  /* as health has it: "postgresql" */
	const char *title; /* "PostgreSQL" */
	/* A server: these four, as in postgres.h. NULL: a file, as in storage.h. */
	enum td_status (*create)(const struct settings *settings, const char *command,
		struct store **ret_store, struct td_err *err);
	enum td_status (*wait)(struct store *store, struct td_err *err);
	enum td_status (*migrate)(struct store *store, const struct settings *settings,
		service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err);
	/* NULL: no role waits for the schema of others. */
	enum td_status (*wait_for_schema)(struct store *store, const struct settings *settings,
		service_go_on_fn *go_on, void *go_on_ctx, struct td_err *err);
	/* For the content of a service that may begin without it: as create(), but it does not give
	 * up, until it is told. NULL: no service can begin without this database. */
	enum td_status (*create_beside)(const struct settings *settings, const char *command,
		struct store **ret_store, struct td_err *err);
	void (*keep_trying)(struct store *store, bool keeps_trying);
	bool has_records; /* users, subscriptions, a clock; else content alone */
};

extern const struct service_database service_sqlite, service_postgres, service_cassandra;

enum service_phase {
	SERVICE_STARTING,
	SERVICE_READY,
	SERVICE_STOPPING,
};

struct service {
	/* Set before threads start, then read-only. */
	const struct service_role *role;
	const struct service_database *database;
	/* Of the packages' content, beside that of the records; NULL: the content is there, too. */
	const struct service_database *content_database;
	char application[64]; /* shown by the database */
	const struct settings *settings;
	const struct td_clock *clock;
	int64_t started_ms; /* wall clock */
	struct td_ticker *ticker;
	struct http_server *server;
	struct api *api;
	struct page *page;
	struct calls *calls;
	struct api_calls *api_calls;
	struct catalogue_holder *holder;
	int wake_fd; /* an eventfd: the main thread should look again */

	struct td_lock lock;
	struct td_cond changed;                /* has_snapshot or phase */
	enum service_phase phase;              /* guarded by lock */
	char reason[TD_ERR_TEXT_MAX];          /* why it is not ready; guarded by lock */
	bool has_snapshot;                     /* guarded by lock */
	struct store *store;                   /* set once by the starter; guarded by lock */
	struct store *content_store;           /* the same */
	bool has_content;                      /* its schema is there; guarded by lock */
	struct catalogue_refresher *refresher; /* as store */
	struct sweeper *sweeper;               /* the same; only where the role migrates */
	struct relay *relay;                   /* the same; only where there is an event log */
	bool stopper_ended;                    /* guarded by lock */
	int code;                              /* the exit code so far; guarded by lock */

	/* The starter's, then the stopper's. */
	struct td_thread content;
	bool content_runs;

	/* The main thread's. */
	struct td_thread starter, stopper;
	bool starter_runs, stopper_runs;
	struct notify notify;
	int signal; /* that ends us; 0: none yet */
	uint64_t stop_deadline_ms;

	/* The ticker's. */
	uint64_t http_due_ms, clock_due_ms;

	atomic_bool looks_at_clock; /* an operation for it is out */

	/* The stopper's, then the main thread's. */
	bool cut_off;
};

/* A td_thread_fn of the starter: from opening the store to READY. Sets `code` where it fails. */
void service_start(void *service);

/* Ends the service with this exit code; the first counts. `err` is logged, NULL: it was. Any
 * thread.
 */
void service_fail(struct service *service, int code, const struct td_err *err);

/* ---- content.c: the content's own database, in a thread of its own beside the start of the
 * records'
 */

/* Begins to connect, migrates or waits for the schema, populates. False: it failed. The starter's.
 */
bool service_begin_content(struct service *service) TD_MUST_CHECK;

/* Waits until the content can be read there, or was kept in the records' store while it cannot be.
 * False: the service is stopping. The starter's. */
bool service_await_content(struct service *service) TD_MUST_CHECK;

/* Tells the main thread to look again. Any thread. */
void service_wake(struct service *service);

/* Why it is not ready yet. Any thread. */
void service_set_reason(struct service *service, const char *reason);

/* The stores and the refresher as far as they are there; NULL else. They stay until the server has
 * stopped. Any thread. */
struct store *service_store(struct service *service);
struct store *service_content_store(struct service *service);
struct catalogue_refresher *service_refresher(struct service *service);

enum service_phase service_phase(struct service *service);

/* ---- health.c */

enum td_status service_add_health_routes(struct service *service, struct td_err *err) TD_MUST_CHECK;

/* http_before_fn's shape: 503 until the service is ready; ctx = the service. */
bool service_before(struct http_request *rq, const struct http_route *route, void *service);

/* ---- test_clock.c */

/* Lets the test clock start, where TEST_CLOCK is set and none runs in the store yet. Waits. */
bool service_start_test_clock(struct service *service, struct td_err *err) TD_MUST_CHECK;

/* From time to time, where TEST_CLOCK is set: looks at what others have set it to. The ticker's. */
void service_look_at_test_clock(struct service *service, uint64_t now_ms);

/* Only where TEST_CLOCK is set. */
enum td_status service_add_test_clock_route(
	struct service *service, struct td_err *err) TD_MUST_CHECK;

/* ---- metrics.c */

enum td_status service_add_metrics_route(struct service *service, struct td_err *err) TD_MUST_CHECK;

/* Prometheus text (exposition format 0.0.4). */
void service_put_metrics(struct service *service, struct td_buf *out);

#endif
