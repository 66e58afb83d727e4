#include "settings/settings.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "settings/settings_cassandra.h"
#include "settings/settings_convert.h"
#include "settings/settings_file.h"
#include "settings/settings_postgres.h"
#include "settings/settings_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_MAX  ((size_t)1024 * 1024)
#define SECRET_MAX  ((size_t)64 * 1024)
#define PROBLEM_MAX (SETTING_COUNT * 2 + 64)

/* What one layer after the other said, before anything is understood. */
struct given {
	const char *text; /* NULL: nothing */
	enum setting_from from;
	unsigned line;
};

struct loading {
	struct settings *settings;
	struct settings_problems *problems;
	struct given value[SETTING_COUNT];
	struct given file[SETTING_COUNT]; /* NAME_FILE */
};

static void add_problem(struct loading *l, const char *text)
{
	if (l->problems->count < PROBLEM_MAX && text != NULL)
		l->problems->text[l->problems->count++] = text;
}

/* Reads all of a file, at most `limit` bytes of it. */
static enum td_status read_all(
	int fd, size_t limit, struct td_buf *out, const char *path, struct td_err *err)
{
	out->limit = limit;
	for (;;) {
		char *room = td_buf_reserve(out, 4096);
		if (room == NULL && out->len + 4096 <= limit)
			return td_err_set(err, TD_NOMEM, "out of memory");
		if (room == NULL)
			return td_err_set(err, TD_TOOBIG, "%.300s is larger than %zu KiB", path,
				limit / 1024);
		ssize_t got = read(fd, room, 4096);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return td_err_errno(err, TD_IO, errno, "%.300s", path);
		if (got == 0)
			return TD_OK;
		out->len += (size_t)got;
	}
}

static enum td_status read_file(const char *path, size_t limit, struct td_arena *arena,
	struct td_slice *ret, struct td_err *err)
{
	struct td_buf buf = TD_BUF_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return td_err_errno(err, TD_IO, errno, "%.300s", path);
	enum td_status status = read_all(fd, limit + 4096, &buf, path, err);
	(void)close(fd);
	if (status == TD_OK) {
		*ret = td_arena_slice(arena, td_buf_slice(&buf));
		if (arena->failed)
			status = td_err_set(err, TD_NOMEM, "out of memory");
	}
	td_buf_done(&buf);
	return status;
}

/* NAME or NAME_FILE; false: neither. */
static bool find_name(struct td_slice name, enum setting_id *ret_id, bool *ret_file)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		const struct setting_info *info = setting_get((enum setting_id)i);
		bool begins = td_slice_has_prefix(name, info->name);
		struct td_slice rest = begins ? td_slice_skip(name, strlen(info->name))
					      : td_slice(NULL, 0);
		bool file = td_slice_is(rest, "_FILE") && (info->marks & SETTING_FILE) != 0;
		if (begins && (rest.len == 0 || file)) {
			*ret_id = (enum setting_id)i;
			*ret_file = file;
			return true;
		}
	}
	return false;
}

/* An empty value is unset. */
static void give(struct loading *l, enum setting_id id, bool file, struct given given)
{
	if (given.text != NULL && given.text[0] != '\0')
		*(file ? &l->file[id] : &l->value[id]) = given;
}

static void unknown_key(struct loading *l, struct td_slice key, unsigned line)
{
	const char *names[SETTING_COUNT];
	for (unsigned i = 0; i < SETTING_COUNT; i++)
		names[i] = setting_get((enum setting_id)i)->name;
	struct td_arena *arena = &l->settings->arena;
	const char *word = td_arena_strndup(arena, key.ptr, key.len);
	const char *near = word != NULL ? td_nearest(word, names, SETTING_COUNT) : NULL;
	if (near != NULL)
		add_problem(l, td_arena_printf(arena,
				       "%s, line %u: there is no setting %s; did you mean %s?",
				       l->settings->config_path, line, word, near));
	else
		add_problem(l, td_arena_printf(arena,
				       "%s, line %u: there is no setting %s; `tools-dashboard "
				       "config` lists them",
				       l->settings->config_path, line, word));
}

static void take_entry(struct loading *l, struct td_slice key, struct td_slice value, unsigned line)
{
	enum setting_id id;
	bool file;
	struct td_arena *arena = &l->settings->arena;
	if (!find_name(key, &id, &file)) {
		unknown_key(l, key, line);
		return;
	}
	struct given *before = file ? &l->file[id] : &l->value[id];
	if (before->text != NULL)
		add_problem(l,
			td_arena_printf(arena, "%s, line %u: %.*s is set in line %u already",
				l->settings->config_path, line, TD_SLICE_ARG(key), before->line));
	struct given given = {
		.text = td_arena_strndup(arena, value.ptr, value.len),
		.from = SETTING_FROM_CONFIG,
		.line = line,
	};
	give(l, id, file, given);
}

