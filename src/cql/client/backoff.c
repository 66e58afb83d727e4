#include "cql/client/backoff.h"

unsigned cql_backoff_next(
	struct cql_backoff *b, unsigned first_ms, unsigned most_ms, uint32_t chance)
{
	unsigned long long ceiling = b->ceiling_ms == 0 ? first_ms : 2ull * b->ceiling_ms;
	b->ceiling_ms = ceiling < most_ms ? (unsigned)ceiling : most_ms;
	unsigned half = b->ceiling_ms / 2;
	return half + (unsigned)((uint64_t)(b->ceiling_ms - half) * chance / UINT32_MAX);
}
