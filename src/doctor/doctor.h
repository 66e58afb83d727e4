/* The whole chain from the settings to the data, looked at layer by layer: what is wrong, why, and
 * what to do. Nothing is changed anywhere, and no secret is told.
 *
 * Called by command/, in one thread; every host of every database is looked at in a thread of its
 * own, all side by side, within CONNECT_TIMEOUT. */
#ifndef TD_DOCTOR_DOCTOR_H
#define TD_DOCTOR_DOCTOR_H

#include "base/buf.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum doctor_status {
	DOCTOR_OK,
	DOCTOR_WARN,
	DOCTOR_FAIL,
	DOCTOR_SKIP, /* something before it failed, or there is nothing of the kind */
};

#define DOCTOR_ID_SIZE     48
#define DOCTOR_TARGET_SIZE 320

struct doctor_check {
	char id[DOCTOR_ID_SIZE];         /* "postgres.tcp" */
	char target[DOCTOR_TARGET_SIZE]; /* "postgresql:5432" */
	enum doctor_status status;
	bool is_silent; /* there is nothing of the kind: not worth a line for people */
	int64_t duration_ms;
	char message[960], cause[960], fix[960]; /* the last two: "" where all is well */
};

struct doctor_report {
	struct doctor_check *checks; /* owned */
	size_t count, room;
	bool is_in_container;
	bool has_wrong_setting;
	int64_t duration_ms;
};

/* Looks. `problems` is what settings_load() said of the settings: where something is wrong nothing
 * is connected to. TD_OK: give the report to doctor_report_done(). TD_NOMEM. */
enum td_status doctor_run(const struct settings *settings, const struct settings_problems *problems,
	struct doctor_report *ret_report, struct td_err *err) TD_MUST_CHECK;
void doctor_report_done(struct doctor_report *report);

/* The worst of all checks: ok, warn or fail. */
enum doctor_status doctor_report_status(const struct doctor_report *report);

/* For a program ({"status", "version", "in_container", "checks"}), and for people: a line
 * a check, and one at the end. */
void doctor_write_json(const struct doctor_report *report, struct td_buf *out);
void doctor_write_text(const struct doctor_report *report, bool colour, struct td_buf *out);

#endif
