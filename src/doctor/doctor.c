#include "doctor/doctor_internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "service/postgres.h"

#include <stdio.h>
#include <string.h>

/* The part of CONNECT_TIMEOUT that is left for telling: a twentieth. */
#define RESERVE 20

struct run {
	const struct settings *settings;
	struct doctor_target *targets;
	size_t count;
	struct connect_limit limit;
};

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

/* ---- who is to be looked at */

static struct doctor_target *add_target(struct run *run, const struct doctor_engine *engine)
{
	struct doctor_target *t = &run->targets[run->count++];
	t->engine = engine;
	t->settings = run->settings;
	t->limit = run->limit;
	return t;
}

static void add_hosts(struct run *run, const struct doctor_engine *engine,
	const struct connect_host *hosts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct doctor_target *t = add_target(run, engine);
		bool v6 = strchr(hosts[i].name, ':') != NULL;
		t->host = &hosts[i];
		t->place = i;
		(void)snprintf(t->name, sizeof(t->name), "%s%.250s%s:%u", v6 ? "[" : "",
			hosts[i].name, v6 ? "]" : "", hosts[i].port);
	}
}

/* A variable of that kind cannot be understood, so that nobody knows where it leads. */
static bool is_wrong(const struct settings_problems *problems, const char *prefix)
{
	for (size_t i = 0; i < problems->count; i++) {
		if (strncmp(problems->text[i], prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

static enum td_status make_targets(struct run *run, const struct settings_problems *problems)
{
	const struct settings *s = run->settings;
	size_t most = s->postgres.host_count + s->cassandra.host_count + 2;
	run->targets = td_alloc_array(most, sizeof(*run->targets));
	if (run->targets == NULL)
		return TD_NOMEM;
	if (s->uses_postgres)
		add_hosts(run, &doctor_postgres, s->postgres.hosts, s->postgres.host_count);
	if (s->uses_cassandra)
		add_hosts(run, &doctor_cassandra, s->cassandra.hosts, s->cassandra.host_count);
	if (!s->uses_postgres &&
		(is_wrong(problems, "DATABASE_URL") || is_wrong(problems, "POSTGRES_")))
		(void)add_target(run, &doctor_postgres);
	if (!s->uses_cassandra && is_wrong(problems, "CASSANDRA_"))
		(void)add_target(run, &doctor_cassandra);
	if (run->count == 0) {
		struct doctor_target *t = add_target(run, &doctor_sqlite);
		(void)snprintf(t->name, sizeof(t->name), "%.300s",
			s->sqlite_path != NULL ? s->sqlite_path : "");
	}
	return TD_OK;
}

/* ---- looking */

static void examine(void *ctx)
{
	doctor_target_examine(ctx);
}

/* One that gets no thread is looked at when the others are under way. */
static void examine_all(struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		struct doctor_target *t = &run->targets[i];
		t->is_running = td_thread_start(&t->thread, "doctor", examine, t, NULL) == TD_OK;
	}
	for (size_t i = 0; i < run->count; i++) {
		if (run->targets[i].is_running)
			td_thread_join(&run->targets[i].thread);
		else
			doctor_target_examine(&run->targets[i]);
	}
}

static void compare_siblings(struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		struct doctor_target *t = &run->targets[i];
		enum store_layer layer;
		t->failed = store_examination_failed(&t->found, &layer);
	}
	for (size_t i = 0; i < run->count; i++) {
		for (size_t j = 0; j < run->count; j++)
			run->targets[i].has_working_sibling |=
				run->targets[i].engine == run->targets[j].engine &&
				!run->targets[j].failed && run->targets[j].wrong_setting[0] == '\0';
	}
}

/* libpq is loaded, and looks at the URL, before threads use it. */
static bool check_library(struct run *run, struct doctor_report *report)
{
	const struct store_postgres_config config = postgres_config(
		run->settings, "tools-dashboard doctor");
	struct td_err err = TD_ERR_INIT;
	if (!run->settings->uses_postgres || store_postgres_check(&config, &err) == TD_OK)
		return true;
	(void)td_err_context(&err, "DATABASE_URL");
	doctor_blame_config(report, err.text);
	return false;
}

static enum td_status look(struct run *run, struct doctor_report *report)
{
	bool fits = true;
	if (!report->has_wrong_setting && check_library(run, report))
		examine_all(run);
	compare_siblings(run);
	for (size_t i = 0; i < run->count && fits; i++) {
		if (run->targets[i].wrong_setting[0] != '\0')
			doctor_blame_config(report, run->targets[i].wrong_setting);
		fits = doctor_target_report(&run->targets[i], report);
	}
	fits = fits && doctor_check_host(run->settings, run->targets, run->count, report);
	return fits ? TD_OK : TD_NOMEM;
}

enum td_status doctor_run(const struct settings *settings, const struct settings_problems *problems,
	struct doctor_report *ret_report, struct td_err *err)
{
	uint64_t began_ms = now_ms();
	int64_t timeout_ms = settings->connect_timeout_ms;
	struct run run = {.settings = settings,
		.limit = {.deadline_ms = began_ms + (uint64_t)(timeout_ms - timeout_ms / RESERVE)}};
	*ret_report = (struct doctor_report){.is_in_container = connect_in_container()};
	enum td_status status = doctor_check_config(settings, problems, ret_report) ? TD_OK
										    : TD_NOMEM;
	if (status == TD_OK)
		status = make_targets(&run, problems);
	if (status == TD_OK)
		status = look(&run, ret_report);
	ret_report->duration_ms = (int64_t)(now_ms() - began_ms);
	td_free(run.targets);
	if (status == TD_OK)
		return TD_OK;
	doctor_report_done(ret_report);
	return td_err_set(err, status, "no memory for what was found");
}
