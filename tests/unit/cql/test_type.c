#include "td_test.h"

#include "cql/protocol/type.h"
#include "fault_alloc.h"
#include "hex.h"

#define PKG "org.apache.cassandra.db.marshal."

static struct td_buf in = TD_BUF_INIT, text = TD_BUF_INIT;
static struct td_arena arena = TD_ARENA_INIT;

static void put_name(const struct cql_type *type)
{
	if (type->id == CQL_TYPE_CUSTOM)
		td_buf_put_slice(&text, type->name);
	else
		td_buf_put_str(&text, cql_type_name(type->id));
	for (size_t i = 0; i < type->param_count; i++) {
		td_buf_put_char(&text, i == 0 ? '<' : ' ');
		if (type->fields != NULL) {
			td_buf_put_slice(&text, type->fields[i]);
			td_buf_put_char(&text, ':');
		}
		put_name(&type->params[i]);
	}
	if (type->id == CQL_TYPE_VECTOR)
		td_buf_printf(&text, " %u", type->dimension);
	if (type->param_count > 0)
		td_buf_put_char(&text, '>');
}

/* "map<int list<text>>"; valid until the next call. */
static const char *name_of(const struct cql_type *type)
{
	td_buf_reset(&text);
	put_name(type);
	return td_buf_cstr(&text);
}

static struct cql_reader option_of(const char *digits)
{
	td_buf_reset(&in);
	hex_put(&in, digits);
	assert_non_null(td_buf_cstr(&in));
	return cql_reader(td_buf_slice(&in));
}

struct row {
	const char *digits, *name;
};

/* Every id of the protocol, and types within types. */
static void test_type_vectors(void **state)
{
	(void)state;
	static const struct row rows[] = {{"0001", "ascii"}, {"0002", "bigint"}, {"0003", "blob"},
		{"0004", "boolean"}, {"0005", "counter"}, {"0006", "decimal"}, {"0007", "double"},
		{"0008", "float"}, {"0009", "int"}, {"000a", "text"}, {"000b", "timestamp"},
		{"000c", "uuid"}, {"000d", "text"}, {"000e", "varint"}, {"000f", "timeuuid"},
		{"0010", "inet"}, {"0011", "date"}, {"0012", "time"}, {"0013", "smallint"},
		{"0014", "tinyint"}, {"0015", "duration"}, {"0000 0003 612e62", "a.b"},
		{"0020 0009", "list<int>"}, {"0022 000d", "set<text>"},
		{"0021 0009 0020 000d", "map<int list<text>>"},
		{"0030 0002 6b73 0001 75 0002 0001 66 0009 0001 67 0020 0009",
			"UDT<f:int g:list<int>>"},
		{"0030 0002 6b73 0001 75 0000", "UDT"},
		{"0031 0003 0009 000d 0022 0002", "tuple<int text set<bigint>>"},
		{"0031 0000", "tuple"}};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct cql_type type;
		struct cql_reader r = option_of(rows[i].digits), again = r;
		assert_true(cql_type_read(&r, &arena, &type));
		assert_int_equal(r.left, 0);
		assert_string_equal(name_of(&type), rows[i].name);
		cql_type_skip(&again);
		assert_false(again.failed);
		assert_int_equal(again.left, 0);
		for (size_t len = 0; len < in.len; len++) {
			struct cql_reader cut = cql_reader(td_slice(in.ptr, len));
			assert_false(cql_type_read(&cut, &arena, &type));
			assert_true(cut.failed);
		}
	}
}

/* Ids that do not exist, and counts that the rest cannot hold. */
static void test_type_damaged_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"0016", "0023", "0032", "ffff", "0020 0016",
		"0031 ffff 0009", "0030 0000 0000 ffff 0000 0009", ""};
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		struct cql_type type;
		struct cql_reader r = option_of(bad[i]), again = r;
		assert_false(cql_type_read(&r, &arena, &type));
		assert_true(r.failed);
		cql_type_skip(&again);
		assert_true(again.failed);
	}
}

/* As deep as the limit, and one deeper. */
static void test_type_depth_is_bounded(void **state)
{
	(void)state;
	for (unsigned lists = CQL_TYPE_DEPTH_MOST - 1; lists <= CQL_TYPE_DEPTH_MOST; lists++) {
		struct cql_type type;
		td_buf_reset(&in);
		for (unsigned i = 0; i < lists; i++)
			cql_put_short(&in, CQL_TYPE_LIST);
		cql_put_short(&in, CQL_TYPE_INT);
		struct cql_reader r = cql_reader(td_buf_slice(&in));
		assert_int_equal(cql_type_read(&r, &arena, &type), lists < CQL_TYPE_DEPTH_MOST);
	}
}

static const char *class_name(const char *class_text)
{
	struct cql_type type;
	assert_true(cql_type_of_class(td_slice_str(class_text), &arena, &type));
	return name_of(&type);
}

