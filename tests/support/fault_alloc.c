#include "fault_alloc.h"

#include "td_test.h"

#include "base/alloc.h"

#define ATTEMPTS_MOST 10000

static size_t asked, failing;

static bool gate(void)
{
	return ++asked != failing;
}

void fault_alloc_at(size_t n)
{
	asked = 0;
	failing = n;
	td_alloc_set_gate(gate);
}

bool fault_alloc_end(void)
{
	td_alloc_set_gate(NULL);
	return failing != 0 && asked >= failing;
}

size_t fault_alloc_each(fault_attempt_fn *attempt, void *ctx)
{
	for (size_t n = 1; n < ATTEMPTS_MOST; n++) {
		fault_alloc_at(n);
		bool worked = attempt(ctx);
		bool met = fault_alloc_end();
		if (worked == met)
			fail_msg("allocation %zu %s, and the attempt %s", n,
				met ? "failed" : "did not fail", worked ? "worked" : "failed");
		if (!met)
			return n - 1;
	}
	fail_msg("more than %d allocations", ATTEMPTS_MOST);
	return 0;
}
