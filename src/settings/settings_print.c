#include "settings/settings_print.h"

#include "base/json.h"
#include "settings/settings_convert.h"
#include "settings/settings_value.h"

#include <string.h>

const char *settings_show(
	const struct settings *settings, enum setting_id id, struct td_arena *arena)
{
	const struct setting_info *info = setting_get(id);
	const char *text = settings->origin[id].text;
	if (text == NULL)
		return NULL;
	if ((info->marks & SETTING_SECRET) != 0)
		return "***";
	if ((info->marks & SETTING_URL) != 0)
		return settings_url_mask(td_slice_str(text), arena);
	return text;
}

const char *settings_show_origin(
	const struct settings *settings, enum setting_id id, struct td_arena *arena)
{
	const struct setting_origin *origin = &settings->origin[id];
	const char *name = setting_get(id)->name;
	char flag[SETTING_FLAG_SIZE];
	const char *where = "default";
	if (origin->from == SETTING_FROM_ENVIRONMENT)
		where = "environment";
	if (origin->from == SETTING_FROM_FLAG && setting_flag(id, origin->through_file, flag))
		where = td_arena_printf(arena, "flag --%s", flag);
	if (origin->from == SETTING_FROM_CONFIG)
		where = td_arena_printf(arena, "%s line %u", settings->config_path, origin->line);
	if (origin->through_file && where != NULL)
		where = td_arena_printf(arena, "%s, %s_FILE %s", where, name, origin->path);
	return where;
}

static const char *from_name(enum setting_from from)
{
	switch (from) {
	case SETTING_FROM_DEFAULT:
		return "default";
	case SETTING_FROM_CONFIG:
		return "file";
	case SETTING_FROM_ENVIRONMENT:
		return "environment";
	case SETTING_FROM_FLAG:
		return "flag";
	}
	return "";
}

void settings_write_text(const struct settings *settings, struct td_buf *out)
{
	struct td_arena arena = TD_ARENA_INIT;
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		enum setting_id id = (enum setting_id)i;
		const char *value = settings_show(settings, id, &arena);
		const char *where = settings_show_origin(settings, id, &arena);
		td_buf_printf(out, "%-22s %-32s %s\n", setting_get(id)->name,
			value != NULL ? value : "-", where != NULL ? where : "");
	}
	out->failed |= arena.failed;
	td_arena_done(&arena);
}

static void write_json_setting(struct td_json *json, const struct settings *settings,
	enum setting_id id, struct td_arena *arena)
{
	const struct setting_origin *origin = &settings->origin[id];
	td_json_name(json, setting_get(id)->name);
	td_json_open(json, '{');
	td_json_member_str(json, "value", settings_show(settings, id, arena));
	td_json_member_str(json, "from", from_name(origin->from));
	td_json_member_str(json, "source", settings_show_origin(settings, id, arena));
	td_json_close(json, '}');
}

void settings_write_json(const struct settings *settings, struct td_buf *out)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct td_json json = td_json_to(out);
	td_json_open(&json, '{');
	td_json_member_str(&json, "config_file", settings->config_path);
	td_json_name(&json, "settings");
	td_json_open(&json, '{');
	for (unsigned i = 0; i < SETTING_COUNT; i++)
		write_json_setting(&json, settings, (enum setting_id)i, &arena);
	td_json_close(&json, '}');
	td_json_close(&json, '}');
	td_buf_put_char(out, '\n');
	out->failed |= arena.failed;
	td_arena_done(&arena);
}

/* Words of `text`, broken at `width` columns, each line after the first behind `indent` spaces.
 * Backquotes are left out. */
static void write_wrapped(struct td_buf *out, const char *text, int column, int indent, int width)
{
	bool first = true;
	while (*text != '\0') {
		int len = (int)strcspn(text, " ");
		if (!first && column + 1 + len > width) {
			td_buf_printf(out, "\n%*s", indent, "");
			column = indent;
		} else if (!first) {
			td_buf_put_char(out, ' ');
			column++;
		}
		for (int i = 0; i < len; i++) {
			if (text[i] != '`')
				td_buf_put_char(out, text[i]);
		}
		first = false;
		column += len;
		text += len;
		text += strspn(text, " ");
	}
}

