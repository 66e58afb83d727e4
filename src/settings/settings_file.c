#include "settings/settings_file.h"

#include "base/utf8.h"

#include <ctype.h>
#include <string.h>

struct settings_file settings_file_open(struct td_slice bytes)
{
	if (td_slice_has_prefix(bytes, "\xEF\xBB\xBF"))
		bytes = td_slice_skip(bytes, 3);
	return (struct settings_file){.rest = bytes};
}

static bool is_key(struct td_slice key)
{
	if (key.len == 0 || key.len > 63 || isdigit((unsigned char)key.ptr[0]))
		return false;
	for (size_t i = 0; i < key.len; i++) {
		if (!isalnum((unsigned char)key.ptr[i]) && key.ptr[i] != '_')
			return false;
	}
	return true;
}

static bool has_control(struct td_slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static struct td_slice unquote(struct td_slice value)
{
	bool quoted = value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\'') &&
		      value.ptr[value.len - 1] == value.ptr[0];
	return quoted ? td_slice(value.ptr + 1, value.len - 2) : value;
}

static enum td_status read_line(struct td_slice line, struct td_slice *ret_key,
	struct td_slice *ret_value, struct td_err *err)
{
	if (has_control(line))
		return td_err_set(err, TD_INVALID, "it holds a control character");
	if (!td_utf8_is_valid(line))
		return td_err_set(err, TD_INVALID, "it is not UTF-8");
	struct td_slice value = line;
	struct td_slice key;
	(void)td_slice_cut(&value, '=', &key);
	key = td_slice_trim(key);
	if (value.ptr == NULL)
		return td_err_set(err, TD_INVALID, "there is no '='; write KEY=value");
	if (!is_key(key))
		return td_err_set(
			err, TD_INVALID, "no name stands before the '='; write KEY=value");
	*ret_key = key;
	*ret_value = unquote(td_slice_trim(value));
	return TD_OK;
}

enum td_status settings_file_next(struct settings_file *file, struct td_slice *ret_key,
	struct td_slice *ret_value, struct td_err *err)
{
	struct td_slice line;
	while (td_slice_cut(&file->rest, '\n', &line)) {
		file->line++;
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		line = td_slice_trim(line);
		if (line.len > 0 && line.ptr[0] != '#')
			return read_line(line, ret_key, ret_value, err);
	}
	return TD_NOTFOUND;
}
