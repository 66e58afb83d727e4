#include "catalogue/check.h"

#include "base/money.h"
#include "base/nearest.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

static void put_pointer(struct check *c, char byte)
{
	if (c->pointer_len + 1 < sizeof(c->pointer))
		c->pointer[c->pointer_len++] = byte;
	c->pointer[c->pointer_len] = '\0';
}

size_t check_enter(struct check *c, const char *member)
{
	size_t before = c->pointer_len;
	put_pointer(c, '/');
	for (const char *at = member; *at != '\0'; at++) {
		if (*at == '~' || *at == '/') {
			put_pointer(c, '~');
			put_pointer(c, *at == '~' ? '0' : '1');
		} else {
			put_pointer(c, *at);
		}
	}
	return before;
}

size_t check_enter_index(struct check *c, size_t index)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%zu", index);
	return check_enter(c, text);
}

void check_leave(struct check *c, size_t before)
{
	c->pointer_len = before;
	c->pointer[before] = '\0';
}

/* A copy in which a terminal finds nothing to obey: controls and broken UTF-8 become '?'. */
static const char *copy_plain(struct td_arena *arena, const char *text)
{
	size_t len = strlen(text), out = 0;
	char *copy = td_arena_alloc(arena, len + 1);
	if (copy == NULL)
		return "";
	for (struct td_slice rest = td_slice(text, len); rest.len > 0;) {
		const char *at = rest.ptr;
		uint32_t point;
		bool valid = td_utf8_next(&rest, &point);
		if (!valid)
			rest = td_slice_skip(rest, 1);
		if (!valid || td_utf8_is_control(point)) {
			copy[out++] = '?';
			continue;
		}
		size_t size = (size_t)(rest.ptr - at);
		memcpy(copy + out, at, size);
		out += size;
	}
	return copy;
}