static const char *value_word(const struct setting_info *info)
{
	switch (info->type) {
	case SETTING_TYPE_INT:
		return " N";
	case SETTING_TYPE_DURATION:
		return " TIME";
	case SETTING_TYPE_SIZE:
		return " SIZE";
	case SETTING_TYPE_PATH:
		return " FILE";
	case SETTING_TYPE_FOLDER:
		return " DIR";
	case SETTING_TYPE_ENUM:
		return " WORD";
	case SETTING_TYPE_HOST:
		return " ADDRESS";
	case SETTING_TYPE_ADDRESSES:
		return " LIST";
	case SETTING_TYPE_ORIGIN:
	case SETTING_TYPE_DATABASE:
		return " URL";
	case SETTING_TYPE_PRESENT:
		return "";
	case SETTING_TYPE_TEXT:
	case SETTING_TYPE_TIME:
		break;
	}
	return " TEXT";
}

static void write_help_setting(struct td_buf *out, enum setting_id id)
{
	const struct setting_info *info = setting_get(id);
	char flag[SETTING_FLAG_SIZE];
	if (!setting_flag(id, false, flag))
		td_buf_printf(out, "  %s_FILE", info->name);
	else
		td_buf_printf(out, "  --%s%s", flag, value_word(info));
	td_buf_put_str(out, "\n      ");
	write_wrapped(out, info->help, 6, 6, 78);
	if (info->type == SETTING_TYPE_ENUM)
		td_buf_printf(out, " (%s)", info->words);
	if (info->default_value != NULL)
		td_buf_printf(out, " [%s]", info->default_value);
	td_buf_put_char(out, '\n');
}

void settings_write_help(struct td_buf *out)
{
	for (unsigned g = 0; g < SETTING_GROUP_COUNT; g++) {
		td_buf_printf(out, "\n%s:\n", setting_group_heading((enum setting_group)g));
		for (unsigned i = 0; i < SETTING_COUNT; i++) {
			if (setting_get((enum setting_id)i)->group == (enum setting_group)g)
				write_help_setting(out, (enum setting_id)i);
		}
	}
}

static void put_limits(struct td_buf *out, const struct setting_info *info)
{
	td_buf_printf(out, "%s to %s", setting_limit_show(info->type, info->low).text,
		setting_limit_show(info->type, info->high).text);
}

static void write_kind(struct td_buf *out, const struct setting_info *info)
{
	switch (info->type) {
	case SETTING_TYPE_INT:
		put_limits(out, info);
		return;
	case SETTING_TYPE_ENUM:
		for (const char *c = info->words; *c != '\0'; c++) {
			if (*c == '|')
				td_buf_put_str(out, ", ");
			else
				td_buf_put_char(out, *c);
		}
		return;
	case SETTING_TYPE_DURATION:
		td_buf_put_str(out, "duration, ");
		put_limits(out, info);
		if (info->words != NULL)
			td_buf_printf(out, ", or `%s`", info->words);
		return;
	case SETTING_TYPE_SIZE:
		td_buf_put_str(out, "size, ");
		put_limits(out, info);
		return;
	case SETTING_TYPE_PATH:
		td_buf_put_str(out, "file");
		return;
	case SETTING_TYPE_FOLDER:
		td_buf_put_str(out, "folder");
		return;
	case SETTING_TYPE_HOST:
		td_buf_put_str(out, "address");
		return;
	case SETTING_TYPE_ADDRESSES:
		td_buf_put_str(out, "list");
		return;
	case SETTING_TYPE_ORIGIN:
	case SETTING_TYPE_DATABASE:
		td_buf_put_str(out, "URL");
		return;
	case SETTING_TYPE_TIME:
		td_buf_put_str(out, "time");
		return;
	case SETTING_TYPE_PRESENT:
		td_buf_put_str(out, "anything");
		return;
	case SETTING_TYPE_TEXT:
		td_buf_put_str(out, "text");
		return;
	}
}

