/* What bench/fake_node answers: the table of bench/cql, whose rows follow from their keys, and as
 * much of a node's own tables as drivers ask for. Protocol versions 4 and 5. */
#ifndef TD_BENCH_FAKE_ANSWERS_H
#define TD_BENCH_FAKE_ANSWERS_H

#include "base/buf.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* `rows`: of bench.rows, from 0; `address`: 4 bytes, with `port` where the node can be reached.
 * Ends the process where there is no memory. */
void fake_answers_init(size_t rows, const uint8_t address[4], uint16_t port);
void fake_answers_done(void);

struct fake_request {
	unsigned version;
	unsigned flags;
	uint16_t stream;
	unsigned opcode;
	struct td_slice body;
};

/* Writes the envelope that answers behind `out`. */
void fake_answer(struct td_buf *out, const struct fake_request *rq);

#endif
