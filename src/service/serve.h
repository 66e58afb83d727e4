/* The processes that stay: HTTP, a store and what the role adds to them. */
#ifndef TD_SERVICE_SERVE_H
#define TD_SERVICE_SERVE_H

#include "base/compiler.h"
#include "settings/settings.h"

struct service_database;

struct service_role {
	const char *name; /* the command: "serve" */
	bool edges;       /* API and pages; else health and metrics alone */
	bool migrates;    /* and populates; else it waits until the schema is there */
	/* Always this one; NULL: as the settings say. */
	const struct service_database *database;
	int64_t port; /* where PORT is not set */
};

extern const struct service_role service_role_serve, service_role_back_postgres,
	service_role_back_cassandra, service_role_back_api;

/* Runs until a signal ends it or the start fails; the exit code. HTTP listens before the database
 * is touched. All are borrowed. Main thread, once, before any other thread is started. */
int serve_run(const struct service_role *role, const struct settings *settings,
	const char *const *environment) TD_MUST_CHECK;

#endif
