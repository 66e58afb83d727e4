/* What the files of this folder share; nobody else includes it. */
#ifndef TD_DOCTOR_DOCTOR_INTERNAL_H
#define TD_DOCTOR_DOCTOR_INTERNAL_H

#include "connect/reach.h"
#include "doctor/doctor.h"
#include "service/connect_log.h"
#include "store/examine.h"
#include "work/thread.h"

/* ---- report.c */

/* A check at the end of the list, all of it empty; NULL: no memory. */
struct doctor_check *doctor_add(
	struct doctor_report *report, const char *id, const char *target) TD_MUST_CHECK;

/* ---- target.c: one host of a database, or one file */

struct doctor_target;

struct doctor_engine {
	const char *name;                /* of its checks: "postgres" */
	const struct connect_log *words; /* NULL: it has no network */
	/* What is to be found from TLS on. TD_UNAVAILABLE: ret_failures says why nobody could log
	 * in. Another: out of memory. */
	enum td_status (*examine)(
		struct doctor_target *target, struct connect_failures *ret_failures);
	/* Why it has nothing of the kind; NULL where it has. */
	const char *absent[STORE_LAYER_COUNT];
	/* Why an attempt fails so, where it has words of its own; NULL: the common ones. */
	const char *causes[CONNECT_CLASS_COUNT];
};

struct doctor_target {
	const struct doctor_engine *engine;
	const struct settings *settings;
	const struct connect_host *host; /* NULL: a file */
	size_t place;                    /* of the host among the engine's */
	char name[DOCTOR_TARGET_SIZE];
	struct connect_limit limit;
	struct store_examination found;
	struct connect_addresses addresses; /* none where the name could not be looked up */
	char wrong_setting[400];            /* "": none came to light */
	struct td_thread thread;
	bool is_running;
	bool failed, has_working_sibling; /* once all have been looked at */
};

extern const struct doctor_engine doctor_postgres, doctor_cassandra, doctor_sqlite;

/* Fills in `found`. Any thread. */
void doctor_target_examine(struct doctor_target *target);

/* The target's checks, in the order of the layers. False: no memory. */
bool doctor_target_report(
	const struct doctor_target *target, struct doctor_report *report) TD_MUST_CHECK;

/* ---- words.c */

/* Why an attempt fails so, in a sentence. */
const char *doctor_cause(const struct doctor_engine *engine, enum connect_class class);

/* ---- config.c */

/* `config`: which variables win, or what is wrong. False: no memory. */
bool doctor_check_config(const struct settings *settings, const struct settings_problems *problems,
	struct doctor_report *report) TD_MUST_CHECK;

/* A setting that turned out to be wrong later: `config` fails. */
void doctor_blame_config(struct doctor_report *report, const char *message);

/* ---- host.c */

/* Of this machine; the targets have been looked at. False: no memory. */
bool doctor_check_host(const struct settings *settings, const struct doctor_target *targets,
	size_t count, struct doctor_report *report) TD_MUST_CHECK;

#endif
