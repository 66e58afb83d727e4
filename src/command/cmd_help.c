#include "command/command.h"

/* `help` itself is read without operands checked, so that `help apikey create` works. */
static int run_help(struct command_call *call)
{
	struct td_buf out = TD_BUF_INIT;
	int words = 0;
	const struct command *command = NULL;
	if (call->operand_count == 0) {
		command_write_overview(&out);
		return command_print(&out);
	}
	command = command_find(call->operands[0], call->operands[1], &words);
	if (command == NULL)
		return command_unknown(call->operands[0]);
	command_write_help(command, &out);
	return command_print(&out);
}

const struct command command_help = {
	.name = "help",
	.summary = "Explains a command.",
	.operands = "[COMMAND]",
	.operand_count = 2,
	.operands_are_optional = true,
	.examples = "tools-dashboard help serve\tevery setting of the service",
	.run = run_help,
};
