#include "cql/protocol/token.h"

#define BLOCK_SIZE 16
#define C1         0x87c37b91114253d5u
#define C2         0x4cf5ad432745937fu

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t load_little(const uint8_t *p)
{
	uint64_t x = 0;
	for (unsigned i = 0; i < 8; i++)
		x |= (uint64_t)p[i] << (8 * i);
	return x;
}

static uint64_t mix_first(uint64_t k)
{
	return rotate(k * C1, 31) * C2;
}

static uint64_t mix_second(uint64_t k)
{
	return rotate(k * C2, 33) * C1;
}

static uint64_t finish(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

/* Java's bytes are signed: one of 0x80 or more sets every bit above it, too. */
static uint64_t load_signed(const uint8_t *p, size_t len)
{
	uint64_t x = 0;
	for (size_t i = 0; i < len; i++) {
		uint64_t byte = p[i] < 0x80 ? p[i] : p[i] | ~(uint64_t)0xff;
		x ^= byte << (8 * i);
	}
	return x;
}

int64_t cql_token(struct td_slice key)
{
	const uint8_t *p = (const uint8_t *)key.ptr;
	uint64_t h1 = 0, h2 = 0;
	size_t left = key.len;
	for (; left >= BLOCK_SIZE; left -= BLOCK_SIZE, p += BLOCK_SIZE) {
		h1 = (rotate(h1 ^ mix_first(load_little(p)), 27) + h2) * 5 + 0x52dce729;
		h2 = (rotate(h2 ^ mix_second(load_little(p + 8)), 31) + h1) * 5 + 0x38495ab5;
	}
	if (left > 8)
		h2 ^= mix_second(load_signed(p + 8, left - 8));
	if (left > 0)
		h1 ^= mix_first(load_signed(p, left < 8 ? left : 8));
	h1 ^= key.len;
	h2 ^= key.len;
	h1 += h2;
	h2 += h1;
	int64_t token = (int64_t)(finish(h1) + finish(h2));
	return token == INT64_MIN ? INT64_MAX : token;
}

static void put_component(struct td_buf *b, struct td_slice value)
{
	if (value.len > UINT16_MAX) {
		b->failed = true;
		return;
	}
	td_buf_put_char(b, (char)(value.len >> 8));
	td_buf_put_char(b, (char)(value.len & 0xff));
	td_buf_put_slice(b, value);
	td_buf_put_char(b, 0);
}

void cql_routing_key_put(struct td_buf *b, const struct td_slice *values, size_t count)
{
	if (count == 0)
		b->failed = true;
	for (size_t i = 0; i < count; i++) {
		if (values[i].ptr == NULL)
			b->failed = true;
		else if (count == 1)
			td_buf_put_slice(b, values[i]);
		else
			put_component(b, values[i]);
	}
}

bool cql_token_parse(struct td_slice text, int64_t *ret_token)
{
	bool negative = td_slice_has_prefix(text, "-");
	struct td_slice digits = td_slice_skip(text, negative ? 1 : 0);
	uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
	uint64_t value = 0;
	if (digits.len == 0 || digits.len > 19)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
	}
	if (value > most)
		return false;
	*ret_token = (int64_t)(negative ? 0 - value : value);
	return true;
}
