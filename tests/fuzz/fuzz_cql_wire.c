/* The notations of CQL: the first byte chooses one, the rest is read with it; what was read and is
 * written again reads the same. */
#include "fuzz.h"

#include "cql/protocol/wire.h"

static void check_items(struct cql_items items, struct td_slice all)
{
	FUZZ_CLAIM(items.count == 0 || fuzz_is_within(items.bytes, all));
	FUZZ_CLAIM(items.bytes.len >= 2 * items.count);
}

static void check_vint(struct cql_reader *r)
{
	struct td_buf out = TD_BUF_INIT;
	int64_t value = cql_read_vint(r);
	cql_put_vint(&out, value);
	if (!out.failed) {
		struct cql_reader again = cql_reader(td_buf_slice(&out));
		FUZZ_CLAIM(cql_read_vint(&again) == value && !again.failed && again.left == 0);
	}
	td_buf_done(&out);
}

static void check_bytes(struct cql_reader *r)
{
	struct td_buf out = TD_BUF_INIT;
	struct td_slice bytes = cql_read_bytes(r), text = cql_read_string(r);
	uint64_t number = (uint64_t)cql_read_long(r);
	size_t gap = cql_put_gap(&out);
	cql_put_byte(&out, cql_read_byte(r));
	cql_put_short(&out, cql_read_short(r));
	cql_put_bytes(&out, bytes);
	cql_put_string(&out, text);
	cql_put_long(&out, (int64_t)number);
	cql_put_length_at(&out, gap);
	if (!out.failed) {
		struct cql_reader again = cql_reader(td_buf_slice(&out));
		FUZZ_CLAIM(cql_read_size(&again) == out.len - 4);
		(void)cql_read_raw(&again, 3);
		struct td_slice twice = cql_read_bytes(&again);
		FUZZ_CLAIM(cql_is_null(twice) == cql_is_null(bytes) || r->failed);
		FUZZ_CLAIM(td_slice_equal(twice, bytes));
		FUZZ_CLAIM(td_slice_equal(cql_read_string(&again), text));
		FUZZ_CLAIM((uint64_t)cql_read_long(&again) == number && !again.failed);
	}
	td_buf_done(&out);
}

/* The pairs of a map, written as both kinds of map and as a list. */
static void check_maps(struct cql_reader *r)
{
	struct td_buf out = TD_BUF_INIT;
	struct cql_items items = cql_read_bytes_map(r);
	struct cql_reader inner = cql_reader(items.bytes);
	struct cql_pair pairs[8];
	size_t count = items.count < 8 ? items.count : 8;
	for (size_t i = 0; i < count; i++) {
		pairs[i].name = cql_read_string(&inner);
		pairs[i].value = cql_read_bytes(&inner);
	}
	FUZZ_CLAIM(!inner.failed);
	cql_put_bytes_map(&out, pairs, count);
	cql_put_string_map(&out, pairs, count);
	cql_put_string_list(&out, &pairs[0].value, count < 1 ? count : 1);
	if (!out.failed) {
		struct cql_reader again = cql_reader(td_buf_slice(&out));
		FUZZ_CLAIM(cql_read_bytes_map(&again).count == count);
		FUZZ_CLAIM(cql_read_string_map(&again).count == count);
		FUZZ_CLAIM(cql_read_string_list(&again).count <= 1 && !again.failed);
	}
	td_buf_done(&out);
}

static void check_inet(struct cql_inet inet)
{
	FUZZ_CLAIM(inet.len == 0 || inet.len == 4 || inet.len == 16);
	FUZZ_CLAIM(inet.port >= -1 && inet.port <= 65535);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 9);
	struct td_slice all = fuzz_slice(data, size);
	struct cql_reader r = cql_reader(all);
	struct td_err err = TD_ERR_INIT;
	switch (way) {
	case 0:
		check_vint(&r);
		break;
	case 1:
		check_bytes(&r);
		break;
	case 2:
		check_inet(cql_read_inet(&r));
		break;
	case 3:
		check_inet(cql_read_inetaddr(&r));
		break;
	case 4:
		check_items(cql_read_string_list(&r), all);
		break;
	case 5:
		check_items(cql_read_string_map(&r), all);
		break;
	case 6:
		check_items(cql_read_string_multimap(&r), all);
		break;
	case 7:
		check_maps(&r);
		break;
	default:
		FUZZ_CLAIM(cql_consistency_name(cql_read_short(&r))[0] != '\0');
		FUZZ_CLAIM(cql_read_long_string(&r).len <= size);
		break;
	}
	FUZZ_CLAIM(r.left <= size && (!r.failed || r.left == 0));
	FUZZ_CLAIM((cql_reader_check(&r, "it", &err) == TD_OK) == !r.failed);
	return 0;
}
