#include "settings/settings_cluster.h"

#include "settings/settings_value.h"

#include <ctype.h>
#include <string.h>

#define SHOWN_MOST        40
#define REPLICAS_MOST     1000
#define DATA_CENTRES_MOST 32
#define NETWORK_TOPOLOGY  "NetworkTopologyStrategy"

static int shown_length(struct td_slice text)
{
	return text.len > SHOWN_MOST ? SHOWN_MOST : (int)text.len;
}

/* ---- contact points */

static enum td_status read_port(struct td_slice digits, uint16_t *ret_port, struct td_err *err)
{
	int64_t port;
	if (settings_read_int(digits, &port, NULL) != TD_OK || port < 1 || port > 65535)
		return td_err_set(err, TD_INVALID, "the port '%.*s' is not within 1 to 65535",
			shown_length(digits), digits.ptr);
	*ret_port = (uint16_t)port;
	return TD_OK;
}

/* Behind "]:" or behind the only ':'; NULL: it names no port. */
static const char *find_port(struct td_slice entry)
{
	const char *last = memrchr(entry.ptr, ':', entry.len);
	if (last == NULL || last == entry.ptr)
		return NULL;
	bool behind_bracket = entry.ptr[0] == '[' && last[-1] == ']';
	bool is_only = memchr(entry.ptr, ':', entry.len) == last;
	return behind_bracket || is_only ? last + 1 : NULL;
}

static enum td_status read_contact_point(struct td_slice entry, struct td_arena *arena,
	struct connect_host *host, struct td_err *err)
{
	const char *port = find_port(entry);
	struct td_slice name = entry;
	enum td_status status = TD_OK;
	if (port != NULL) {
		name.len = (size_t)(port - entry.ptr) - 1;
		status = read_port(td_slice_skip(entry, name.len + 1), &host->port, err);
	}
	if (status == TD_OK)
		status = settings_read_host(name, err);
	if (status != TD_OK)
		return status;
	if (name.ptr[0] == '[')
		name = td_slice(name.ptr + 1, name.len - 2);
	host->name = td_arena_strndup(arena, name.ptr, name.len);
	return host->name != NULL ? TD_OK : td_err_set(err, TD_NOMEM, "out of memory");
}

enum td_status settings_read_contact_points(struct td_slice text, uint16_t default_port,
	struct td_arena *arena, struct connect_host hosts[SETTINGS_CONTACT_POINTS_MOST],
	size_t *ret_count, struct td_err *err)
{
	size_t count = 0;
	struct td_slice entry;
	/* Part of a URL, with a password perhaps: nothing of it is shown. */
	if (text.len > 0 && memchr(text.ptr, '@', text.len) != NULL)
		return td_err_set(err, TD_INVALID,
			"it holds a '@', and nodes are named 'host' or 'host:port': user and "
			"password belong in CASSANDRA_USER and CASSANDRA_PASSWORD");
	while (td_slice_cut(&text, ',', &entry)) {
		entry = td_slice_trim(entry);
		if (entry.len == 0)
			continue;
		if (count == SETTINGS_CONTACT_POINTS_MOST)
			return td_err_set(err, TD_INVALID, "it names more than %d nodes",
				SETTINGS_CONTACT_POINTS_MOST);
		hosts[count].port = default_port;
		enum td_status status = read_contact_point(entry, arena, &hosts[count++], err);
		if (status != TD_OK)
			return status;
	}
	if (count == 0)
		return td_err_set(err, TD_INVALID, "it names no node");
	*ret_count = count;
	return TD_OK;
}

/* ---- replication */

/* The map that is being written: pairs of quoted words, each name once. */
struct map {
	struct td_arena *arena;
	struct td_err *err;
	struct td_slice names[DATA_CENTRES_MOST + 1];
	size_t count;
	const char *text; /* "'class': 'X', 'dc1': '3'" */
};

static enum td_status add_pair(struct map *map, struct td_slice name, struct td_slice value)
{
	for (size_t i = 0; i < map->count; i++) {
		if (map->names[i].len == name.len &&
			memcmp(map->names[i].ptr, name.ptr, name.len) == 0)
			return td_err_set(map->err, TD_INVALID, "it names '%.*s' twice",
				shown_length(name), name.ptr);
	}
	if (map->count == TD_ARRAY_LEN(map->names))
		return td_err_set(map->err, TD_INVALID, "it names more than %d data centres",
			DATA_CENTRES_MOST);
	map->names[map->count++] = name;
	map->text = td_arena_printf(map->arena, "%s%s'%.*s': '%.*s'",
		map->text != NULL ? map->text : "", map->text != NULL ? ", " : "",
		TD_SLICE_ARG(name), TD_SLICE_ARG(value));
	return map->text != NULL ? TD_OK : td_err_set(map->err, TD_NOMEM, "out of memory");
}