void check_fault(struct check *c, const char *fmt, ...)
{
	struct catalogue_faults *faults = c->faults;
	if (faults->count == CATALOGUE_FAULTS_MOST) {
		faults->more = true;
		return;
	}
	char text[400];
	va_list args;
	va_start(args, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(text))
		text[td_utf8_floor(text, sizeof(text) - 1)] = '\0';
	faults->list[faults->count++] = (struct catalogue_fault){
		.pointer = copy_plain(c->arena, c->pointer),
		.text = copy_plain(c->arena, text),
	};
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

void check_members(struct check *c, json_t *object, const char *const *names, size_t count)
{
	const char *name;
	json_t *value;
	json_object_foreach(object, name, value)
	{
		(void)value;
		if (is_one_of(name, names, count))
			continue;
		const char *nearest = td_nearest(name, names, count);
		size_t before = check_enter(c, name);
		if (nearest != NULL)
			check_fault(c, "is not a known member; did you mean \"%s\"?", nearest);
		else
			check_fault(c, "is not a known member; take it out");
		check_leave(c, before);
	}
}

static const char *type_words(const json_t *value)
{
	static const char *const words[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_STRING] = "a text",
		[JSON_INTEGER] = "a number",
		[JSON_REAL] = "a number",
		[JSON_TRUE] = "true",
		[JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};
	return words[json_typeof(value)];
}

static bool has_control(struct td_slice text, bool lines)
{
	uint32_t point;
	while (text.len > 0) {
		if (!td_utf8_next(&text, &point))
			return true;
		if (td_utf8_is_control(point) && !(lines && point == '\n'))
			return true;
	}
	return false;
}

struct td_slice check_value_text(
	struct check *c, const json_t *value, const struct check_text *rule)
{
	struct td_slice none = TD_SLICE("");
	if (!json_is_string(value)) {
		check_fault(c, "must be a text in quotes, not %s", type_words(value));
		return none;
	}
	struct td_slice text = td_slice(json_string_value(value), json_string_length(value));
	if (has_control(text, rule->lines))
		check_fault(c,
			"has a control character (%s, or one that cannot be seen); take it "
			"out",
			rule->lines ? "a tab" : "a line break, a tab");
	else if (rule->required && td_slice_trim(text).len == 0)
		check_fault(c, "must not be empty");
	else if (td_utf8_count(text) > rule->most)
		check_fault(
			c, "has %zu characters; at most %zu fit", td_utf8_count(text), rule->most);
	else if (text.len > 0 && rule->is_form != NULL && !rule->is_form(text))
		check_fault(c, "\"%.*s\" is not %s", TD_SLICE_ARG(text), rule->form);
	else
		return td_arena_slice(c->arena, text);
	return none;
}

struct td_slice check_take_text(
	struct check *c, const json_t *object, const struct check_text *rule)
{
	const json_t *value = json_object_get(object, rule->member);
	struct td_slice text = TD_SLICE("");
	size_t before = check_enter(c, rule->member);
	if (value != NULL)
		text = check_value_text(c, value, rule);
	else if (rule->required)
		check_fault(c, "is missing");
	check_leave(c, before);
	return text;
}

/* The minor units of which `amount` is the nearest double. Division of two integers that a double
 * holds exactly is rounded as reading the decimal was, so equality proves the two places. */
static bool minor_of_real(double amount, int64_t *ret_minor)
{
	if (!(amount >= 0 && amount <= (double)TD_MONEY_MAX / 100.0))
		return false;
	int64_t minor = (int64_t)(amount * 100.0 + 0.5);
	if ((double)minor / 100.0 != amount)
		return false;
	*ret_minor = minor;
	return true;
}

static bool minor_of_value(const json_t *value, int64_t *ret_minor)
{
	if (json_is_string(value))
		return td_money_parse(
			td_slice(json_string_value(value), json_string_length(value)), ret_minor);
	if (json_is_real(value))
		return minor_of_real(json_real_value(value), ret_minor);
	json_int_t whole = json_integer_value(value);
	if (whole < 0 || whole > TD_MONEY_MAX / 100)
		return false;
	*ret_minor = whole * 100;
	return true;
}

int64_t check_take_money(struct check *c, const json_t *object, const char *member)
{
	const json_t *value = json_object_get(object, member);
	int64_t minor = 0;
	size_t before = check_enter(c, member);
	if (value == NULL)
		check_fault(c, "is missing");
	else if (!json_is_number(value) && !json_is_string(value))
		check_fault(c, "must be an amount as 29.99, not %s", type_words(value));
	else if (!minor_of_value(value, &minor))
		check_fault(c, "must be an amount from 0 to 9999999999.99 with at most two "
			       "decimal places");
	check_leave(c, before);
	return minor;
}

bool check_take_bool(struct check *c, const json_t *object, const char *member, bool absent)
{
	const json_t *value = json_object_get(object, member);
	if (value == NULL)
		return absent;
	size_t before = check_enter(c, member);
	if (!json_is_boolean(value))
		check_fault(c, "must be true or false, not %s", type_words(value));
	check_leave(c, before);
	return json_is_true(value);
}

int64_t check_take_number(struct check *c, const json_t *object, const struct check_number *rule)
{
	const json_t *value = json_object_get(object, rule->member);
	int64_t number = rule->absent;
	size_t before = check_enter(c, rule->member);
	if (value == NULL && rule->required)
		check_fault(c, "is missing");
	else if (value != NULL && json_is_real(value))
		check_fault(c, "must be a whole number");
	else if (value != NULL && !json_is_integer(value))
		check_fault(c, "must be a whole number, not %s", type_words(value));
	else if (value != NULL && (json_integer_value(value) < rule->least ||
					  json_integer_value(value) > rule->most))
		check_fault(c, "must be from %lld to %lld", (long long)rule->least,
			(long long)rule->most);
	else if (value != NULL)
		number = json_integer_value(value);
	check_leave(c, before);
	return number;
}

static bool is_lower_or_digit(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

/* Words of small letters and digits with one '-' between them. */
bool check_is_slug(struct td_slice text)
{
	bool in_word = false;
	for (size_t i = 0; i < text.len; i++) {
		bool part = is_lower_or_digit(text.ptr[i]);
		if (!part && (!in_word || text.ptr[i] != '-'))
			return false;
		in_word = part;
	}
	return in_word;
}

bool check_is_key(struct td_slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.ptr[i];
		bool letter = is_lower_or_digit(byte) || (byte >= 'A' && byte <= 'Z');
		if (!letter && byte != '.' && byte != '_' && byte != '-')
			return false;
	}
	return text.len > 0 && text.ptr[0] != '.' && text.ptr[text.len - 1] != '.';
}