static void take_config(struct loading *l, const char *path)
{
	struct td_err err = TD_ERR_INIT;
	struct td_slice bytes;
	struct td_arena *arena = &l->settings->arena;
	if (read_file(path, CONFIG_MAX, arena, &bytes, &err) != TD_OK) {
		arena->failed |= err.code == TD_NOMEM;
		add_problem(l, td_arena_printf(arena, "--config: %s", err.text));
		return;
	}
	struct settings_file file = settings_file_open(bytes);
	struct td_slice key;
	struct td_slice value;
	enum td_status status;
	while ((status = settings_file_next(&file, &key, &value, &err)) != TD_NOTFOUND) {
		if (status == TD_OK)
			take_entry(l, key, value, file.line);
		else
			add_problem(l, td_arena_printf(arena, "%s, line %u: %s", path, file.line,
					       err.text));
	}
}

static void take_environment(struct loading *l, const char *const *environment)
{
	for (; environment != NULL && *environment != NULL; environment++) {
		struct td_slice value = td_slice_str(*environment);
		struct td_slice name;
		enum setting_id id;
		bool file;
		(void)td_slice_cut(&value, '=', &name);
		if (value.ptr == NULL || !find_name(name, &id, &file))
			continue;
		struct given given = {
			.text = td_arena_strndup(&l->settings->arena, value.ptr, value.len),
			.from = SETTING_FROM_ENVIRONMENT,
		};
		give(l, id, file, given);
	}
}

static void take_flags(struct loading *l, const struct settings_flag *flags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum setting_id id;
		bool file;
		if (!setting_of_flag(flags[i].name, &id, &file))
			continue;
		struct given given = {
			.text = td_arena_strndup(
				&l->settings->arena, flags[i].value, strlen(flags[i].value)),
			.from = SETTING_FROM_FLAG,
		};
		give(l, id, file, given);
	}
}

/* "PORT", as the layer that set it spells it: "--port", "PORT (FILE, line 3)". */
static const char *name_given(
	struct loading *l, enum setting_id id, bool file, const struct given *given)
{
	char flag[SETTING_FLAG_SIZE];
	struct td_arena *arena = &l->settings->arena;
	const char *name = setting_get(id)->name;
	const char *suffix = file ? "_FILE" : "";
	if (given->from == SETTING_FROM_FLAG && setting_flag(id, file, flag))
		return td_arena_printf(arena, "%s%s (--%s)", name, suffix, flag);
	if (given->from == SETTING_FROM_CONFIG)
		return td_arena_printf(arena, "%s%s (%s, line %u)", name, suffix,
			l->settings->config_path, given->line);
	return td_arena_printf(arena, "%s%s", name, suffix);
}

static void add_setting_problem(struct loading *l, enum setting_id id, bool file,
	const struct given *given, const char *what)
{
	const char *name = name_given(l, id, file, given);
	if (name != NULL)
		add_problem(l, td_arena_printf(&l->settings->arena, "%s: %s", name, what));
}

/* The value that stands in the file of NAME_FILE. */
static enum td_status read_secret(
	const char *path, struct td_arena *arena, const char **ret_value, struct td_err *err)
{
	struct td_slice bytes;
	enum td_status status = read_file(path, SECRET_MAX, arena, &bytes, err);
	if (status != TD_OK)
		return status;
	while (bytes.len > 0 && strchr("\r\n", bytes.ptr[bytes.len - 1]) != NULL &&
		bytes.ptr[bytes.len - 1] != '\0')
		bytes.len--;
	if (bytes.len == 0)
		return td_err_set(err, TD_INVALID, "%.300s is empty", path);
	if (memchr(bytes.ptr, '\n', bytes.len) != NULL ||
		memchr(bytes.ptr, '\0', bytes.len) != NULL)
		return td_err_set(err, TD_INVALID, "%.300s holds more than one line", path);
	*ret_value = td_arena_strndup(arena, bytes.ptr, bytes.len);
	return *ret_value != NULL ? TD_OK : td_err_set(err, TD_NOMEM, "out of memory");
}

