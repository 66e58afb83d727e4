#include "settings/settings_convert.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "settings/settings_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where each setting's field is. */
static const size_t offsets[SETTING_COUNT] = {
#define SETTING_OFFSET(name, field, ...) [SETTING_##name] = offsetof(struct settings, field),
	SETTING_MAP(SETTING_OFFSET)
#undef SETTING_OFFSET
};

static void store_field(
	struct settings *settings, enum setting_id id, const void *value, size_t size)
{
	memcpy((char *)settings + offsets[id], value, size);
}

static void store_text(struct settings *settings, enum setting_id id, const char *text)
{
	store_field(settings, id, &text, sizeof(text));
}

struct setting_limit setting_limit_show(enum setting_type type, int64_t value)
{
	static const struct {
		const char *unit;
		int64_t size;
	} durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}},
	  sizes[] = {{"MiB", 1048576}, {"KiB", 1024}};
	struct setting_limit limit;
	const char *unit = "";
	if (type == SETTING_TYPE_DURATION && value != 0) {
		size_t i = 0;
		while (value % durations[i].size != 0)
			i++;
		unit = durations[i].unit;
		value /= durations[i].size;
	}
	for (size_t i = 0; type == SETTING_TYPE_SIZE && i < TD_ARRAY_LEN(sizes); i++) {
		if (value >= sizes[i].size && value % sizes[i].size == 0) {
			unit = sizes[i].unit;
			value /= sizes[i].size;
			break;
		}
	}
	(void)snprintf(limit.text, sizeof(limit.text), "%lld%s", (long long)value, unit);
	return limit;
}

static enum td_status check_limits(
	const struct setting_info *info, const char *text, int64_t number, struct td_err *err)
{
	if (number >= info->low && number <= info->high)
		return TD_OK;
	return td_err_set(err, TD_INVALID, "'%.40s' is not within %s to %s", text,
		setting_limit_show(info->type, info->low).text,
		setting_limit_show(info->type, info->high).text);
}

static enum td_status convert_number(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	const struct setting_info *info = setting_get(id);
	struct td_slice slice = td_slice_str(text);
	int64_t number;
	enum td_status status;
	if (info->type == SETTING_TYPE_DURATION && info->words != NULL &&
		td_slice_is_nocase(slice, info->words)) {
		number = -1;
		store_field(settings, id, &number, sizeof(number));
		return TD_OK;
	}
	if (info->type == SETTING_TYPE_DURATION)
		status = settings_read_duration(slice, &number, err);
	else if (info->type == SETTING_TYPE_SIZE)
		status = settings_read_size(slice, &number, err);
	else
		status = settings_read_int(slice, &number, err);
	if (status == TD_OK)
		status = check_limits(info, text, number, err);
	if (status != TD_OK)
		return status;
	size_t size = (size_t)number;
	if (info->type == SETTING_TYPE_SIZE)
		store_field(settings, id, &size, sizeof(size));
	else
		store_field(settings, id, &number, sizeof(number));
	return TD_OK;
}

/* What is true of every text: UTF-8, no control characters, not too long. */
static enum td_status check_text(
	const struct setting_info *info, const char *text, struct td_err *err)
{
	struct td_slice rest = td_slice_str(text);
	uint32_t c;
	if (!td_utf8_is_valid(rest))
		return td_err_set(err, TD_INVALID, "it is not UTF-8");
	while (td_utf8_next(&rest, &c)) {
		if (td_utf8_is_control(c))
			return td_err_set(err, TD_INVALID, "it holds a control character");
	}
	bool text_limit = info->type == SETTING_TYPE_TEXT || info->type == SETTING_TYPE_PATH ||
			  info->type == SETTING_TYPE_FOLDER || info->type == SETTING_TYPE_HOST ||
			  info->type == SETTING_TYPE_ORIGIN ||
			  info->type == SETTING_TYPE_ADDRESSES ||
			  info->type == SETTING_TYPE_DATABASE;
	if (text_limit && strlen(text) > (size_t)info->high)
		return td_err_set(err, TD_INVALID, "it is longer than %d bytes", (int)info->high);
	return TD_OK;
}

