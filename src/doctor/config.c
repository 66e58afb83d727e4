/* The check `config`: which variables lead where, and what is wrong with them. */
#include "doctor/doctor_internal.h"

#include "base/clock.h"
#include "service/cassandra.h"
#include "service/postgres.h"
#include "settings/settings_print.h"

#include <stdio.h>

static const char fix[] = "Correct what is named; `tools-dashboard config` shows every setting and "
			  "where it came from, docs/CONFIGURATION.md what each may be.";

static void put_winner(
	struct td_buf *out, const struct settings *settings, enum setting_id id, const char *before)
{
	struct td_arena arena = TD_ARENA_INIT;
	const char *origin = settings_show_origin(settings, id, &arena);
	td_buf_printf(
		out, "%s%s (%s)", before, setting_get(id)->name, origin != NULL ? origin : "");
	td_arena_done(&arena);
}

/* All that are set of a list. The number of them. */
static size_t put_set(struct td_buf *out, const struct settings *settings,
	const enum setting_id *ids, size_t count)
{
	size_t set = 0;
	for (size_t i = 0; i < count; i++) {
		if (settings_is_set(settings, ids[i]))
			put_winner(out, settings, ids[i], set++ > 0 ? ", " : "");
	}
	return set;
}

/* What is set, but loses. */
static void put_losers(struct td_buf *out, const struct settings *settings,
	const enum setting_id *ids, size_t count)
{
	size_t set = 0;
	for (size_t i = 0; i < count; i++) {
		if (settings_is_set(settings, ids[i]))
			td_buf_printf(out, "%s%s", set++ == 0 ? ", which wins over " : ", ",
				setting_get(ids[i])->name);
	}
}

static void put_postgres(struct td_buf *out, const struct settings *settings)
{
	static const enum setting_id parts[] = {SETTING_POSTGRES_HOST, SETTING_POSTGRES_PORT,
		SETTING_POSTGRES_DB, SETTING_POSTGRES_USER, SETTING_POSTGRES_PASSWORD};
	char target[300];
	postgres_words.put_target(settings, target, sizeof(target));
	td_buf_printf(out, "PostgreSQL at %s by ", target);
	if (!settings_is_set(settings, SETTING_DATABASE_URL)) {
		(void)put_set(out, settings, parts, TD_ARRAY_LEN(parts));
		return;
	}
	put_winner(out, settings, SETTING_DATABASE_URL, "");
	put_losers(out, settings, parts, TD_ARRAY_LEN(parts));
}

static void put_cassandra(struct td_buf *out, const struct settings *settings)
{
	static const enum setting_id loser[] = {SETTING_CASSANDRA_HOSTS};
	bool by_points = settings_is_set(settings, SETTING_CASSANDRA_CONTACT_POINTS);
	char target[300];
	cassandra_words.put_target(settings, target, sizeof(target));
	td_buf_printf(out, "%sCassandra at %s by ", out->len > 0 ? "; " : "", target);
	put_winner(out, settings,
		by_points ? SETTING_CASSANDRA_CONTACT_POINTS : SETTING_CASSANDRA_HOSTS, "");
	if (by_points)
		put_losers(out, settings, loser, 1);
}

static void put_sqlite(struct td_buf *out, const struct settings *settings)
{
	td_buf_printf(out, "SQLite at %s ", settings->sqlite_path);
	if (settings_is_set(settings, SETTING_DATABASE_URL))
		put_winner(out, settings, SETTING_DATABASE_URL, "by ");
	else
		td_buf_put_str(out, "by default: no database is set");
}

static bool is_cassandra_alone(const struct settings *settings)
{
	return settings->uses_cassandra && !settings->uses_postgres;
}

static void put_winners(struct td_buf *out, const struct settings *settings)
{
	if (settings->uses_postgres)
		put_postgres(out, settings);
	else if (!settings->uses_cassandra)
		put_sqlite(out, settings);
	if (settings->uses_cassandra)
		put_cassandra(out, settings);
	else
		td_buf_put_str(out, "; no Cassandra is set");
	if (is_cassandra_alone(settings))
		td_buf_put_str(out, "; no PostgreSQL is set, which serve and back-api need beside "
				    "Cassandra");
}

static void put_problems(struct doctor_check *check, const struct settings_problems *problems)
{
	struct td_buf text = TD_BUF_INIT;
	for (size_t i = 0; i < problems->count; i++)
		td_buf_printf(&text, "%s%s", i > 0 ? "; " : "", problems->text[i]);
	const char *all = td_buf_cstr(&text);
	check->status = DOCTOR_FAIL;
	(void)snprintf(check->message, sizeof(check->message), "%zu %s wrong", problems->count,
		problems->count == 1 ? "setting is" : "settings are");
	(void)snprintf(check->cause, sizeof(check->cause), "%s", all != NULL ? all : "");
	(void)snprintf(check->fix, sizeof(check->fix), "%s", fix);
	td_buf_done(&text);
}

/* serve and back-api end at once with that; back-cassandra needs no DATABASE_URL. */
static void put_sqlite_beside_cassandra(
	const struct settings *settings, struct doctor_report *report)
{
	const char *points = settings_is_set(settings, SETTING_CASSANDRA_CONTACT_POINTS)
				     ? "CASSANDRA_CONTACT_POINTS"
				     : "CASSANDRA_HOSTS";
	char text[400];
	(void)snprintf(text, sizeof(text),
		"DATABASE_URL leads to SQLite, but content in Cassandra (%s) needs PostgreSQL for "
		"all else; set DATABASE_URL=postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or "
		"unset %s",
		points, points);
	doctor_blame_config(report, text);
}

bool doctor_check_config(const struct settings *settings, const struct settings_problems *problems,
	struct doctor_report *report)
{
	uint64_t began_ns = td_clock_mono_ns();
	struct td_buf text = TD_BUF_INIT;
	struct doctor_check *check = doctor_add(report, "config",
		settings->config_path != NULL ? settings->config_path : "settings");
	if (check == NULL)
		return false;
	if (problems->count > 0) {
		report->has_wrong_setting = true;
		put_problems(check, problems);
	} else if (is_cassandra_alone(settings) &&
		   settings_is_set(settings, SETTING_DATABASE_URL)) {
		put_sqlite_beside_cassandra(settings, report);
	} else {
		put_winners(&text, settings);
		const char *winners = td_buf_cstr(&text);
		(void)snprintf(check->message, sizeof(check->message), "%s",
			winners != NULL ? winners : "");
		td_buf_done(&text);
	}
	check->duration_ms = (int64_t)((td_clock_mono_ns() - began_ns) / 1000000u);
	return true;
}

void doctor_blame_config(struct doctor_report *report, const char *message)
{
	struct doctor_check *check = &report->checks[0];
	report->has_wrong_setting = true;
	if (check->status == DOCTOR_FAIL)
		return;
	check->status = DOCTOR_FAIL;
	(void)snprintf(check->cause, sizeof(check->cause), "%s", message);
	(void)snprintf(check->message, sizeof(check->message), "a setting cannot be used");
	(void)snprintf(check->fix, sizeof(check->fix), "%s", fix);
}
