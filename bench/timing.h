/* How long something took, and how long that mostly is. */
#ifndef TD_BENCH_TIMING_H
#define TD_BENCH_TIMING_H

#include <stddef.h>
#include <stdint.h>

/* Seconds of CLOCK_MONOTONIC, and of processor time of the process. */
double timing_now(void);
double timing_cpu(void);

/* xorshift64*: as good as any other for numbers that must not come in order. *state is not 0. */
uint64_t timing_random(uint64_t *state);

/* A histogram of durations: those below 128 µs one by one, all others within a hundredth. */
#define TIMING_BUCKETS 2048

struct timing_latencies {
	uint64_t count;
	uint32_t buckets[TIMING_BUCKETS];
};

void timing_note(struct timing_latencies *l, uint64_t us);

/* What `share` (0 to 1) of them did not exceed, in µs; 0: there are none. */
uint64_t timing_quantile(const struct timing_latencies *l, double share);

#endif