static enum td_status check_path(enum setting_type type, const char *path, struct td_err *err)
{
	struct stat info;
	if (stat(path, &info) != 0)
		return td_err_errno(err, TD_INVALID, errno, "%.300s", path);
	if (type == SETTING_TYPE_FOLDER && !S_ISDIR(info.st_mode))
		return td_err_set(err, TD_INVALID, "%.300s is not a folder", path);
	if (type == SETTING_TYPE_PATH && S_ISDIR(info.st_mode))
		return td_err_set(err, TD_INVALID, "%.300s is a folder, and a file is meant", path);
	if (access(path, type == SETTING_TYPE_FOLDER ? R_OK | X_OK : R_OK) != 0)
		return td_err_errno(err, TD_INVALID, errno, "%.300s", path);
	return TD_OK;
}

static enum td_status convert_host(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	enum td_status status = settings_read_host(td_slice_str(text), err);
	if (status != TD_OK)
		return status;
	if (text[0] == '[')
		text = td_arena_strndup(&settings->arena, text + 1, strlen(text) - 2);
	if (text == NULL)
		return td_err_set(err, TD_NOMEM, "out of memory");
	store_text(settings, id, text);
	return TD_OK;
}

static enum td_status convert_origin(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	bool https;
	size_t len;
	enum td_status status = settings_read_origin(td_slice_str(text), &https, &len, err);
	if (status != TD_OK)
		return status;
	const char *origin = td_arena_strndup(&settings->arena, text, len);
	if (origin == NULL)
		return td_err_set(err, TD_NOMEM, "out of memory");
	if (id == SETTING_PUBLIC_URL)
		settings->public_url_is_https = https;
	store_text(settings, id, origin);
	return TD_OK;
}

static enum td_status convert_addresses(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	const char *list;
	enum td_status status = settings_read_addresses(
		td_slice_str(text), &settings->arena, &list, err);
	if (status == TD_OK)
		store_text(settings, id, list);
	return status;
}

static enum td_status convert_database(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	const char *path;
	enum td_status status = settings_read_database(
		td_slice_str(text), &settings->arena, &path, err);
	if (status != TD_OK)
		return status;
	settings->sqlite_path = path;
	store_text(settings, id, text);
	return TD_OK;
}

static enum td_status convert_word(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	int place;
	enum td_status status = settings_read_word(
		td_slice_str(text), setting_get(id)->words, &place, err);
	if (status == TD_OK)
		store_field(settings, id, &place, sizeof(place));
	return status;
}

static enum td_status convert_time(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	int64_t wall_ms;
	if (!td_time_parse(td_slice_str(text), &wall_ms))
		return td_err_set(err, TD_INVALID,
			"'%.40s' is not a time: write it as 2026-11-23T08:00:00Z", text);
	const struct setting_info *info = setting_get(id);
	if (wall_ms < info->low || wall_ms > info->high)
		return td_err_set(err, TD_INVALID,
			"'%.40s' is before 1970 or after 9989: take a time between", text);
	store_field(settings, id, &wall_ms, sizeof(wall_ms));
	return TD_OK;
}

static enum td_status convert_path(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	enum td_status status = check_path(setting_get(id)->type, text, err);
	if (status == TD_OK)
		store_text(settings, id, text);
	return status;
}

enum td_status settings_convert(
	struct settings *settings, enum setting_id id, const char *text, struct td_err *err)
{
	const struct setting_info *info = setting_get(id);
	const bool present = true;
	enum td_status status = check_text(info, text, err);
	if (status != TD_OK)
		return status;
	switch (info->type) {
	case SETTING_TYPE_INT:
	case SETTING_TYPE_DURATION:
	case SETTING_TYPE_SIZE:
		return convert_number(settings, id, text, err);
	case SETTING_TYPE_HOST:
		return convert_host(settings, id, text, err);
	case SETTING_TYPE_PATH:
	case SETTING_TYPE_FOLDER:
		return convert_path(settings, id, text, err);
	case SETTING_TYPE_ENUM:
		return convert_word(settings, id, text, err);
	case SETTING_TYPE_ORIGIN:
		return convert_origin(settings, id, text, err);
	case SETTING_TYPE_ADDRESSES:
		return convert_addresses(settings, id, text, err);
	case SETTING_TYPE_DATABASE:
		return convert_database(settings, id, text, err);
	case SETTING_TYPE_TIME:
		return convert_time(settings, id, text, err);
	case SETTING_TYPE_PRESENT:
		store_field(settings, id, &present, sizeof(present));
		return TD_OK;
	case SETTING_TYPE_TEXT:
		store_text(settings, id, text);
		return TD_OK;
	}
	return td_err_set(err, TD_INTERNAL, "%s has no type", info->name);
}
