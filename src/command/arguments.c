/* Reads flags and operands of a command. */
#include "base/nearest.h"
#include "command/command.h"

#include <string.h>

struct reading {
	struct command_call *call;
	int argc, at;
	char **argv;
};

/* Every flag that the command knows, for "did you mean". */
static const char *nearest_flag(const struct command *command, const char *word)
{
	static char names[SETTING_COUNT * 2][SETTING_FLAG_SIZE];
	const char *known[SETTING_COUNT * 2 + COMMAND_OPTIONS_MOST + 2];
	size_t count = 0;
	known[count++] = "help";
	for (size_t i = 0; command->options != NULL && command->options[i].name != NULL; i++)
		known[count++] = command->options[i].name;
	if (command->takes_settings) {
		known[count++] = "config";
		for (unsigned i = 0; i < SETTING_COUNT * 2; i++) {
			if (setting_flag((enum setting_id)(i / 2), i % 2 == 1, names[i]))
				known[count++] = names[i];
		}
	}
	return td_nearest(word, known, count);
}

/* The name of a secret whose flag somebody typed; NULL. */
static const char *secret_of_flag(const char *flag)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		char file_flag[SETTING_FLAG_SIZE];
		enum setting_id id = (enum setting_id)i;
		size_t len = strlen(flag);
		if ((setting_get(id)->marks & SETTING_SECRET) != 0 &&
			setting_flag(id, true, file_flag) &&
			strlen(file_flag) == len + strlen("-file") &&
			strncmp(file_flag, flag, len) == 0)
			return setting_get(id)->name;
	}
	return NULL;
}

static bool fail_unknown(const struct command *command, const char *flag)
{
	const char *secret = command->takes_settings ? secret_of_flag(flag) : NULL;
	const char *near = nearest_flag(command, flag);
	if (secret != NULL)
		(void)command_fail(TD_EXIT_USAGE,
			"--%s: a secret has no flag, because everybody on this machine could read "
			"it; set %s in the environment, or %s_FILE",
			flag, secret, secret);
	else if (near != NULL)
		(void)command_fail(TD_EXIT_USAGE,
			"there is no flag --%s; did you mean --%s? See tools-dashboard %s --help",
			flag, near, command->name);
	else
		(void)command_fail(TD_EXIT_USAGE,
			"there is no flag --%s; see tools-dashboard %s --help", flag,
			command->name);
	return false;
}

/* The value behind '=' or the next word. */
static bool take_value(struct reading *r, const char *flag, const char *equals, const char **ret)
{
	if (equals != NULL) {
		*ret = equals + 1;
		return true;
	}
	if (r->at < r->argc) {
		*ret = r->argv[r->at++];
		return true;
	}
	(void)command_fail(TD_EXIT_USAGE, "--%s needs a value behind it", flag);
	return false;
}

static bool take_switch(const char *flag, const char *equals)
{
	if (equals != NULL)
		(void)command_fail(TD_EXIT_USAGE, "--%s takes no value", flag);
	return equals == NULL;
}

static bool read_setting(
	struct reading *r, const char *flag, const char *equals, enum setting_id id)
{
	struct settings_flag *slot = &r->call->flags[r->call->flag_count];
	if (r->call->flag_count == COMMAND_FLAGS_MOST) {
		(void)command_fail(TD_EXIT_USAGE, "there are too many flags");
		return false;
	}
	slot->name = flag;
	slot->value = "1";
	if ((!setting_is_switch(id) || equals != NULL) &&
		!take_value(r, flag, equals, &slot->value))
		return false;
	r->call->flag_count++;
	return true;
}

/* -1: the command has no such option of its own; else whether it was read. */
static int read_option(struct reading *r, const char *flag, const char *equals)
{
	const struct command_option *options = r->call->command->options;
	for (size_t i = 0; options != NULL && options[i].name != NULL; i++) {
		if (strcmp(options[i].name, flag) != 0)
			continue;
		r->call->values[i] = "";
		if (options[i].value == NULL)
			return take_switch(flag, equals);
		return take_value(r, flag, equals, &r->call->values[i]);
	}
	return -1;
}

static bool read_flag(struct reading *r, const char *word)
{
	/* As long as the process: struct settings_flag borrows it. */
	static char names[COMMAND_FLAGS_MOST][SETTING_FLAG_SIZE];
	const struct command *command = r->call->command;
	char *flag = names[r->call->flag_count % COMMAND_FLAGS_MOST];
	const char *equals = strchr(word, '=');
	size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
	enum setting_id id;
	bool file;
	if (len >= SETTING_FLAG_SIZE)
		return fail_unknown(command, word);
	memcpy(flag, word, len);
	flag[len] = '\0';
	if (strcmp(flag, "help") == 0) {
		r->call->help = true;
		return take_switch(flag, equals);
	}
	int read = read_option(r, flag, equals);
	if (read >= 0)
		return read != 0;
	if (!command->takes_settings)
		return fail_unknown(command, flag);
	if (strcmp(flag, "config") == 0)
		return take_value(r, flag, equals, &r->call->config_path);
	if (!setting_of_flag(flag, &id, &file))
		return fail_unknown(command, flag);
	return read_setting(r, flag, equals, id);
}

static bool read_operand(struct reading *r, const char *word)
{
	const struct command *command = r->call->command;
	if (r->call->operand_count == command->operand_count) {
		(void)command_fail(TD_EXIT_USAGE,
			"'%s' is one argument too many; see tools-dashboard %s --help", word,
			command->name);
		return false;
	}
	r->call->operands[r->call->operand_count++] = word;
	return true;
}

static bool read_word(struct reading *r, const char *word, bool *flags_end)
{
	if (*flags_end || word[0] != '-' || word[1] == '\0')
		return read_operand(r, word);
	if (strcmp(word, "--") == 0) {
		*flags_end = true;
		return true;
	}
	if (strcmp(word, "-h") == 0) {
		r->call->help = true;
		return true;
	}
	if (word[1] == '-')
		return read_flag(r, word + 2);
	(void)command_fail(TD_EXIT_USAGE, "there is no flag %s; see tools-dashboard %s --help",
		word, r->call->command->name);
	return false;
}

bool command_read_arguments(struct command_call *call, int argc, char **argv)
{
	struct reading r = {.call = call, .argc = argc, .argv = argv};
	const struct command *command = call->command;
	bool flags_end = false;
	for (int i = 0; i < argc && !call->help; i++)
		call->help = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
	if (call->help)
		return true;
	while (r.at < argc) {
		const char *word = argv[r.at++];
		if (!read_word(&r, word, &flags_end))
			return false;
	}
	if (call->operand_count < command->operand_count && !command->operands_are_optional) {
		(void)command_fail(TD_EXIT_USAGE,
			"'%s' needs %s behind it; see tools-dashboard %s --help", command->name,
			command->operands, command->name);
		return false;
	}
	return true;
}
