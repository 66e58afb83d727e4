#include "migrate/migrate.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *word;
	bool stops;
} states[MIGRATE_STATE_COUNT] = {
#define MIGRATE_STATE_ROW(name, word, stops) [MIGRATE_##name] = {word, stops},
	MIGRATE_STATE_MAP(MIGRATE_STATE_ROW)
#undef MIGRATE_STATE_ROW
};

const char *migrate_state_word(enum migrate_state state)
{
	td_assert(state < MIGRATE_STATE_COUNT);
	return states[state].word;
}

/* ---- plan */

static const struct migrate_applied *find_applied(
	const struct migrate_applied *applied, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++) {
		if (applied[i].number == number)
			return &applied[i];
	}
	return NULL;
}

static bool has_file(const struct migrate_set *set, uint32_t number)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->files[i].number == number)
			return true;
	}
	return false;
}

static enum migrate_state state_of(
	const struct migrate_file *file, const struct migrate_applied *a, uint32_t last_applied)
{
	if (a == NULL)
		return file->number < last_applied ? MIGRATE_LATE : MIGRATE_PENDING;
	if (a->unfinished)
		return MIGRATE_UNFINISHED;
	if (memcmp(a->hash, file->hash, TD_SHA256_SIZE) != 0)
		return MIGRATE_EDITED;
	return td_slice_equal(a->name, file->name) ? MIGRATE_APPLIED : MIGRATE_RENAMED;
}

static int by_number(const void *x, const void *y)
{
	const struct migrate_row *a = x, *b = y;
	return (a->number > b->number) - (a->number < b->number);
}

static void count_row(struct migrate_plan *plan, enum migrate_state state)
{
	plan->count++;
	plan->applied += state != MIGRATE_PENDING && state != MIGRATE_LATE;
	plan->pending += state == MIGRATE_PENDING;
	plan->newer += state == MIGRATE_NEWER;
}

/* The highest number that was applied and that this program knows or could know: one above all its
 * files belongs to a newer program and makes no file late. */
static uint32_t find_last_applied(
	const struct migrate_set *set, const struct migrate_applied *applied, size_t count)
{
	uint32_t last = 0;
	for (size_t i = 0; i < count; i++) {
		if (applied[i].number > last && set->count != 0 &&
			applied[i].number <= set->files[set->count - 1].number)
			last = applied[i].number;
	}
	return last;
}

enum td_status migrate_plan_make(const struct migrate_set *set,
	const struct migrate_applied *applied, size_t applied_count, struct td_arena *arena,
	struct migrate_plan *ret_plan, struct td_err *err)
{
	struct migrate_row *rows = td_arena_array(
		arena, set->count + applied_count + 1, sizeof(*rows));
	struct migrate_plan plan = {.rows = rows};
	uint32_t last = find_last_applied(set, applied, applied_count);
	uint32_t last_file = set->count != 0 ? set->files[set->count - 1].number : 0;
	if (rows == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to plan migrations");
	for (size_t i = 0; i < set->count; i++) {
		const struct migrate_file *file = &set->files[i];
		const struct migrate_applied *a = find_applied(
			applied, applied_count, file->number);
		rows[plan.count] = (struct migrate_row){file->number,
			a != NULL ? a->name : file->name, state_of(file, a, last),
			a != NULL ? a->applied_at : 0, file};
		count_row(&plan, rows[plan.count].state);
	}
	for (size_t i = 0; i < applied_count; i++) {
		if (has_file(set, applied[i].number))
			continue;
		rows[plan.count] = (struct migrate_row){applied[i].number, applied[i].name,
			applied[i].number > last_file ? MIGRATE_NEWER : MIGRATE_MISSING,
			applied[i].applied_at, NULL};
		count_row(&plan, rows[plan.count].state);
	}
	qsort(rows, plan.count, sizeof(*rows), by_number);
	*ret_plan = plan;
	return TD_OK;
}

static enum td_status refuse_row(const struct migrate_row *row, struct td_err *err)
{
	switch (row->state) {
	case MIGRATE_EDITED:
		return td_err_set(err, TD_SCHEMA,
			"migration %.*s was edited after it was applied; put back the file as it "
			"was "
			"and write the change into a new one",
			TD_SLICE_ARG(row->name));
	case MIGRATE_RENAMED:
		return td_err_set(err, TD_SCHEMA,
			"migration %.*s was applied, but the file of its number is now called "
			"%.*s; "
			"give it back its name",
			TD_SLICE_ARG(row->name), TD_SLICE_ARG(row->file->name));
	case MIGRATE_MISSING:
		return td_err_set(err, TD_SCHEMA,
			"migration %.*s was applied, but its file is missing; put it back",
			TD_SLICE_ARG(row->name));
	case MIGRATE_LATE:
		return td_err_set(err, TD_SCHEMA,
			"migration %.*s is new, but later ones were applied already; give it a "
			"number after the last",
			TD_SLICE_ARG(row->name));
	case MIGRATE_UNFINISHED:
		return td_err_set(err, TD_SCHEMA,
			"migration %.*s was begun and not finished; look at what it did, finish or "
			"undo it by hand, and correct its row in schema_migrations",
			TD_SLICE_ARG(row->name));
	case MIGRATE_NEWER:
		return td_err_set(err, TD_SCHEMA,
			"the database is of a newer version than this program: migration %.*s was "
			"applied to it and is not known here; use the newer program",
			TD_SLICE_ARG(row->name));
	case MIGRATE_APPLIED:
	case MIGRATE_PENDING:
	case MIGRATE_STATE_COUNT:
		break;
	}
	return TD_OK;
}

enum td_status migrate_plan_check(
	const struct migrate_plan *plan, enum migrate_newer newer, struct td_err *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct migrate_row *row = &plan->rows[i];
		if (!states[row->state].stops)
			continue;
		if (row->state == MIGRATE_NEWER && newer == MIGRATE_NEWER_ACCEPTED)
			continue;
		return refuse_row(row, err);
	}
	return TD_OK;
}

