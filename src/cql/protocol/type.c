#include "cql/protocol/type.h"

#define OPTION_LEAST 2 /* bytes of the shortest [option] */
#define FIELD_LEAST  4 /* of a UDT's field: a name's length and an [option] */

/* Where to put what is read; arena NULL: nowhere. */
struct place {
	struct td_arena *arena;
	bool no_memory;
};

static bool read_option(
	struct cql_reader *r, struct place *place, unsigned depth, struct cql_type *type);

static bool is_simple(unsigned id)
{
	return id >= CQL_TYPE_ASCII && id <= CQL_TYPE_DURATION;
}

/* Zeroed room for `count` items; NULL where nothing is kept, or with no_memory. */
static void *take(struct place *place, size_t count, size_t size)
{
	if (place->arena == NULL || count == 0)
		return NULL;
	void *items = td_arena_array(place->arena, count, size);
	place->no_memory = place->no_memory || items == NULL;
	return items;
}

/* `count` types behind each other, names before them where `fields` is set. A count that the rest
 * cannot hold reserves nothing. */
static bool read_params(struct cql_reader *r, struct place *place, unsigned depth, size_t count,
	struct cql_type *type)
{
	bool has_names = type->id == CQL_TYPE_UDT;
	if (count > r->left / (has_names ? FIELD_LEAST : OPTION_LEAST)) {
		cql_reader_fail(r);
		return false;
	}
	struct cql_type *params = take(place, count, sizeof(*params));
	struct td_slice *fields = has_names ? take(place, count, sizeof(*fields)) : NULL;
	if (place->no_memory)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct td_slice name = has_names ? cql_read_string(r) : td_slice(NULL, 0);
		struct cql_type param;
		if (!read_option(r, place, depth + 1, &param))
			return false;
		if (params != NULL)
			params[i] = param;
		if (fields != NULL)
			fields[i] = name;
	}
	type->params = params;
	type->fields = fields;
	type->param_count = count;
	return !r->failed;
}

static bool read_option(
	struct cql_reader *r, struct place *place, unsigned depth, struct cql_type *type)
{
	*type = (struct cql_type){.id = (enum cql_type_id)cql_read_short(r)};
	if (depth >= CQL_TYPE_DEPTH_MOST)
		cql_reader_fail(r);
	if (r->failed || is_simple(type->id))
		return !r->failed;
	switch ((unsigned)type->id) {
	case CQL_TYPE_CUSTOM:
		type->name = cql_read_string(r);
		if (r->failed || place->arena == NULL)
			return !r->failed;
		place->no_memory = !cql_type_of_class(type->name, place->arena, type);
		return !place->no_memory;
	case CQL_TYPE_LIST:
	case CQL_TYPE_SET:
		return read_params(r, place, depth, 1, type);
	case CQL_TYPE_MAP:
		return read_params(r, place, depth, 2, type);
	case CQL_TYPE_UDT:
		type->keyspace = cql_read_string(r);
		type->name = cql_read_string(r);
		return read_params(r, place, depth, cql_read_short(r), type);
	case CQL_TYPE_TUPLE:
		return read_params(r, place, depth, cql_read_short(r), type);
	default:
		cql_reader_fail(r);
		return false;
	}
}

bool cql_type_read(struct cql_reader *r, struct td_arena *arena, struct cql_type *ret_type)
{
	struct place place = {.arena = arena};
	return read_option(r, &place, 0, ret_type);
}

void cql_type_skip(struct cql_reader *r)
{
	struct place place = {.arena = NULL};
	struct cql_type type;
	(void)read_option(r, &place, 0, &type);
}

size_t cql_type_fixed_size(const struct cql_type *type)
{
	size_t element;
	switch ((unsigned)type->id) {
	case CQL_TYPE_BOOLEAN:
		return 1;
	case CQL_TYPE_FLOAT:
	case CQL_TYPE_INT:
		return 4;
	case CQL_TYPE_BIGINT:
	case CQL_TYPE_DOUBLE:
	case CQL_TYPE_TIMESTAMP:
		return 8;
	case CQL_TYPE_UUID:
	case CQL_TYPE_TIMEUUID:
		return 16;
	case CQL_TYPE_VECTOR:
		element = cql_type_fixed_size(&type->params[0]);
		return element > SIZE_MAX / type->dimension ? 0 : element * type->dimension;
	default:
		return 0;
	}
}

const char *cql_type_name(enum cql_type_id id)
{
	static const char *const names[] = {"custom", "ascii", "bigint", "blob", "boolean",
		"counter", "decimal", "double", "float", "int", "text", "timestamp", "uuid", "text",
		"varint", "timeuuid", "inet", "date", "time", "smallint", "tinyint", "duration"};
	switch ((unsigned)id) {
	case CQL_TYPE_LIST:
		return "list";
	case CQL_TYPE_MAP:
		return "map";
	case CQL_TYPE_SET:
		return "set";
	case CQL_TYPE_UDT:
		return "UDT";
	case CQL_TYPE_TUPLE:
		return "tuple";
	case CQL_TYPE_VECTOR:
		return "vector";
	default:
		return (unsigned)id < TD_ARRAY_LEN(names) ? names[id] : "unknown";
	}
}
