/* The command line: a table of commands, one file for each. A command reads what was typed from
 * struct command_call, prints its result to stdout, and returns the exit code. */
#ifndef TD_COMMAND_COMMAND_H
#define TD_COMMAND_COMMAND_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "service/exit_code.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_OPTIONS_MOST  8
#define COMMAND_OPERANDS_MOST 2
#define COMMAND_FLAGS_MOST    128

struct command_call;

struct command_option {
	const char *name;  /* without dashes; NULL ends the list */
	const char *value; /* the word for its value in help; NULL: a switch */
	const char *help;
};

struct command {
	const char *name;                     /* "serve", "apikey create" */
	const char *summary;                  /* one line, no dot */
	const char *operands;                 /* as in the usage line: "FILE"; NULL: none */
	const char *about;                    /* more, for its own help; NULL: none */
	const char *examples;                 /* lines of "command<TAB>what it does" */
	const struct command_option *options; /* NULL: none */
	size_t operand_count;                 /* so many, at most where they are optional */
	bool operands_are_optional;
	bool takes_settings; /* --config and the settings' flags */
	bool is_group;       /* only its subcommands do something */
	bool is_service;     /* its log lines have a time before them */
	bool uses_content;   /* of the packages, and so the database where it is */
	int (*run)(struct command_call *call);
};

/* Every command, in the order of the help; static storage. */
const struct command *const *command_table(size_t *ret_count);

struct command_call {
	const struct command *command;
	const char
		*values[COMMAND_OPTIONS_MOST]; /* of command->options, by place; NULL: not given */
	const char *operands[COMMAND_OPERANDS_MOST];
	size_t operand_count;
	struct settings_flag flags[COMMAND_FLAGS_MOST];
	size_t flag_count;
	const char *config_path; /* NULL: none */
	bool help;               /* --help or -h */
	const char *const *environment;
};

/* What main() does. */
int command_main(int argc, char **argv, char **environment);

/* ---- for the commands */

/* The value that was typed for an option of the command ("" for a switch); NULL: not given. */
const char *command_option(const struct command_call *call, const char *name);

/* Loads the settings and begins to log as they say. On failure everything that is wrong was
 * printed; the exit code is in *ret_code. Give it to settings_free(). */
struct settings *command_load_settings(struct command_call *call, int *ret_code) TD_MUST_CHECK;

/* The same without a word about what is wrong: TD_INVALID, and *ret_problems has it; the settings
 * that could be understood are the caller's all the same. TD_NOMEM: there are none. */
enum td_status command_read_settings(struct command_call *call, struct settings **ret_settings,
	struct settings_problems *ret_problems) TD_MUST_CHECK;

/* Writes to stdout and frees the buffer. TD_EXIT_DONE, or TD_EXIT_FAILED with an error printed. */
int command_print(struct td_buf *out);

/* "error: …" on stderr, and the code again. */
int command_fail(int code, const char *fmt, ...) TD_PRINTF(2, 3);
int command_fail_err(int code, const struct td_err *err);

/* ---- its own parts */

/* Log lines go to stderr from now on, in the form that the settings ask for. */
void command_start_log(const struct command_call *call, const struct settings *settings);

/* Reads what follows the command's name. False: an error was printed, wrong usage. */
bool command_read_arguments(struct command_call *call, int argc, char **argv) TD_MUST_CHECK;

/* Help of the program, and of one command. */
void command_write_overview(struct td_buf *out);
void command_write_help(const struct command *command, struct td_buf *out);

/* The command of one or two words; NULL. *ret_words says how many were its name. */
const struct command *command_find(
	const char *first, const char *second, int *ret_words) TD_MUST_CHECK;

/* Prints that there is no such command, with the nearest one. TD_EXIT_USAGE. */
int command_unknown(const char *first);

/* ---- the commands, one file each, in the order of the help */

#define COMMAND_MAP(X)         \
	X(serve)               \
	X(back_postgres)       \
	X(back_cassandra)      \
	X(back_api)            \
	X(migrate)             \
	X(migrate_status)      \
	X(populate)            \
	X(catalogue)           \
	X(catalogue_export)    \
	X(catalogue_diff)      \
	X(catalogue_apply)     \
	X(apikey)              \
	X(apikey_create)       \
	X(apikey_list)         \
	X(apikey_revoke)       \
	X(user)                \
	X(user_reset_password) \
	X(config)              \
	X(doctor)              \
	X(healthcheck)         \
	X(version)             \
	X(help)

#define COMMAND_DECLARE(name) extern const struct command command_##name;
COMMAND_MAP(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
