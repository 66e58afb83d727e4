/* What `--help` prints. */
#include "command/command.h"
#include "settings/settings_print.h"

#include <string.h>

static void write_commands(struct td_buf *out, const char *group)
{
	size_t count;
	const struct command *const *table = command_table(&count);
	size_t len = group != NULL ? strlen(group) : 0;
	for (size_t i = 0; i < count; i++) {
		const char *name = table[i]->name;
		bool inside = group != NULL && strncmp(name, group, len) == 0 && name[len] == ' ';
		if (inside || (group == NULL && !table[i]->is_group))
			td_buf_printf(out, "  %-20s %s\n", name, table[i]->summary);
	}
}

static void write_exit_codes(struct td_buf *out)
{
	static const struct {
		int code;
		const char *words;
	} codes[] = {
#define EXIT_CODE_ROW(name, code, words) {code, words},
		EXIT_CODE_MAP(EXIT_CODE_ROW)
#undef EXIT_CODE_ROW
	};
	td_buf_put_str(out, "\nExit codes:\n");
	for (size_t i = 0; i < TD_ARRAY_LEN(codes); i++) {
		td_buf_printf(out, "  %-6d", codes[i].code);
		for (const char *c = codes[i].words; *c != '\0'; c++) {
			if (*c != '`')
				td_buf_put_char(out, *c);
		}
		td_buf_put_char(out, '\n');
	}
	td_buf_put_str(out, "  128+n ended by signal n before it could drain\n");
}

void command_write_overview(struct td_buf *out)
{
	td_buf_put_str(out, "Tools Dashboard: a subscription service that you run yourself.\n"
			    "\n"
			    "Usage: tools-dashboard COMMAND [ARGUMENTS]\n"
			    "\n"
			    "Commands:\n");
	write_commands(out, NULL);
	td_buf_put_str(out,
		"\n"
		"Examples:\n"
		"  tools-dashboard serve                     start on http://127.0.0.1:8100\n"
		"  PORT=9000 tools-dashboard serve           the same on another port\n"
		"  tools-dashboard apikey create --name shop make a key for the API\n"
		"\n"
		"Settings come from flags, the environment and --config FILE, in this order;\n"
		"tools-dashboard config shows them. tools-dashboard COMMAND --help says more.\n");
	write_exit_codes(out);
}

static void write_examples(const struct command *command, struct td_buf *out)
{
	td_buf_put_str(out, "\nExamples:\n");
	struct td_slice rest = td_slice_str(command->examples);
	struct td_slice line;
	while (td_slice_cut(&rest, '\n', &line)) {
		struct td_slice what = line;
		struct td_slice typed;
		(void)td_slice_cut(&what, '\t', &typed);
		td_buf_printf(out, "  %.*s\n", TD_SLICE_ARG(typed));
		if (what.len > 0)
			td_buf_printf(out, "      %.*s\n", TD_SLICE_ARG(what));
	}
}

static void write_option(struct td_buf *out, const struct command_option *option)
{
	td_buf_printf(out, "  --%s%s%s\n      %s\n", option->name, option->value != NULL ? " " : "",
		option->value != NULL ? option->value : "", option->help);
}

void command_write_help(const struct command *command, struct td_buf *out)
{
	static const struct command_option help = {"help", NULL, "This text. Also -h."};
	static const struct command_option config = {
		"config", "FILE", "Settings as KEY=value lines; flags and the environment win."};
	td_buf_printf(out, "%s\n\nUsage: tools-dashboard %s", command->summary, command->name);
	if (command->is_group)
		td_buf_put_str(out, " COMMAND");
	if (command->operands != NULL)
		td_buf_printf(out, " %s", command->operands);
	td_buf_put_str(out, " [FLAGS]\n");
	if (command->about != NULL)
		td_buf_printf(out, "\n%s\n", command->about);
	if (command->is_group) {
		td_buf_put_str(out, "\nCommands:\n");
		write_commands(out, command->name);
	}
	td_buf_put_str(out, "\nFlags:\n");
	for (size_t i = 0; command->options != NULL && command->options[i].name != NULL; i++)
		write_option(out, &command->options[i]);
	if (command->takes_settings)
		write_option(out, &config);
	write_option(out, &help);
	write_examples(command, out);
	if (command->takes_settings) {
		td_buf_put_str(out,
			"\nSettings, as flags; --like-this is LIKE_THIS in the environment. "
			"[default]\n");
		settings_write_help(out);
	}
	write_exit_codes(out);
}
