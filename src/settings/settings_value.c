#include "settings/settings_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

/* What a refused value looks like in a message: short, and no control characters. */
#define SHOWN_MAX 60

struct shown {
	char text[SHOWN_MAX + 4];
};

static struct shown show(struct td_slice text)
{
	struct shown s = {.text = ""};
	size_t len = 0;
	for (size_t i = 0; i < text.len && len < SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		s.text[len++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	if (text.len > SHOWN_MAX)
		memcpy(s.text + len, "...", 4);
	return s;
}

/* Digits at the front of *rest, cut off it. False: none, or more than an int64_t holds. */
static bool take_digits(struct td_slice *rest, int64_t *ret_number)
{
	int64_t number = 0;
	size_t len = 0;
	for (; len < rest->len && rest->ptr[len] >= '0' && rest->ptr[len] <= '9'; len++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, rest->ptr[len] - '0', &number))
			return false;
	}
	*rest = td_slice_skip(*rest, len);
	*ret_number = number;
	return len > 0;
}

enum td_status settings_read_int(struct td_slice text, int64_t *ret_number, struct td_err *err)
{
	struct td_slice rest = text;
	bool negative = rest.len > 0 && rest.ptr[0] == '-';
	if (negative)
		rest = td_slice_skip(rest, 1);
	int64_t number;
	if (!take_digits(&rest, &number) || rest.len > 0)
		return td_err_set(err, TD_INVALID, "'%s' is not a whole number", show(text).text);
	*ret_number = negative ? -number : number;
	return TD_OK;
}

static bool find_duration_unit(struct td_slice unit, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	for (size_t i = 0; i < TD_ARRAY_LEN(units); i++) {
		if (td_slice_is(unit, units[i].name)) {
			*ret_ms = units[i].ms;
			return true;
		}
	}
	return false;
}

/* ".25" as 250 millionths of a thousand; at most nine digits count. */
static bool take_fraction(struct td_slice *rest, int64_t *ret_billionths)
{
	int64_t value = 0;
	int64_t place = 100000000;
	*ret_billionths = 0;
	if (rest->len == 0 || rest->ptr[0] != '.')
		return true;
	*rest = td_slice_skip(*rest, 1);
	size_t len = 0;
	for (; len < rest->len && rest->ptr[len] >= '0' && rest->ptr[len] <= '9'; len++) {
		value += place * (rest->ptr[len] - '0');
		place /= 10;
	}
	*rest = td_slice_skip(*rest, len);
	*ret_billionths = value;
	return len > 0;
}

enum td_status settings_read_duration(struct td_slice text, int64_t *ret_ms, struct td_err *err)
{
	struct td_slice rest = text;
	int64_t whole;
	int64_t billionths;
	if (rest.len > 0 && rest.ptr[0] == '-')
		return td_err_set(err, TD_INVALID, "'%s' is negative", show(text).text);
	if (!take_digits(&rest, &whole) || !take_fraction(&rest, &billionths))
		return td_err_set(err, TD_INVALID,
			"'%s' is not a duration: write seconds, or a number with a unit, like "
			"250ms, 5s, 2m, 1h, 30d",
			show(text).text);
	int64_t unit_ms;
	if (!find_duration_unit(rest, &unit_ms))
		return td_err_set(err, TD_INVALID, "'%s' has the unit '%s': use ms, s, m, h or d",
			show(text).text, show(rest).text);
	/* At most 86,400,000 * (10^9 - 1): it fits. */
	int64_t part = (billionths * unit_ms + 999999999) / 1000000000;
	int64_t ms;
	if (__builtin_mul_overflow(whole, unit_ms, &ms) || __builtin_add_overflow(ms, part, &ms))
		return td_err_set(err, TD_INVALID, "'%s' is too long", show(text).text);
	*ret_ms = ms;
	return TD_OK;
}

