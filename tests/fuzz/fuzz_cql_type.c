/* Types as the protocol describes them, and as the names of the server's classes: the first byte
 * chooses. */
#include "fuzz.h"

#include "cql/protocol/type.h"

static void check_type(const struct cql_type *type, unsigned depth)
{
	FUZZ_CLAIM(depth < 2 * CQL_TYPE_DEPTH_MOST);
	FUZZ_CLAIM(cql_type_name(type->id)[0] != '\0');
	FUZZ_CLAIM(cql_type_fixed_size(type) == 0 || type->param_count <= 1);
	FUZZ_CLAIM(type->id != CQL_TYPE_VECTOR || type->dimension > 0);
	FUZZ_CLAIM(type->id != CQL_TYPE_MAP || type->param_count == 2);
	size_t names = 0;
	for (size_t i = 0; i < type->param_count; i++) {
		check_type(&type->params[i], depth + 1);
		names += type->fields != NULL ? type->fields[i].len : 0;
	}
	FUZZ_CLAIM(names == 0 || type->id == CQL_TYPE_UDT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 2);
	struct td_slice bytes = fuzz_slice(data, size);
	struct td_arena arena = {.limit = 1u << 22};
	struct cql_type type;
	if (way == 0) {
		struct cql_reader r = cql_reader(bytes), again = r;
		bool known = cql_type_read(&r, &arena, &type);
		cql_type_skip(&again);
		if (known)
			check_type(&type, 0);
		FUZZ_CLAIM(known != r.failed || arena.failed);
		FUZZ_CLAIM(arena.failed || (again.failed == r.failed && again.left == r.left));
	} else if (cql_type_of_class(bytes, &arena, &type)) {
		check_type(&type, 0);
		FUZZ_CLAIM(type.id != CQL_TYPE_CUSTOM || td_slice_equal(type.name, bytes));
	} else {
		FUZZ_CLAIM(arena.failed);
	}
	td_arena_done(&arena);
	return 0;
}