/* The classes by which a server names what the protocol has no id for. */
static void test_type_classes(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{PKG "VectorType(" PKG "FloatType , 3)", "vector<float 3>"},
		{PKG "VectorType(" PKG "FloatType,1536)", "vector<float 1536>"},
		{PKG "VectorType(" PKG "VectorType(" PKG "UTF8Type, 2), 4)",
			"vector<vector<text 2> 4>"},
		{PKG "VectorType(" PKG "FrozenType(" PKG "ListType(" PKG "Int32Type)) , 2)",
			"vector<list<int> 2>"},
		{PKG "VectorType(" PKG "MapType(" PKG "LongType," PKG "BytesType), 2)",
			"vector<map<bigint blob> 2>"},
		{PKG "VectorType(" PKG "TupleType(" PKG "ByteType," PKG "SetType(" PKG
		     "TimeUUIDType)), 2)",
			"vector<tuple<tinyint set<timeuuid>> 2>"},
		{PKG "VectorType(" PKG "UserType(ks,75,66:" PKG "Int32Type,6767:" PKG
		     "DurationType), 2)",
			"vector<UDT<f:int gg:duration> 2>"},
		{PKG "ReversedType(" PKG "SimpleDateType)", "date"},
		{PKG "InetAddressType", "inet"},
		{"DecimalType", "decimal"},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		assert_string_equal(class_name(rows[i].digits), rows[i].name);
}

/* What is not written as the server writes it stays a custom type with its name. */
static void test_type_classes_unknown_are_custom(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "com.example.Mine", PKG "VectorType",
		PKG "VectorType()", PKG "VectorType(" PKG "FloatType)",
		PKG "VectorType(" PKG "FloatType, 0)", PKG "VectorType(" PKG "FloatType, x)",
		PKG "VectorType(" PKG "FloatType, 9999999999)",
		PKG "VectorType(" PKG "FloatType, 3", PKG "MapType(" PKG "Int32Type)",
		PKG "ListType(" PKG "Int32Type," PKG "Int32Type)",
		PKG "UserType(ks,7,66:" PKG "Int32Type)", PKG "UserType(ks,zz,66:" PKG "Int32Type)",
		PKG "UserType(ks,75,66" PKG "Int32Type)", PKG "Other(" PKG "Int32Type)",
		PKG "ListType(com.example.Mine)"};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct cql_type type;
		assert_true(cql_type_of_class(td_slice_str(rows[i]), &arena, &type));
		assert_int_equal(type.id, CQL_TYPE_CUSTOM);
		assert_true(td_slice_is(type.name, rows[i]));
	}
}

/* Brackets within brackets end at the same depth. */
static void test_type_class_depth_is_bounded(void **state)
{
	(void)state;
	struct cql_type type;
	td_buf_reset(&in);
	for (unsigned i = 0; i < 5000; i++)
		td_buf_put_str(&in, "ListType(");
	assert_true(cql_type_of_class(td_buf_slice(&in), &arena, &type));
	assert_int_equal(type.id, CQL_TYPE_CUSTOM);
}

/* As VectorType.java has it: tinyint, smallint, date and time count as of any size. */
static void test_type_fixed_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *class_text;
		size_t size;
	} rows[] = {{"BooleanType", 1}, {"FloatType", 4}, {"Int32Type", 4}, {"LongType", 8},
		{"DoubleType", 8}, {"TimestampType", 8}, {"UUIDType", 16}, {"TimeUUIDType", 16},
		{"ByteType", 0}, {"ShortType", 0}, {"SimpleDateType", 0}, {"TimeType", 0},
		{"UTF8Type", 0}, {"InetAddressType", 0}, {"VectorType(FloatType, 3)", 12},
		{"VectorType(UTF8Type, 3)", 0}, {"ListType(Int32Type)", 0}};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct cql_type type;
		assert_true(cql_type_of_class(td_slice_str(rows[i].class_text), &arena, &type));
		assert_int_equal(cql_type_fixed_size(&type), rows[i].size);
	}
}

static bool attempt(void *ctx)
{
	struct td_arena small = TD_ARENA_INIT;
	struct cql_type type;
	struct cql_reader r = *(const struct cql_reader *)ctx;
	bool worked = cql_type_read(&r, &small, &type);
	assert_true(worked || !r.failed);
	td_arena_done(&small);
	return worked;
}

static void test_type_without_memory(void **state)
{
	(void)state;
	td_buf_reset(&in);
	hex_put(&in, "0031 0002 0030 0000 0000 0001 0000 0009 0000");
	cql_put_string(&in, TD_SLICE("VectorType(UserType(ks,75,66:Int32Type,6767:LongType), 2)"));
	struct cql_reader r = cql_reader(td_buf_slice(&in));
	assert_true(fault_alloc_each(attempt, &r) > 4);
}

static int free_buffers(void **state)
{
	(void)state;
	td_buf_done(&in);
	td_buf_done(&text);
	td_arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type_vectors),
		cmocka_unit_test(test_type_damaged_is_refused),
		cmocka_unit_test(test_type_depth_is_bounded),
		cmocka_unit_test(test_type_classes),
		cmocka_unit_test(test_type_classes_unknown_are_custom),
		cmocka_unit_test(test_type_class_depth_is_bounded),
		cmocka_unit_test(test_type_fixed_sizes),
		cmocka_unit_test(test_type_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