static enum td_status end_map(struct map *map, struct settings_replication *ret)
{
	const char *text = td_arena_printf(map->arena, "{%s}", map->text);
	if (text == NULL)
		return td_err_set(map->err, TD_NOMEM, "out of memory");
	*ret = (struct settings_replication){.map = text};
	return TD_OK;
}

static enum td_status read_factor(struct td_slice text, unsigned *ret_factor, struct td_err *err)
{
	int64_t factor;
	if (settings_read_int(text, &factor, NULL) != TD_OK || factor < 1 || factor > REPLICAS_MOST)
		return td_err_set(err, TD_INVALID, "'%.*s' is not a number of replicas, 1 to %d",
			shown_length(text), text.ptr != NULL ? text.ptr : "", REPLICAS_MOST);
	*ret_factor = (unsigned)factor;
	return TD_OK;
}

static bool is_data_centre_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static bool is_data_centre(struct td_slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!is_data_centre_char(name.ptr[i]))
			return false;
	}
	return name.len > 0 && name.len <= 255;
}

/* "dc1:3" */
static enum td_status add_data_centre(struct map *map, struct td_slice entry)
{
	struct td_slice name, factor = entry;
	unsigned number;
	(void)td_slice_cut(&factor, ':', &name);
	name = td_slice_trim(name);
	if (factor.ptr == NULL || !is_data_centre(name))
		return td_err_set(map->err, TD_INVALID,
			"'%.*s' is not like dc1:3: a data centre and its number of replicas",
			shown_length(entry), entry.ptr);
	factor = td_slice_trim(factor);
	enum td_status status = read_factor(factor, &number, map->err);
	return status == TD_OK ? add_pair(map, name, factor) : status;
}

static enum td_status read_list(struct td_slice text, struct map *map)
{
	enum td_status status = add_pair(map, TD_SLICE("class"), TD_SLICE(NETWORK_TOPOLOGY));
	struct td_slice entry;
	while (status == TD_OK && td_slice_cut(&text, ',', &entry))
		status = add_data_centre(map, td_slice_trim(entry));
	return status;
}

/* A word in quotes, or (`bare`) a number without: in front of `rest`, moved behind it. */
static bool take_word(struct td_slice *rest, bool bare, struct td_slice *ret_word)
{
	*rest = td_slice_trim(*rest);
	bool quoted = rest->len > 0 && rest->ptr[0] == '\'';
	if (!quoted && !bare)
		return false;
	struct td_slice from = td_slice_skip(*rest, quoted ? 1 : 0);
	size_t len = 0;
	while (len < from.len && is_data_centre_char(from.ptr[len]))
		len++;
	if (len == 0 || len > 255 || (quoted && (len == from.len || from.ptr[len] != '\'')))
		return false;
	*ret_word = td_slice(from.ptr, len);
	*rest = td_slice_trim(td_slice_skip(from, len + (quoted ? 1 : 0)));
	return true;
}

static bool take_char(struct td_slice *rest, char c)
{
	if (rest->len == 0 || rest->ptr[0] != c)
		return false;
	*rest = td_slice_skip(*rest, 1);
	return true;
}

static enum td_status refuse_map(struct map *map)
{
	return td_err_set(map->err, TD_INVALID,
		"it is not a map like {'class': '" NETWORK_TOPOLOGY "', 'dc1': 3}");
}

/* What is behind '{'. */
static enum td_status read_map(struct td_slice rest, struct map *map)
{
	bool has_class = false;
	do {
		struct td_slice name, value;
		if (!take_word(&rest, /* bare= */ false, &name) || !take_char(&rest, ':') ||
			!take_word(&rest, /* bare= */ true, &value))
			return refuse_map(map);
		has_class |= td_slice_is(name, "class");
		enum td_status status = add_pair(map, name, value);
		if (status != TD_OK)
			return status;
	} while (take_char(&rest, ','));
	if (!take_char(&rest, '}') || td_slice_trim(rest).len != 0)
		return refuse_map(map);
	return has_class
		       ? TD_OK
		       : td_err_set(map->err, TD_INVALID,
				 "the map says no 'class': write 'class': '" NETWORK_TOPOLOGY "'");
}

enum td_status settings_read_replication(struct td_slice text, struct td_arena *arena,
	struct settings_replication *ret_replication, struct td_err *err)
{
	struct map map = {.arena = arena, .err = err};
	text = td_slice_trim(text);
	if (text.len > 0 && text.ptr[0] != '{' && memchr(text.ptr, ':', text.len) == NULL) {
		*ret_replication = (struct settings_replication){.map = NULL};
		return read_factor(text, &ret_replication->factor, err);
	}
	enum td_status status = take_char(&text, '{') ? read_map(text, &map)
						      : read_list(text, &map);
	return status == TD_OK ? end_map(&map, ret_replication) : status;
}
