#include "command/command.h"

#include "base/nearest.h"
#include "service/log_sink.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct command *const *command_table(size_t *ret_count)
{
	static const struct command *const table[] = {
#define COMMAND_ROW(name) &command_##name,
		COMMAND_MAP(COMMAND_ROW)
#undef COMMAND_ROW
	};
	*ret_count = TD_ARRAY_LEN(table);
	return table;
}

int command_fail(int code, const char *fmt, ...)
{
	struct td_buf text = TD_BUF_INIT;
	char message[2048];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	const struct td_log_line line = {.level = TD_LOG_ERROR, .event = "", .message = message};
	const struct log_sink_config plain = {.clock = &td_clock_system};
	log_sink_format(&plain, &line, &text);
	const char *safe = td_buf_cstr(&text);
	(void)fputs(safe != NULL ? safe : "error: out of memory\n", stderr);
	td_buf_done(&text);
	return code;
}

int command_fail_err(int code, const struct td_err *err)
{
	return command_fail(
		code, "%s%s%s", err->text, err->check[0] != '\0' ? " check=" : "", err->check);
}

static bool write_all(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t done = write(STDOUT_FILENO, bytes, len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes += done;
		len -= (size_t)done;
	}
	return true;
}

int command_print(struct td_buf *out)
{
	int code = TD_EXIT_DONE;
	if (out->failed)
		code = command_fail(TD_EXIT_FAILED, "out of memory");
	else if (!write_all(out->ptr, out->len))
		code = command_fail(TD_EXIT_FAILED, "the result could not be written: %s",
			strerrordesc_np(errno));
	td_buf_done(out);
	return code;
}

const char *command_option(const struct command_call *call, const char *name)
{
	const struct command_option *options = call->command->options;
	for (size_t i = 0; options[i].name != NULL; i++) {
		if (strcmp(options[i].name, name) == 0)
			return call->values[i];
	}
	td_assert(false && "an option of the command");
	return NULL;
}

const struct command *command_find(const char *first, const char *second, int *ret_words)
{
	size_t count;
	const struct command *const *table = command_table(&count);
	const struct command *found = NULL;
	size_t len = strlen(first);
	for (size_t i = 0; i < count; i++) {
		const char *name = table[i]->name;
		if (strcmp(name, first) == 0 && found == NULL) {
			found = table[i];
			*ret_words = 1;
		}
		if (second != NULL && strncmp(name, first, len) == 0 && name[len] == ' ' &&
			strcmp(name + len + 1, second) == 0) {
			*ret_words = 2;
			return table[i];
		}
	}
	return found;
}

static int print_help(const struct command *command)
{
	struct td_buf out = TD_BUF_INIT;
	if (command == NULL)
		command_write_overview(&out);
	else
		command_write_help(command, &out);
	return command_print(&out);
}

static const char *nearest_command(const char *word)
{
	const char *names[64];
	size_t count;
	const struct command *const *table = command_table(&count);
	size_t used = 0;
	for (size_t i = 0; i < count && used < TD_ARRAY_LEN(names); i++) {
		if (strchr(table[i]->name, ' ') == NULL)
			names[used++] = table[i]->name;
	}
	return td_nearest(word, names, used);
}

int command_unknown(const char *first)
{
	const char *near = nearest_command(first);
	if (near != NULL)
		return command_fail(TD_EXIT_USAGE,
			"there is no command '%s'; did you mean '%s'? See tools-dashboard --help",
			first, near);
	return command_fail(
		TD_EXIT_USAGE, "there is no command '%s'; see tools-dashboard --help", first);
}

/* "apikey" alone, or with a word that is none of its commands. */
static int fail_group(const struct command *group, const char *word)
{
	const char *names[16];
	size_t count;
	const struct command *const *table = command_table(&count);
	size_t used = 0;
	size_t len = strlen(group->name);
	for (size_t i = 0; i < count && used < TD_ARRAY_LEN(names); i++) {
		if (strncmp(table[i]->name, group->name, len) == 0 && table[i]->name[len] == ' ')
			names[used++] = table[i]->name + len + 1;
	}
	const char *near = word != NULL ? td_nearest(word, names, used) : NULL;
	if (near != NULL)
		return command_fail(TD_EXIT_USAGE,
			"there is no command '%s %s'; did you mean '%s %s'?", group->name, word,
			group->name, near);
	return command_fail(TD_EXIT_USAGE,
		"'%s' needs one of its commands behind it; see tools-dashboard %s --help",
		group->name, group->name);
}

