#include "base/log.h"
#include "catalogue/file.h"
#include "command/command.h"
#include "service/session.h"

#include <string.h>

typedef int work_fn(struct command_call *call, struct session *session);

/* Settings and store around `work`. */
static int with_session(struct command_call *call, work_fn *work)
{
	int code;
	struct td_err err = TD_ERR_INIT;
	struct session session;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	if (session_open(&session, settings, SESSION_CONTENT, &err) == TD_OK) {
		code = work(call, &session);
		session_close(&session);
	} else {
		code = command_fail_err(exit_code_of_store(&err), &err);
	}
	settings_free(settings);
	return code;
}

static void say_error(void *ctx, const char *line)
{
	(void)ctx;
	(void)command_fail(TD_EXIT_FAILED, "%s", line);
}

static void say_warning(void *ctx, const char *line)
{
	(void)ctx;
	td_log(TD_LOG_WARNING, "catalogue.row", "%s", line);
}

static int export(struct command_call *call, struct session *session)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct td_buf out = TD_BUF_INIT;
	struct store_catalogue catalogue;
	const struct catalogue_access access = session_catalogue(session, say_warning, NULL);
	int code;
	(void)call;
	if (catalogue_export(&access, NULL, &arena, &catalogue, &err) == TD_OK) {
		catalogue_file_write(&out, &catalogue);
		code = command_print(&out);
	} else {
		code = command_fail_err(exit_code_of_store(&err), &err);
	}
	td_arena_done(&arena);
	return code;
}

/* What would make the store say what the file says. An exit code. */
static int compare(struct command_call *call, struct session *session, struct td_arena *arena,
	struct catalogue_diff *ret_diff)
{
	struct td_err err = TD_ERR_INIT;
	struct store_catalogue want;
	struct store_catalogue have;
	bool retire = command_option(call, "retire") != NULL;
	const struct catalogue_access access = session_catalogue(session, say_warning, NULL);
	enum td_status status = catalogue_load(
		call->operands[0], arena, say_error, NULL, &want, &err);
	if (status == TD_INVALID)
		return command_fail(TD_EXIT_FAILED, "%s is not a catalogue; nothing was changed",
			call->operands[0]);
	if (status != TD_OK)
		return command_fail_err(TD_EXIT_FAILED, &err);
	status = catalogue_export(&access, &want, arena, &have, &err);
	if (status == TD_OK)
		status = catalogue_diff(&have, &want, retire, td_clock_wall_ms(&td_clock_system),
			arena, ret_diff, &err);
	return status == TD_OK ? TD_EXIT_DONE : command_fail_err(exit_code_of_store(&err), &err);
}

static void put_lines(struct td_buf *out, const struct catalogue_diff *diff)
{
	for (size_t i = 0; i < diff->line_count; i++)
		td_buf_printf(out, "%s\n", diff->lines[i]);
}

static int diff(struct command_call *call, struct session *session)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_buf out = TD_BUF_INIT;
	struct catalogue_diff diff = {0};
	int code = compare(call, session, &arena, &diff);
	if (code == TD_EXIT_DONE) {
		put_lines(&out, &diff);
		if (diff.change_count == 0)
			td_buf_put_str(&out, "No difference\n");
		code = command_print(&out);
		if (code == TD_EXIT_DONE && diff.change_count > 0)
			code = TD_EXIT_FOUND;
	}
	td_arena_done(&arena);
	return code;
}

static int apply(struct command_call *call, struct session *session)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_buf out = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	struct catalogue_diff diff = {0};
	const struct catalogue_access access = session_catalogue(session, NULL, NULL);
	int code = compare(call, session, &arena, &diff);
	if (code == TD_EXIT_DONE && diff.change_count > 0 &&
		catalogue_apply(&access, &diff, &err) != TD_OK)
		code = command_fail_err(exit_code_of_store(&err), &err);
	if (code == TD_EXIT_DONE) {
		put_lines(&out, &diff);
		td_buf_printf(&out,
			diff.change_count == 0 ? "No difference\n" : "Applied %zu changes\n",
			diff.change_count);
		code = command_print(&out);
	}
	td_arena_done(&arena);
	return code;
}

static int run_export(struct command_call *call)
{
	return with_session(call, export);
}

static int run_diff(struct command_call *call)
{
	return with_session(call, diff);
}

static int run_apply(struct command_call *call)
{
	return with_session(call, apply);
}

static const struct command_option retire_options[] = {
	{"retire", NULL, "Packages that the file lacks become inactive; content it lacks goes."},
	{NULL, NULL, NULL},
};

const struct command command_catalogue = {
	.name = "catalogue",
	.summary = "Exports, compares and changes the packages.",
	.examples = "tools-dashboard catalogue export > plans.json\tas a file to edit\n"
		    "tools-dashboard catalogue diff plans.json\twhat the file would change\n"
		    "tools-dashboard catalogue apply plans.json\tchange it",
	.is_group = true,
};

const struct command command_catalogue_export = {
	.name = "catalogue export",
	.summary = "Prints the packages as a JSON file.",
	.examples = "tools-dashboard catalogue export > plans.json\tas a file to edit",
	.takes_settings = true,
	.uses_content = true,
	.run = run_export,
};

const struct command command_catalogue_diff = {
	.name = "catalogue diff",
	.summary = "Says what a file would change.",
	.operands = "FILE",
	.about = "Changes nothing. Ends with 6 where there is a difference.",
	.examples = "tools-dashboard catalogue diff plans.json\twhat apply would do",
	.options = retire_options,
	.operand_count = 1,
	.takes_settings = true,
	.uses_content = true,
	.run = run_diff,
};

const struct command command_catalogue_apply = {
	.name = "catalogue apply",
	.summary = "Changes the packages to what a file says.",
	.operands = "FILE",
	.about = "All of it or nothing. What only the database knows stays, unless --retire is "
		 "given.",
	.examples = "tools-dashboard catalogue apply plans.json\tchange what differs\n"
		    "tools-dashboard catalogue apply plans.json --retire\tand retire the rest",
	.options = retire_options,
	.operand_count = 1,
	.takes_settings = true,
	.uses_content = true,
	.run = run_apply,
};
