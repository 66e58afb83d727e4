#include "cql/client/streams.h"

#include "base/alloc.h"

enum mark {
	MARK_FREE,
	MARK_OWNED,
	MARK_ORPHAN,
};

enum td_status cql_streams_init(struct cql_streams *s, size_t limit, struct td_err *err)
{
	td_assert(limit >= 1 && limit <= CQL_STREAMS_MOST);
	*s = (struct cql_streams){.limit = limit};
	s->owners = td_alloc_array(limit, sizeof(s->owners[0]));
	s->marks = td_alloc_array(limit, sizeof(s->marks[0]));
	s->free = td_alloc_array(limit, sizeof(s->free[0]));
	if (s->owners == NULL || s->marks == NULL || s->free == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for %zu streams", limit);
	/* The lowest is on top: what is used stays close together. */
	while (s->free_count < limit) {
		s->free[s->free_count] = (int16_t)(limit - 1 - s->free_count);
		s->free_count++;
	}
	return TD_OK;
}

void cql_streams_done(struct cql_streams *s)
{
	td_free(s->owners);
	td_free(s->marks);
	td_free(s->free);
	*s = (struct cql_streams){.owners = NULL};
}

int cql_streams_take(struct cql_streams *s, void *owner)
{
	if (s->free_count == 0)
		return -1;
	int stream = s->free[--s->free_count];
	s->owners[stream] = owner;
	s->marks[stream] = MARK_OWNED;
	return stream;
}

void cql_streams_give_up(struct cql_streams *s, int stream)
{
	td_assert(s->marks[stream] == MARK_OWNED);
	s->owners[stream] = NULL;
	s->marks[stream] = MARK_ORPHAN;
	s->orphans++;
}

static void release(struct cql_streams *s, int stream)
{
	s->owners[stream] = NULL;
	s->marks[stream] = MARK_FREE;
	s->free[s->free_count++] = (int16_t)stream;
}

enum cql_stream_kind cql_streams_answered(struct cql_streams *s, int stream, void **ret_owner)
{
	if (stream < 0 || (size_t)stream >= s->limit || s->marks[stream] == MARK_FREE)
		return CQL_STREAM_UNKNOWN;
	bool is_owned = s->marks[stream] == MARK_OWNED;
	if (is_owned)
		*ret_owner = s->owners[stream];
	else
		s->orphans--;
	release(s, stream);
	return is_owned ? CQL_STREAM_OWNED : CQL_STREAM_ORPHAN;
}

void *cql_streams_pop(struct cql_streams *s, size_t *at)
{
	while (*at < s->limit) {
		size_t stream = (*at)++;
		void *owner = s->owners[stream];
		if (owner == NULL)
			continue;
		release(s, (int)stream);
		return owner;
	}
	return NULL;
}
