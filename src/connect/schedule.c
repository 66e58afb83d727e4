#include "connect/schedule.h"

bool connect_schedule_next(struct connect_schedule *s, int64_t *ret_wait_ms)
{
	s->failed++;
	if (s->max_retries >= 0 && s->failed > s->max_retries)
		return false;
	int64_t wait_ms = s->initial_ms;
	for (int64_t i = 1; i < s->failed && wait_ms < s->max_ms; i++)
		wait_ms = wait_ms > s->max_ms / 2 ? s->max_ms : wait_ms * 2;
	*ret_wait_ms = wait_ms < s->max_ms ? wait_ms : s->max_ms;
	return true;
}

int64_t connect_backoff_next(struct connect_backoff *b, enum connect_pace pace, uint32_t chance)
{
	int64_t most = pace == CONNECT_SLOW ? CONNECT_BACKOFF_SLOW_MS : CONNECT_BACKOFF_FAST_MS;
	b->ceiling_ms = b->ceiling_ms == 0 ? CONNECT_BACKOFF_FIRST_MS : b->ceiling_ms * 2;
	if (b->ceiling_ms > most)
		b->ceiling_ms = most;
	int64_t half = b->ceiling_ms / 2;
	return half + (int64_t)((uint64_t)half * chance / UINT32_MAX);
}

int64_t connect_lifetime(int64_t most_ms, uint32_t chance)
{
	int64_t fifth = most_ms / 5;
	return most_ms - (int64_t)((uint64_t)fifth * chance / UINT32_MAX);
}

void connect_backoff_reset(struct connect_backoff *b)
{
	b->ceiling_ms = 0;
}
