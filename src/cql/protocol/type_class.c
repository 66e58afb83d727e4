/* CLASS, or CLASS(PARAMETER, …), as TypeParser.java writes and reads it:
 *   VectorType(TYPE , DIMENSION), ListType(TYPE), MapType(TYPE,TYPE), TupleType(TYPE,…),
 *   UserType(KEYSPACE,HEX NAME,HEX FIELD:TYPE,…), FrozenType(TYPE), ReversedType(TYPE). */
#include "cql/protocol/type.h"

#include <string.h>

#define PACKAGE     "org.apache.cassandra.db.marshal."
#define FIELDS_MOST 1024 /* of a tuple or UDT */

struct parser {
	struct td_slice rest;
	struct td_arena *arena;
	bool no_memory;
};

static const struct {
	const char *name;
	enum cql_type_id id;
} simple[] = {
	{"AsciiType", CQL_TYPE_ASCII},
	{"BooleanType", CQL_TYPE_BOOLEAN},
	{"ByteType", CQL_TYPE_TINYINT},
	{"BytesType", CQL_TYPE_BLOB},
	{"CounterColumnType", CQL_TYPE_COUNTER},
	{"DateType", CQL_TYPE_TIMESTAMP},
	{"DecimalType", CQL_TYPE_DECIMAL},
	{"DoubleType", CQL_TYPE_DOUBLE},
	{"DurationType", CQL_TYPE_DURATION},
	{"FloatType", CQL_TYPE_FLOAT},
	{"InetAddressType", CQL_TYPE_INET},
	{"Int32Type", CQL_TYPE_INT},
	{"IntegerType", CQL_TYPE_VARINT},
	{"LongType", CQL_TYPE_BIGINT},
	{"ShortType", CQL_TYPE_SMALLINT},
	{"SimpleDateType", CQL_TYPE_DATE},
	{"TimeType", CQL_TYPE_TIME},
	{"TimeUUIDType", CQL_TYPE_TIMEUUID},
	{"TimestampType", CQL_TYPE_TIMESTAMP},
	{"UTF8Type", CQL_TYPE_VARCHAR},
	{"UUIDType", CQL_TYPE_UUID},
};

static bool parse_type(struct parser *p, unsigned depth, struct cql_type *type);

static void skip_spaces(struct parser *p)
{
	while (p->rest.len > 0 && p->rest.ptr[0] == ' ')
		p->rest = td_slice_skip(p->rest, 1);
}

/* Takes `c`, spaces around it left out. */
static bool take(struct parser *p, char c)
{
	skip_spaces(p);
	if (p->rest.len == 0 || p->rest.ptr[0] != c)
		return false;
	p->rest = td_slice_skip(p->rest, 1);
	skip_spaces(p);
	return true;
}

/* Takes what stands before the next of "(),: "; false: nothing does. */
static bool take_word(struct parser *p, struct td_slice *ret_word)
{
	size_t len = 0;
	while (len < p->rest.len && memchr("(),: ", p->rest.ptr[len], 5) == NULL)
		len++;
	*ret_word = td_slice(p->rest.ptr, len);
	p->rest = td_slice_skip(p->rest, len);
	return len > 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A name written in hexadecimal, put into the arena. */
static bool take_hex(struct parser *p, struct td_slice *ret_name)
{
	struct td_slice word;
	if (!take_word(p, &word) || word.len % 2 != 0)
		return false;
	char *name = td_arena_alloc(p->arena, word.len / 2);
	p->no_memory = p->no_memory || name == NULL;
	if (name == NULL)
		return false;
	for (size_t i = 0; i < word.len / 2; i++) {
		int high = hex_digit(word.ptr[2 * i]), low = hex_digit(word.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		name[i] = (char)(high << 4 | low);
	}
	*ret_name = td_slice(name, word.len / 2);
	return true;
}

/* How many types stand between here and the bracket that closes: commas of this level. */
static size_t count_items(struct td_slice rest)
{
	size_t count = 1, open = 0;
	for (size_t i = 0; i < rest.len; i++) {
		char c = rest.ptr[i];
		if (c == ')' && open == 0)
			break;
		open += c == '(';
		open -= c == ')';
		count += c == ',' && open == 0;
	}
	return count;
}

/* Types with commas between them; before each its name where the type is a UDT. */
static bool parse_params(struct parser *p, unsigned depth, struct cql_type *type)
{
	size_t count = count_items(p->rest);
	bool has_names = type->id == CQL_TYPE_UDT;
	if (count > FIELDS_MOST)
		return false;
	struct cql_type *params = td_arena_array(p->arena, count, sizeof(*params));
	struct td_slice *fields = has_names ? td_arena_array(p->arena, count, sizeof(*fields))
					    : NULL;
	p->no_memory = p->no_memory || params == NULL || (has_names && fields == NULL);
	if (p->no_memory)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && !take(p, ','))
			return false;
		if (has_names && (!take_hex(p, &fields[i]) || !take(p, ':')))
			return false;
		if (!parse_type(p, depth + 1, &params[i]))
			return false;
	}
	type->params = params;
	type->fields = fields;
	type->param_count = count;
	return true;
}

