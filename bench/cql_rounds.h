/* What bench/cql measures: so many requests in flight all the time, each sent again from its own
 * callback, and pages of rows one behind the other. */
#ifndef TD_BENCH_CQL_ROUNDS_H
#define TD_BENCH_CQL_ROUNDS_H

#include "base/buf.h"
#include "base/err.h"
#include "cql/cql.h"
#include "timing.h"
#include "work/lock.h"

#include <stdbool.h>
#include <stdint.h>

#define ROUND_IN_FLIGHT 128
#define ROUND_PAGE_ROWS 5000

enum round_kind {
	ROUND_LOAD,
	ROUND_READ,
	ROUND_WRITE,
	ROUND_SCAN,
};

struct round;

/* A request that is in flight again and again. */
struct flight {
	struct cql_query query;
	struct round *round;
	struct td_buf values; /* or the paging state */
	uint64_t sent_ns;
	int64_t key;
};

/* Everything but `ended` belongs to the session's thread while the round runs. */
struct round {
	struct cql_session *session;
	enum round_kind kind;
	struct cql_statement *statement;
	uint64_t rows;  /* that there are, of read and scan; that are to be there, of load */
	double seconds; /* of all but load */

	struct flight flights[ROUND_IN_FLIGHT];
	uint64_t random;
	uint64_t until_ns;
	uint64_t begun, open; /* requests; flights that go on */
	uint64_t pass_rows;   /* of the scan that is under way */
	bool has_spread;      /* all flights were sent off */

	uint64_t ops; /* requests that ended well; of scan: rows */
	uint64_t errors;
	struct td_err first_error;
	struct timing_latencies latencies; /* of each request or page */
	uint64_t checksum;                 /* of what was decoded, so that it is */

	struct td_lock lock;
	struct td_cond changed;
	bool ended; /* guarded by lock */
};

/* Runs a round whose first members are set and all others zero, and waits for its end; then its
 * figures can be read. Not on the session's thread. */
void round_run(struct round *round);

#endif
