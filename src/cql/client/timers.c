#include "cql/client/timers.h"

#include <stddef.h>

#define WAIT_MOST_MS 60000

/* Two heaps become one. Either may be NULL. */
static struct cql_timer *merge(struct cql_timer *a, struct cql_timer *b)
{
	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (b->due_ms < a->due_ms) {
		struct cql_timer *swap = a;
		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next != NULL)
		b->next->prev = b;
	a->child = b;
	return a;
}

/* Cuts the first two of a list off and makes one heap of them, chained before `pairs`. */
static struct cql_timer *pair_up(struct cql_timer **list, struct cql_timer *pairs)
{
	struct cql_timer *a = *list, *b = a->next;
	*list = b != NULL ? b->next : NULL;
	a->next = NULL;
	a->prev = NULL;
	if (b != NULL) {
		b->next = NULL;
		b->prev = NULL;
	}
	struct cql_timer *pair = merge(a, b);
	pair->next = pairs;
	return pair;
}

/* Siblings become one heap: in pairs from the left, then these from the right. */
static struct cql_timer *merge_all(struct cql_timer *list)
{
	struct cql_timer *pairs = NULL, *heap = NULL;
	while (list != NULL)
		pairs = pair_up(&list, pairs);
	while (pairs != NULL) {
		struct cql_timer *rest = pairs->next;
		pairs->next = NULL;
		heap = merge(heap, pairs);
		pairs = rest;
	}
	return heap;
}

static void cut_off(struct cql_timer *timer)
{
	if (timer->prev->child == timer)
		timer->prev->child = timer->next;
	else
		timer->prev->next = timer->next;
	if (timer->next != NULL)
		timer->next->prev = timer->prev;
	timer->next = NULL;
	timer->prev = NULL;
}

static void forget(struct cql_timer *timer)
{
	timer->child = NULL;
	timer->is_set = false;
}

void cql_timers_clear(struct cql_timers *timers, struct cql_timer *timer)
{
	if (!timer->is_set)
		return;
	struct cql_timer *below = merge_all(timer->child);
	if (timer == timers->root) {
		timers->root = below;
	} else {
		cut_off(timer);
		timers->root = merge(timers->root, below);
	}
	forget(timer);
}

void cql_timers_set(struct cql_timers *timers, struct cql_timer *timer, uint64_t due_ms)
{
	cql_timers_clear(timers, timer);
	timer->due_ms = due_ms;
	timer->is_set = true;
	timers->root = merge(timers->root, timer);
}

struct cql_timer *cql_timers_take(struct cql_timers *timers, uint64_t now_ms)
{
	struct cql_timer *first = timers->root;
	if (first == NULL || first->due_ms > now_ms)
		return NULL;
	cql_timers_clear(timers, first);
	return first;
}

int cql_timers_wait_ms(const struct cql_timers *timers, uint64_t now_ms)
{
	if (timers->root == NULL)
		return -1;
	uint64_t due_ms = timers->root->due_ms;
	if (due_ms <= now_ms)
		return 0;
	return due_ms - now_ms < WAIT_MOST_MS ? (int)(due_ms - now_ms) : WAIT_MOST_MS;
}
