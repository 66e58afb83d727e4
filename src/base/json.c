#include "base/json.h"

#include "base/clock.h"
#include "base/money.h"
#include "base/utf8.h"

static void separate(struct td_json *j)
{
	if (j->comma)
		td_buf_put_char(j->out, ',');
	j->comma = true;
}

void td_json_open(struct td_json *j, char bracket)
{
	separate(j);
	td_buf_put_char(j->out, bracket);
	j->comma = false;
}

void td_json_close(struct td_json *j, char bracket)
{
	td_buf_put_char(j->out, bracket);
	j->comma = true;
}

static void put_escaped(struct td_buf *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	switch (c) {
	case '"':
		td_buf_put(out, "\\\"", 2);
		break;
	case '\\':
		td_buf_put(out, "\\\\", 2);
		break;
	case '\n':
		td_buf_put(out, "\\n", 2);
		break;
	case '\r':
		td_buf_put(out, "\\r", 2);
		break;
	case '\t':
		td_buf_put(out, "\\t", 2);
		break;
	default: {
		char hex[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
		td_buf_put(out, hex, sizeof(hex));
	}
	}
}

/* How many bytes at the front stand for themselves in a JSON string. */
static size_t plain_length(struct td_slice text)
{
	size_t n = 0;
	while (n < text.len) {
		uint8_t c = (uint8_t)text.ptr[n];
		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7F)
			break;
		n++;
	}
	return n;
}

static void put_string(struct td_buf *out, struct td_slice text)
{
	td_buf_put_char(out, '"');
	while (text.len > 0) {
		size_t plain = plain_length(text);
		td_buf_put(out, text.ptr, plain);
		text = td_slice_skip(text, plain);
		if (text.len == 0)
			break;
		struct td_slice before = text;
		uint32_t code;
		if (!td_utf8_next(&text, &code)) {
			td_buf_put(out, "\xEF\xBF\xBD", 3);
			text = td_slice_skip(text, 1);
		} else if (code < 0x80) {
			put_escaped(out, (uint8_t)code);
		} else {
			td_buf_put(out, before.ptr, before.len - text.len);
		}
	}
	td_buf_put_char(out, '"');
}

void td_json_name(struct td_json *j, const char *name)
{
	separate(j);
	put_string(j->out, td_slice_str(name));
	td_buf_put_char(j->out, ':');
	j->comma = false;
}

void td_json_slice(struct td_json *j, struct td_slice text)
{
	separate(j);
	put_string(j->out, text);
}

void td_json_str(struct td_json *j, const char *text)
{
	if (text == NULL)
		td_json_null(j);
	else
		td_json_slice(j, td_slice_str(text));
}

void td_json_i64(struct td_json *j, int64_t number)
{
	separate(j);
	td_buf_put_i64(j->out, number);
}

void td_json_bool(struct td_json *j, bool value)
{
	separate(j);
	td_buf_put_str(j->out, value ? "true" : "false");
}

void td_json_null(struct td_json *j)
{
	separate(j);
	td_buf_put_str(j->out, "null");
}

void td_json_money(struct td_json *j, int64_t minor)
{
	separate(j);
	td_money_put(j->out, minor);
}

void td_json_time(struct td_json *j, int64_t wall_ms)
{
	char text[TD_TIME_TEXT_SIZE];
	td_time_format(wall_ms, text);
	td_json_str(j, text);
}

void td_json_member_str(struct td_json *j, const char *name, const char *text)
{
	td_json_name(j, name);
	td_json_str(j, text);
}

void td_json_member_i64(struct td_json *j, const char *name, int64_t number)
{
	td_json_name(j, name);
	td_json_i64(j, number);
}

void td_json_member_bool(struct td_json *j, const char *name, bool value)
{
	td_json_name(j, name);
	td_json_bool(j, value);
}

void td_json_member_money(struct td_json *j, const char *name, int64_t minor)
{
	td_json_name(j, name);
	td_json_money(j, minor);
}

void td_json_member_time(struct td_json *j, const char *name, int64_t wall_ms)
{
	td_json_name(j, name);
	td_json_time(j, wall_ms);
}
