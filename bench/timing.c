#include "timing.h"

#include <sys/resource.h>
#include <time.h>

#define FINE 64u /* buckets of each power of two */

double timing_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double timing_cpu(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

uint64_t timing_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* A duration from 64 · 2^n on lies in one of the 64 buckets of its n. */
static size_t bucket_of(uint64_t us)
{
	unsigned n = 0;
	while ((us >> n) >= 2 * FINE)
		n++;
	size_t bucket = n * FINE + (size_t)(us >> n);
	return bucket < TIMING_BUCKETS ? bucket : TIMING_BUCKETS - 1;
}

/* The largest duration of a bucket. */
static uint64_t most_of(size_t bucket)
{
	if (bucket < 2 * FINE)
		return bucket;
	size_t n = bucket / FINE - 1;
	return ((bucket - n * FINE + 1) << n) - 1;
}

void timing_note(struct timing_latencies *l, uint64_t us)
{
	l->count++;
	l->buckets[bucket_of(us)]++;
}

uint64_t timing_quantile(const struct timing_latencies *l, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)l->count), seen = 0;
	for (size_t i = 0; i < TIMING_BUCKETS; i++) {
		seen += l->buckets[i];
		if (seen > wanted || (seen == l->count && seen > 0))
			return most_of(i);
	}
	return 0;
}