enum td_status settings_read_size(struct td_slice text, int64_t *ret_bytes, struct td_err *err)
{
	struct td_slice rest = text;
	int64_t number;
	if (!take_digits(&rest, &number))
		return td_err_set(err, TD_INVALID,
			"'%s' is not a size: write bytes, or a number with KiB or MiB",
			show(text).text);
	int64_t unit = 0;
	if (rest.len == 0)
		unit = 1;
	else if (td_slice_is(rest, "KiB"))
		unit = 1024;
	else if (td_slice_is(rest, "MiB"))
		unit = 1048576;
	if (unit == 0)
		return td_err_set(err, TD_INVALID, "'%s' has the unit '%s': use KiB or MiB",
			show(text).text, show(rest).text);
	if (__builtin_mul_overflow(number, unit, &number))
		return td_err_set(err, TD_INVALID, "'%s' is too large", show(text).text);
	*ret_bytes = number;
	return TD_OK;
}

enum td_status settings_read_bool(struct td_slice text, bool *ret_value, struct td_err *err)
{
	static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
	for (size_t i = 0; i < TD_ARRAY_LEN(words); i++) {
		if (td_slice_is_nocase(text, words[i])) {
			*ret_value = i % 2 == 1;
			return TD_OK;
		}
	}
	return td_err_set(err, TD_INVALID,
		"'%s' is neither true nor false: use true, false, 1, 0, yes, no, on or off",
		show(text).text);
}

struct word_list {
	char text[128];
};

/* "a|b|c" as "a, b or c". */
static struct word_list list_words(const char *words)
{
	struct word_list s = {.text = ""};
	struct td_slice rest = td_slice_str(words);
	struct td_slice word;
	size_t len = 0;
	while (td_slice_cut(&rest, '|', &word)) {
		const char *before = len == 0 ? "" : rest.ptr == NULL ? " or " : ", ";
		size_t gap = strlen(before);
		if (len + gap + word.len >= sizeof(s.text))
			break;
		memcpy(s.text + len, before, gap);
		memcpy(s.text + len + gap, word.ptr, word.len);
		len += gap + word.len;
	}
	s.text[len] = '\0';
	return s;
}

enum td_status settings_read_word(
	struct td_slice text, const char *words, int *ret_place, struct td_err *err)
{
	struct td_slice rest = td_slice_str(words);
	struct td_slice word;
	for (int place = 0; td_slice_cut(&rest, '|', &word); place++) {
		if (text.len == word.len && strncasecmp(text.ptr, word.ptr, word.len) == 0) {
			*ret_place = place;
			return TD_OK;
		}
	}
	return td_err_set(err, TD_INVALID, "'%s' is not one of its words: use %s", show(text).text,
		list_words(words).text);
}

/* RFC 1123 section 2.1, with '_' as container engines name services. */
static bool is_host_name(struct td_slice text)
{
	if (text.len == 0 || text.len > 253)
		return false;
	struct td_slice label;
	while (td_slice_cut(&text, '.', &label)) {
		if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' ||
			label.ptr[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			if (!isalnum((unsigned char)label.ptr[i]) && label.ptr[i] != '-' &&
				label.ptr[i] != '_')
				return false;
		}
	}
	return true;
}

/* A family of inet_pton, or 0. */
static int address_family(struct td_slice text)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
		return 0;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, bytes) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, copy, bytes) == 1 ? AF_INET6 : 0;
}

/* "10.0.0.300" is no name: a name whose last label is all digits is a mistyped address. */
static bool looks_like_address(struct td_slice text)
{
	size_t digits = 0;
	for (size_t i = 0; i < text.len; i++)
		digits += isdigit((unsigned char)text.ptr[i]) || text.ptr[i] == '.';
	return digits == text.len;
}

enum td_status settings_read_host(struct td_slice text, struct td_err *err)
{
	bool is_good;
	if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
		is_good = address_family(td_slice(text.ptr + 1, text.len - 2)) == AF_INET6;
	else
		is_good = address_family(text) != 0 ||
			  (is_host_name(text) && !looks_like_address(text));
	if (is_good)
		return TD_OK;
	return td_err_set(
		err, TD_INVALID, "'%s' is neither an address nor a host name", show(text).text);
}