static int run_command(int argc, char **argv, const char *const *environment)
{
	int words = 0;
	const char *second = argc > 2 ? argv[2] : NULL;
	const struct command *command = command_find(argv[1], second, &words);
	if (command == NULL)
		return command_unknown(argv[1]);
	struct command_call call = {.command = command, .environment = environment};
	bool flag_follows = second != NULL && second[0] == '-';
	if (command->is_group && !flag_follows)
		return fail_group(command, second);
	if (!command_read_arguments(&call, argc - 1 - words, argv + 1 + words))
		return TD_EXIT_USAGE;
	if (call.help)
		return print_help(command);
	if (command->is_group)
		return fail_group(command, NULL);
	return command->run(&call);
}

static bool is_any(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int command_main(int argc, char **argv, char **environment)
{
	const char *const *settled = (const char *const *)environment;
	/* What we write (the database, its log) is nobody else's. */
	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0)
		return command_fail(TD_EXIT_FAILED, "the system gives no random numbers");
	if (argc < 2) {
		struct td_buf out = TD_BUF_INIT;
		command_write_overview(&out);
		const char *text = td_buf_cstr(&out);
		(void)fputs(text != NULL ? text : "", stderr);
		td_buf_done(&out);
		return TD_EXIT_USAGE;
	}
	if (is_any(argv[1], "--help", "-h"))
		return print_help(NULL);
	if (is_any(argv[1], "--version", "-V")) {
		struct command_call call = {.command = &command_version};
		return command_version.run(&call);
	}
	if (argv[1][0] == '-')
		return command_fail(TD_EXIT_USAGE,
			"a command stands before its flags; see tools-dashboard --help");
	return run_command(argc, argv, settled);
}

void command_start_log(const struct command_call *call, const struct settings *settings)
{
	const struct log_sink_config config = {
		.json = settings->log_format == SETTING_LOG_JSON,
		.time = call->command->is_service && log_sink_wants_time(call->environment),
		.colour = !settings->no_color && log_sink_has_colour(call->environment),
		.clock = &td_clock_system,
	};
	log_sink_install(&config);
	td_log_set_level((enum td_log_level)settings->log_level);
}

static bool can_use_content(const struct command *command, const struct settings *settings)
{
	if (!command->uses_content || !settings->uses_cassandra || settings->uses_postgres)
		return true;
	td_log(TD_LOG_ERROR, "setting.wrong",
		"%s: content in Cassandra needs PostgreSQL for all else, not SQLite; set "
		"DATABASE_URL=postgresql://USER:PASSWORD@HOST:PORT/DATABASE too, or unset it",
		settings_is_set(settings, SETTING_CASSANDRA_CONTACT_POINTS)
			? "CASSANDRA_CONTACT_POINTS"
			: "CASSANDRA_HOSTS");
	return false;
}

enum td_status command_read_settings(struct command_call *call, struct settings **ret_settings,
	struct settings_problems *ret_problems)
{
	const struct settings_input input = {
		.flags = call->flags,
		.flag_count = call->flag_count,
		.config_path = call->config_path,
		.environment = call->environment,
	};
	*ret_problems = (struct settings_problems){.count = 0};
	enum td_status status = settings_load(&input, ret_settings, ret_problems);
	if (status == TD_OK || status == TD_INVALID)
		command_start_log(call, *ret_settings);
	return status;
}

/* What is deleted from the records must be in an event log. */
static bool can_keep_history(const struct command *command, const struct settings *settings)
{
	bool deletes = command->is_service && command->uses_content &&
		       settings->history_keep_ms > 0;
	if (!deletes || settings->uses_cassandra)
		return true;
	td_log(TD_LOG_ERROR, "setting.wrong",
		"HISTORY_KEEP: older history is deleted only where Cassandra has it; set "
		"CASSANDRA_CONTACT_POINTS too, or unset it");
	return false;
}

struct settings *command_load_settings(struct command_call *call, int *ret_code)
{
	struct settings *settings = NULL;
	struct settings_problems problems;
	enum td_status status = command_read_settings(call, &settings, &problems);
	if (status == TD_NOMEM) {
		*ret_code = command_fail(TD_EXIT_FAILED, "out of memory");
		return NULL;
	}
	if (status == TD_OK && can_use_content(call->command, settings) &&
		can_keep_history(call->command, settings))
		return settings;
	for (size_t i = 0; i < problems.count; i++)
		td_log(TD_LOG_ERROR, "setting.wrong", "%s", problems.text[i]);
	settings_free(settings);
	*ret_code = TD_EXIT_SETTING;
	return NULL;
}
