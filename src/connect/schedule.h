/* When to try again. Two phases: at start a fixed schedule that an operator can read in the log;
 * after the first success a jittered back-off without end. Pure: time and chance come in as
 * arguments. */
#ifndef TD_CONNECT_SCHEDULE_H
#define TD_CONNECT_SCHEDULE_H

#include "connect/failure.h"

#include <stdbool.h>
#include <stdint.h>

struct connect_schedule {
	int64_t max_retries; /* CONNECT_MAX_RETRIES; -1: for ever */
	int64_t initial_ms;  /* CONNECT_INITIAL_DELAY */
	int64_t max_ms;      /* CONNECT_MAX_DELAY */
	int64_t failed;      /* attempts that failed so far */
};

/* An attempt at start has failed. True: wait *ret_wait_ms, then try again (after the last wait
 * comes a closing try). False: that was the closing try. */
bool connect_schedule_next(struct connect_schedule *s, int64_t *ret_wait_ms);

#define CONNECT_BACKOFF_FIRST_MS 100
#define CONNECT_BACKOFF_FAST_MS  1500
#define CONNECT_BACKOFF_SLOW_MS  10000

struct connect_backoff {
	int64_t ceiling_ms; /* 0: nothing failed since the last success */
};

/* How long to wait after a failure once the process has been connected: half of a ceiling that
 * doubles, plus a part of the other half that `chance` (0 to UINT32_MAX) chooses. */
int64_t connect_backoff_next(struct connect_backoff *b, enum connect_pace pace, uint32_t chance);

/* How long a connection may be used before another takes its place (by which a changed address is
 * noticed): from four fifths of `most_ms` up to it, so that those that were made together do not
 * end together. */
int64_t connect_lifetime(int64_t most_ms, uint32_t chance);

/* After real success: connected, and one query answered. */
void connect_backoff_reset(struct connect_backoff *b);

#endif