/* Host and optional port, the part of a URL between "//" and the next '/'. */
static enum td_status read_authority(struct td_slice text, struct td_err *err)
{
	size_t end = text.len;
	while (end > 0 && isdigit((unsigned char)text.ptr[end - 1]))
		end--;
	bool has_port = end > 0 && text.ptr[end - 1] == ':' &&
			(text.ptr[0] == '[' ? end >= 2 && text.ptr[end - 2] == ']'
					    : memchr(text.ptr, ':', end - 1) == NULL);
	struct td_slice host = has_port ? td_slice(text.ptr, end - 1) : text;
	if (has_port) {
		int64_t port;
		struct td_slice digits = td_slice_skip(text, end);
		if (!take_digits(&digits, &port) || port < 1 || port > 65535)
			return td_err_set(err, TD_INVALID, "its port '%s' is not within 1 to 65535",
				show(td_slice_skip(text, end)).text);
	}
	if (address_family(host) == AF_INET6)
		return td_err_set(
			err, TD_INVALID, "its host: an IPv6 address stands in brackets, [::1]");
	if (settings_read_host(host, err) != TD_OK)
		return td_err_context(err, "its host");
	return TD_OK;
}

enum td_status settings_read_origin(
	struct td_slice text, bool *ret_https, size_t *ret_len, struct td_err *err)
{
	bool https = td_slice_has_prefix(text, "https://");
	if (!https && !td_slice_has_prefix(text, "http://"))
		return td_err_set(err, TD_INVALID,
			"it must begin with http:// or https://, as in https://plans.example.com");
	struct td_slice rest = td_slice_skip(text, https ? 8 : 7);
	if (rest.len > 0 && memchr(rest.ptr, '@', rest.len) != NULL)
		return td_err_set(err, TD_INVALID, "a user or password has no place in it");
	size_t slash = 0;
	while (slash < rest.len && strchr("/?#", rest.ptr[slash]) == NULL)
		slash++;
	struct td_slice path = td_slice_skip(rest, slash);
	if (path.len > 0 && !td_slice_is(path, "/"))
		return td_err_set(err, TD_INVALID,
			"'%s' behind the host: only scheme, host and port are meant",
			show(path).text);
	enum td_status status = read_authority(td_slice(rest.ptr, slash), err);
	if (status != TD_OK)
		return status;
	*ret_https = https;
	*ret_len = text.len - path.len;
	return TD_OK;
}

static enum td_status read_address(struct td_slice entry, struct td_err *err)
{
	struct td_slice bits = entry;
	struct td_slice address;
	(void)td_slice_cut(&bits, '/', &address);
	if (bits.ptr == NULL)
		return settings_read_host(entry, err);
	int family = address_family(address);
	if (family == 0)
		return td_err_set(err, TD_INVALID, "'%s': no address stands before the '/'",
			show(entry).text);
	int64_t most = family == AF_INET ? 32 : 128;
	int64_t number;
	if (!take_digits(&bits, &number) || bits.len > 0 || number > most)
		return td_err_set(err, TD_INVALID,
			"'%s': behind the '/' stands a number of bits, 0 to %d", show(entry).text,
			(int)most);
	return TD_OK;
}

enum td_status settings_read_addresses(
	struct td_slice text, struct td_arena *arena, const char **ret_list, struct td_err *err)
{
	char *list = td_arena_alloc(arena, text.len + 1);
	if (list == NULL)
		return td_err_set(err, TD_NOMEM, "out of memory");
	size_t len = 0;
	struct td_slice rest = text;
	struct td_slice entry;
	while (td_slice_cut(&rest, ',', &entry)) {
		entry = td_slice_trim(entry);
		if (entry.len == 0)
			continue;
		enum td_status status = read_address(entry, err);
		if (status != TD_OK)
			return status;
		if (len > 0)
			list[len++] = ',';
		memcpy(list + len, entry.ptr, entry.len);
		len += entry.len;
	}
	if (len == 0)
		return td_err_set(err, TD_INVALID, "it holds no address");
	list[len] = '\0';
	*ret_list = list;
	return TD_OK;
}
