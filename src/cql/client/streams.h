/* The stream identifiers of one connection (native_protocol_v5.spec section 2.1), and what waits
 * for the answer to each. An identifier whose request was given up is not used again until its
 * answer has come: else the answer would go to another request. One thread. */
#ifndef TD_CQL_CLIENT_STREAMS_H
#define TD_CQL_CLIENT_STREAMS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_STREAMS_MOST 32768

struct cql_streams {
	void **owners;  /* [limit]: NULL: free, or given up */
	uint8_t *marks; /* [limit] */
	int16_t *free;  /* [limit]: a stack of those that are free */
	size_t limit, free_count;
	size_t orphans; /* given up, and not answered yet */
};

/* What an answer's stream turns out to be. */
enum cql_stream_kind {
	CQL_STREAM_OWNED,   /* somebody waits for it */
	CQL_STREAM_ORPHAN,  /* nobody waits any more */
	CQL_STREAM_UNKNOWN, /* nothing was asked on it: the server and we disagree; close */
};

/* `limit`: 1 to CQL_STREAMS_MOST at once. Give it to cql_streams_done(), also after TD_NOMEM. */
enum td_status cql_streams_init(
	struct cql_streams *s, size_t limit, struct td_err *err) TD_MUST_CHECK;
void cql_streams_done(struct cql_streams *s);

/* An identifier for `owner` (not NULL), or -1: all are in use. */
int cql_streams_take(struct cql_streams *s, void *owner);

/* Its owner does not wait any more; `stream` is one that was taken. */
void cql_streams_give_up(struct cql_streams *s, int stream);

/* Its answer is here: it is free again. *ret_owner is set for CQL_STREAM_OWNED. Any number. */
enum cql_stream_kind cql_streams_answered(struct cql_streams *s, int stream, void **ret_owner);

/* Takes the next one that has an owner, from *at on (0 at first), and moves *at; NULL: none is
 * left. For when a connection ends. */
void *cql_streams_pop(struct cql_streams *s, size_t *at);

static inline size_t cql_streams_in_use(const struct cql_streams *s)
{
	return s->limit - s->free_count;
}

#endif
