/* Writes what is made from the tables of settings and commands; not installed.
 *
 *   td-reference settings          docs/CONFIGURATION.md to stdout
 *   td-reference man               docs/man/tools-dashboard.1 to stdout
 *   td-reference check KIND FILE   exit 1 where FILE is not what it would write */
#include "command/command.h"
#include "service/version.h"
#include "settings/settings_print.h"

#include <stdio.h>
#include <string.h>

/* '-' is a hyphen unless escaped, a backslash begins a request, a dot at the start of a line too.
 */
static void put_roff(struct td_buf *out, const char *text)
{
	bool line_start = true;
	for (; *text != '\0'; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			td_buf_put_str(out, "\\&");
		line_start = *text == '\n';
		if (*text == '\\')
			td_buf_put_str(out, "\\e");
		else if (*text == '-')
			td_buf_put_str(out, "\\-");
		else if (*text != '`')
			td_buf_put_char(out, *text);
	}
}

static void put_option(struct td_buf *out, const struct command_option *option)
{
	td_buf_put_str(out, ".TP\n.B \\-\\-");
	put_roff(out, option->name);
	if (option->value != NULL)
		td_buf_printf(out, " %s", option->value);
	td_buf_put_char(out, '\n');
	put_roff(out, option->help);
	td_buf_put_char(out, '\n');
}

static void put_command(struct td_buf *out, const struct command *command)
{
	td_buf_printf(out, ".SS %s%s%s\n", command->name, command->operands != NULL ? " " : "",
		command->operands != NULL ? command->operands : "");
	put_roff(out, command->summary);
	td_buf_put_char(out, '\n');
	if (command->about != NULL) {
		put_roff(out, command->about);
		td_buf_put_char(out, '\n');
	}
	for (size_t i = 0; command->options != NULL && command->options[i].name != NULL; i++)
		put_option(out, &command->options[i]);
}

static void put_examples(struct td_buf *out, const struct command *command)
{
	struct td_slice rest = td_slice_str(command->examples);
	struct td_slice line;
	while (td_slice_cut(&rest, '\n', &line)) {
		char text[256];
		struct td_slice what = line;
		struct td_slice typed;
		(void)td_slice_cut(&what, '\t', &typed);
		td_buf_put_str(out, ".TP\n.B ");
		(void)snprintf(text, sizeof(text), "%.*s", TD_SLICE_ARG(typed));
		put_roff(out, text);
		td_buf_put_char(out, '\n');
		(void)snprintf(text, sizeof(text), "%.*s", TD_SLICE_ARG(what));
		put_roff(out, text);
		td_buf_put_char(out, '\n');
	}
}

static void put_exit_codes(struct td_buf *out)
{
	static const struct {
		int code;
		const char *words;
	} codes[] = {
#define EXIT_CODE_ROW(name, code, words) {code, words},
		EXIT_CODE_MAP(EXIT_CODE_ROW)
#undef EXIT_CODE_ROW
	};
	td_buf_put_str(out, ".SH EXIT STATUS\n");
	for (size_t i = 0; i < TD_ARRAY_LEN(codes); i++) {
		td_buf_printf(out, ".TP\n.B %d\n", codes[i].code);
		put_roff(out, codes[i].words);
		td_buf_put_char(out, '\n');
	}
	td_buf_put_str(out, ".TP\n.B 128+n\nended by signal n before it could drain\n");
}

static void put_man(struct td_buf *out)
{
	size_t count;
	const struct command *const *table = command_table(&count);
	td_buf_printf(out,
		".\\\" Made by build/docs/td-reference man from the tables of commands and "
		"settings.\n"
		".TH TOOLS-DASHBOARD 1 \"\" \"tools-dashboard %s\" \"User Commands\"\n"
		".SH NAME\ntools-dashboard \\- a subscription service that you run yourself\n"
		".SH SYNOPSIS\n.B tools-dashboard\n.I COMMAND\n[\\fIARGUMENTS\\fR]\n"
		".SH DESCRIPTION\nPublishes packages on a pricing page and through an API, and "
		"keeps "
		"the\nusers of them, in one process with an embedded database.\n.SH COMMANDS\n",
		SERVICE_VERSION);
	for (size_t i = 0; i < count; i++) {
		if (!table[i]->is_group)
			put_command(out, table[i]);
	}
	td_buf_put_str(out,
		".SH SETTINGS\nA setting is a flag (\\-\\-like\\-this), a name in the environment\n"
		"(LIKE_THIS), or a line of the file given by \\-\\-config; the first of these "
		"wins.\n"
		"Secrets have no flag. A NAME_FILE holds the path of a file with the value.\n");
	settings_write_man(out);
	put_exit_codes(out);
	td_buf_put_str(out, ".SH FILES\n.TP\n.B ./tools\\-dashboard.db\nthe database, where "
			    "DATABASE_URL names no other\n.SH EXAMPLES\n");
	for (size_t i = 0; i < count; i++) {
		if (!table[i]->is_group)
			put_examples(out, table[i]);
	}
}

static bool make(const char *kind, struct td_buf *out)
{
	if (strcmp(kind, "settings") == 0)
		settings_write_markdown(out);
	else if (strcmp(kind, "man") == 0)
		put_man(out);
	else
		return false;
	return !out->failed;
}

static int check(const struct td_buf *want, const char *path)
{
	static char have[512 * 1024];
	FILE *file = fopen(path, "r");
	size_t len = file != NULL ? fread(have, 1, sizeof(have), file) : 0;
	if (file != NULL)
		(void)fclose(file);
	if (len == want->len && memcmp(have, want->ptr, len) == 0)
		return 0;
	(void)fprintf(
		stderr, "%s is not what the tables say; write it anew with td-reference\n", path);
	return 1;
}

int main(int argc, char **argv)
{
	struct td_buf out = TD_BUF_INIT;
	bool checks = argc == 4 && strcmp(argv[1], "check") == 0;
	int code = 2;
	if ((checks || argc == 2) && make(argv[checks ? 2 : 1], &out))
		code = checks ? check(&out, argv[3]) : command_print(&out);
	else
		(void)fputs(
			"usage: td-reference settings|man, td-reference check KIND FILE\n", stderr);
	td_buf_done(&out);
	return code;
}