static bool is_usable(struct loading *l, enum setting_id id, bool file, const struct given *given)
{
	const struct setting_info *info = setting_get(id);
	char what[192];
	if ((info->marks & SETTING_URL) != 0 && !file && given->from == SETTING_FROM_FLAG &&
		settings_url_has_password(td_slice_str(given->text))) {
		(void)snprintf(what, sizeof(what),
			"a password has no place in a flag, where everybody on this machine can "
			"read it; set %s in the environment, or %s_FILE",
			info->name, info->name);
		add_setting_problem(l, id, file, given, what);
		return false;
	}
	return true;
}

static void convert(struct loading *l, enum setting_id id, bool file, const struct given *given,
	const char *text)
{
	struct setting_origin *origin = &l->settings->origin[id];
	struct td_err err = TD_ERR_INIT;
	if (settings_convert(l->settings, id, text, &err) != TD_OK) {
		l->settings->arena.failed |= err.code == TD_NOMEM;
		add_setting_problem(l, id, file, given, err.text);
		return;
	}
	*origin = (struct setting_origin){
		.from = given->from,
		.through_file = file,
		.line = given->line,
		.path = file ? given->text : NULL,
		.text = text,
	};
}

static void settle(struct loading *l, enum setting_id id)
{
	const struct setting_info *info = setting_get(id);
	struct td_err err = TD_ERR_INIT;
	bool file = l->file[id].text != NULL;
	const struct given *given = file ? &l->file[id] : &l->value[id];
	const char *text = given->text;
	if (info->default_value != NULL) {
		enum td_status status = settings_convert(
			l->settings, id, info->default_value, &err);
		td_assert(status == TD_OK || status == TD_NOMEM);
		l->settings->origin[id].text = info->default_value;
	}
	if (text == NULL)
		return;
	if (file && l->value[id].text != NULL) {
		add_problem(l, td_arena_printf(&l->settings->arena,
				       "%s and %s_FILE are both set; unset one of them", info->name,
				       info->name));
		return;
	}
	if (!is_usable(l, id, file, given))
		return;
	if (file && read_secret(given->text, &l->settings->arena, &text, &err) != TD_OK) {
		l->settings->arena.failed |= err.code == TD_NOMEM;
		add_setting_problem(l, id, file, given, err.text);
		return;
	}
	convert(l, id, file, given, text);
}

typedef enum td_status settle_fn(
	struct settings *settings, enum setting_id *ret_wrong, struct td_err *err);

/* Several settings together say where a database is. */
static void settle_together(struct loading *l, settle_fn *settle_all)
{
	struct td_err err = TD_ERR_INIT;
	enum setting_id wrong = SETTING_COUNT;
	if (settle_all(l->settings, &wrong, &err) == TD_OK)
		return;
	l->settings->arena.failed |= err.code == TD_NOMEM;
	if (wrong < SETTING_COUNT)
		add_setting_problem(l, wrong, false, &l->value[wrong], err.text);
}

enum td_status settings_load(const struct settings_input *input, struct settings **ret_settings,
	struct settings_problems *ret_problems)
{
	struct settings_problems problems = {.count = 0};
	struct settings *settings = td_alloc_zero(sizeof(*settings));
	struct loading *l = td_alloc_zero(sizeof(*l));
	bool ok = settings != NULL && l != NULL;
	if (ok)
		problems.text = td_arena_array(
			&settings->arena, PROBLEM_MAX, sizeof(*problems.text));
	if (ok && problems.text != NULL) {
		*l = (struct loading){.settings = settings, .problems = &problems};
		if (input->config_path != NULL) {
			settings->config_path = td_arena_strndup(
				&settings->arena, input->config_path, strlen(input->config_path));
			take_config(l, input->config_path);
		}
		take_environment(l, input->environment);
		take_flags(l, input->flags, input->flag_count);
		for (unsigned i = 0; i < SETTING_COUNT; i++)
			settle(l, (enum setting_id)i);
		settle_together(l, settings_settle_postgres);
		settle_together(l, settings_settle_cassandra);
	}
	td_free(l);
	if (!ok || settings->arena.failed) {
		settings_free(settings);
		return TD_NOMEM;
	}
	*ret_settings = settings;
	*ret_problems = problems;
	return problems.count == 0 ? TD_OK : TD_INVALID;
}

void settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	td_arena_done(&settings->arena);
	td_free(settings);
}

enum td_status settings_read_again(const struct settings *settings, enum setting_id id,
	struct td_arena *arena, const char **ret_value, struct td_err *err)
{
	const struct setting_origin *origin = &settings->origin[id];
	if (!origin->through_file) {
		*ret_value = origin->text;
		return TD_OK;
	}
	if (read_secret(origin->path, arena, ret_value, err) == TD_OK)
		return TD_OK;
	return td_err_context(err, "%s_FILE", setting_get(id)->name);
}