static bool parse_vector(struct parser *p, unsigned depth, struct cql_type *type)
{
	struct td_slice word;
	struct cql_type *element = td_arena_alloc(p->arena, sizeof(*element));
	p->no_memory = p->no_memory || element == NULL;
	if (element == NULL || !parse_type(p, depth + 1, element) || !take(p, ',') ||
		!take_word(p, &word) || word.len > 9)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] < '0' || word.ptr[i] > '9')
			return false;
		type->dimension = type->dimension * 10 + (uint32_t)(word.ptr[i] - '0');
	}
	type->params = element;
	type->param_count = 1;
	return type->dimension > 0;
}

static bool parse_udt(struct parser *p, unsigned depth, struct cql_type *type)
{
	return take_word(p, &type->keyspace) && take(p, ',') && take_hex(p, &type->name) &&
	       take(p, ',') && parse_params(p, depth, type);
}

/* What stands between the brackets of a class that has some. */
static bool parse_nested(
	struct parser *p, unsigned depth, struct td_slice name, struct cql_type *type)
{
	static const struct {
		const char *name;
		enum cql_type_id id;
		size_t count; /* of its types; 0: any */
	} nested[] = {{"ListType", CQL_TYPE_LIST, 1}, {"SetType", CQL_TYPE_SET, 1},
		{"MapType", CQL_TYPE_MAP, 2}, {"TupleType", CQL_TYPE_TUPLE, 0}};
	/* How a value is ordered or stored, not how it looks on the wire. */
	if (td_slice_is(name, "FrozenType") || td_slice_is(name, "ReversedType"))
		return parse_type(p, depth + 1, type);
	if (td_slice_is(name, "VectorType")) {
		type->id = CQL_TYPE_VECTOR;
		return parse_vector(p, depth, type);
	}
	if (td_slice_is(name, "UserType")) {
		type->id = CQL_TYPE_UDT;
		return parse_udt(p, depth, type);
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(nested); i++)
		if (td_slice_is(name, nested[i].name)) {
			type->id = nested[i].id;
			return parse_params(p, depth, type) &&
			       (nested[i].count == 0 || type->param_count == nested[i].count);
		}
	return false;
}

static bool parse_type(struct parser *p, unsigned depth, struct cql_type *type)
{
	struct td_slice name;
	*type = (struct cql_type){.id = CQL_TYPE_CUSTOM};
	if (depth >= CQL_TYPE_DEPTH_MOST || !take_word(p, &name))
		return false;
	if (td_slice_has_prefix(name, PACKAGE))
		name = td_slice_skip(name, sizeof(PACKAGE) - 1);
	for (size_t i = 0; i < TD_ARRAY_LEN(simple); i++)
		if (td_slice_is(name, simple[i].name)) {
			type->id = simple[i].id;
			return true;
		}
	return take(p, '(') && parse_nested(p, depth, name, type) && take(p, ')');
}

bool cql_type_of_class(
	struct td_slice class_name, struct td_arena *arena, struct cql_type *ret_type)
{
	struct parser p = {.rest = class_name, .arena = arena};
	struct cql_type type;
	bool known = parse_type(&p, 0, &type) && p.rest.len == 0;
	*ret_type = known ? type : (struct cql_type){.id = CQL_TYPE_CUSTOM, .name = class_name};
	return !p.no_memory;
}
