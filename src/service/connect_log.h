/* What connecting to a database says on the log: the same lines for every engine, the ones that
 * outside tests read. Each takes the engine's words and the settings; the supervisor's thread. */
#ifndef TD_SERVICE_CONNECT_LOG_H
#define TD_SERVICE_CONNECT_LOG_H

#include "connect/supervisor.h"
#include "settings/settings.h"

struct connect_log {
	const char *engine;    /* "PostgreSQL" */
	const char *prefix;    /* of events and checks: "postgres" */
	const char *service;   /* what it is called in a stack: "postgresql" */
	const char *connected; /* the line of the first success */
	/* What names the place: "postgresql:5432/main_db". */
	void (*put_target)(const struct settings *settings, char *out, size_t size);
	const char *(*first_host)(const struct settings *settings);
	/* The variables that say what was refused. */
	const char *(*setting_of)(const struct settings *settings, enum connect_class class);
	/* What to do, where the engine has words of its own; NULL, or NULL from it: the common
	 * ones. */
	const char *(*advice_of)(const struct settings *settings, enum connect_class class);
};

void connect_log_connecting(const struct connect_log *log, const struct settings *settings);
void connect_log_start_failed(const struct connect_log *log, const struct settings *settings,
	int64_t number, int64_t of, const struct connect_failures *failures, int64_t wait_ms);
void connect_log_gave_up(const struct connect_log *log, const struct settings *settings,
	int64_t attempts, int64_t passed_ms, const struct connect_failures *failures);
void connect_log_up(const struct connect_log *log, bool again, int64_t away_ms);
void connect_log_lost(const struct connect_log *log, const struct connect_failures *failures);
void connect_log_still_down(const struct connect_log *log, const struct settings *settings,
	int64_t away_ms, const struct connect_failures *failures);

/* What to do about a failure of the class at a host, as it was set. */
void connect_log_advice(const struct connect_log *log, const struct settings *settings,
	enum connect_class class, const char *host, char *out, size_t size);

/* The schedule at start, as the settings have it. */
struct connect_schedule connect_log_schedule(const struct settings *settings);

/* For a command that lost its database, and tries again in the end only so often: waits as the
 * schedule says, with a line. False: it is used up. */
bool connect_log_may_retry(struct connect_schedule *schedule);

#endif