static const char markdown_head[] =
	"# Settings\n"
	"\n"
	"Made from the table in `src/settings/settings_table.h` by `build/docs/td-reference "
	"settings`; "
	"a\n"
	"test compares the two, so change the table.\n"
	"\n"
	"- A setting is named `LIKE_THIS` in the environment and in a file, and `--like-this` as "
	"a\n"
	"  flag. Flags win over the environment, which wins over the file given by `--config "
	"FILE`,\n"
	"  which wins over the default. `tools-dashboard config` shows what is in force and where "
	"it\n"
	"  came from.\n"
	"- An empty value is unset.\n"
	"- The file holds `KEY=value` lines. A line that begins with `#` is a comment. Spaces "
	"around\n"
	"  key and value do not count; a value may stand in double or single quotes. A key that "
	"is\n"
	"  not known, or is there twice, is an error.\n"
	"- Secrets have no flag. Each secret, and `DATABASE_URL`, can be given through a file:\n"
	"  `NAME_FILE` holds its path, the file holds the value in one line. Both at once are an\n"
	"  error.\n"
	"- A **duration** is a number of seconds, decimals allowed, or a number with a unit: "
	"`250ms`,\n"
	"  `5s`, `2m`, `1h`, `30d`. A **size** is a number of bytes, or a number with `KiB` or "
	"`MiB`.\n"
	"- Everything that is wrong is reported at once, and the process ends with code 3.\n";

static void write_markdown_row(struct td_buf *out, enum setting_id id)
{
	const struct setting_info *info = setting_get(id);
	td_buf_printf(out, "| `%s`%s | ", info->name,
		(info->marks & SETTING_FILE) != 0 ? ", `…_FILE`" : "");
	if (info->default_value != NULL)
		td_buf_printf(out, "`%s`", info->default_value);
	else
		td_buf_put_str(out, "–");
	td_buf_put_str(out, " | ");
	write_kind(out, info);
	td_buf_printf(out, " | %s%s |\n", info->help,
		(info->marks & SETTING_SECRET) != 0 ? " Secret." : "");
}

static void write_markdown_group(struct td_buf *out, enum setting_group group)
{
	td_buf_printf(out, "\n## %s\n\n| name | default | value | |\n|---|---|---|---|\n",
		setting_group_heading(group));
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		if (setting_get((enum setting_id)i)->group == group)
			write_markdown_row(out, (enum setting_id)i);
	}
}

void settings_write_markdown(struct td_buf *out)
{
	td_buf_put_str(out, markdown_head);
	for (unsigned g = 0; g < SETTING_GROUP_COUNT; g++)
		write_markdown_group(out, (enum setting_group)g);
}

/* A backslash and a leading dot or quote mean something to roff; '-' is a hyphen unless escaped. */
static void write_roff(struct td_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			td_buf_put_str(out, "\\e");
		else if (*text == '-')
			td_buf_put_str(out, "\\-");
		else if (*text != '`')
			td_buf_put_char(out, *text);
	}
}

void settings_write_man(struct td_buf *out)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		const struct setting_info *info = setting_get((enum setting_id)i);
		td_buf_printf(out, ".TP\n.B %s", info->name);
		if ((info->marks & SETTING_FILE) != 0)
			td_buf_printf(out, ", %s_FILE", info->name);
		td_buf_put_str(out, "\n");
		write_roff(out, info->help);
		if (info->default_value != NULL) {
			td_buf_put_str(out, " Default: ");
			write_roff(out, info->default_value);
			td_buf_put_char(out, '.');
		}
		td_buf_put_char(out, '\n');
	}
}