/* ---- protocol */

void migrate_event_text(const struct migrate_event *event, char out[MIGRATE_EVENT_TEXT_SIZE])
{
	size_t size = MIGRATE_EVENT_TEXT_SIZE;
	const char *language = event->flavour == SQL_CQL ? "CQL " : "";
	switch (event->kind) {
	case MIGRATE_WAITING:
		(void)snprintf(out, size, "Waiting for the lock of the migrations%s%.*s",
			event->name.len != 0 ? ": " : "", TD_SLICE_ARG(event->name));
		return;
	case MIGRATE_RUNNING:
		(void)snprintf(
			out, size, "Running %zu %smigration files...", event->count, language);
		return;
	case MIGRATE_EXECUTING:
		(void)snprintf(out, size, "Executing migration: %.*s", TD_SLICE_ARG(event->name));
		return;
	case MIGRATE_COMPLETED:
		(void)snprintf(out, size, "Migration %.*s completed successfully",
			TD_SLICE_ARG(event->name));
		return;
	case MIGRATE_UP_TO_DATE:
		(void)snprintf(out, size, "Schema is up to date (%zu migrations)", event->count);
		return;
	case MIGRATE_NEWER_DATABASE:
		(void)snprintf(out, size,
			"The database is of a newer version (%zu migrations that are not known "
			"here); nothing is migrated",
			event->count);
		return;
	}
}

static void tell(const struct migrate_config *config, enum migrate_event_kind kind, size_t count,
	struct td_slice name)
{
	struct migrate_event event = {kind, config->flavour, count, name};
	if (config->observer.observe != NULL)
		config->observer.observe(config->observer.ctx, &event);
}

#define NO_NAME td_slice(NULL, 0)

static enum td_status take_lock(
	const struct migrate_config *config, const struct migrate_port *port, struct td_err *err)
{
	for (unsigned tries = 0;; tries++) {
		struct td_err why = TD_ERR_INIT;
		enum td_status status = port->try_lock(port->ctx, &why);
		if (status == TD_OK)
			return TD_OK;
		if (status == TD_BUSY && tries % 100 == 1)
			tell(config, MIGRATE_WAITING, 0, td_slice_str(why.text));
		if (status == TD_BUSY && port->pause(port->ctx))
			continue;
		if (err != NULL)
			*err = why;
		return status;
	}
}

static enum td_status apply_row(const struct migrate_config *config,
	const struct migrate_port *port, const struct migrate_row *row, struct td_err *err)
{
	tell(config, MIGRATE_EXECUTING, 0, row->name);
	enum td_status status = port->apply(port->ctx, row->file, err);
	if (status == TD_OK)
		tell(config, MIGRATE_COMPLETED, 0, row->name);
	else if (status != TD_CONFLICT)
		(void)td_err_context(err, "migration %.*s", TD_SLICE_ARG(row->name));
	return status;
}

static enum td_status apply_plan(const struct migrate_config *config,
	const struct migrate_port *port, const struct migrate_plan *plan, struct td_err *err)
{
	if (plan->newer != 0) {
		tell(config, MIGRATE_NEWER_DATABASE, plan->newer, NO_NAME);
		return TD_OK;
	}
	if (plan->pending == 0) {
		tell(config, MIGRATE_UP_TO_DATE, plan->applied, NO_NAME);
		return TD_OK;
	}
	tell(config, MIGRATE_RUNNING, plan->pending, NO_NAME);
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->rows[i].state != MIGRATE_PENDING)
			continue;
		enum td_status status = apply_row(config, port, &plan->rows[i], err);
		if (status != TD_OK)
			return status;
	}
	return TD_OK;
}

static enum td_status run_locked(const struct migrate_config *config,
	const struct migrate_port *port, struct td_arena *arena, struct td_err *err)
{
	struct migrate_applied *applied = NULL;
	size_t count = 0;
	struct migrate_plan plan;
	enum td_status status = port->read_applied(port->ctx, arena, &applied, &count, err);
	if (status == TD_OK)
		status = migrate_plan_make(config->set, applied, count, arena, &plan, err);
	if (status == TD_OK)
		status = migrate_plan_check(&plan, config->newer, err);
	if (status == TD_OK)
		status = apply_plan(config, port, &plan, err);
	return status;
}

enum td_status migrate_run(
	const struct migrate_config *config, const struct migrate_port *port, struct td_err *err)
{
	enum td_status status;
	do {
		struct td_arena arena = TD_ARENA_INIT;
		status = take_lock(config, port, err);
		if (status != TD_OK)
			return status;
		status = run_locked(config, port, &arena, err);
		port->unlock(port->ctx);
		td_arena_done(&arena);
	} while (status == TD_CONFLICT);
	return status;
}
