#include "work/ticker.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "work/lock.h"
#include "work/thread.h"

#include <string.h>

#define ENTRIES_MOST 32

struct entry {
	td_tick_fn *fn;
	void *ctx;
};

struct td_ticker {
	uint64_t period_ns;  /* set before start, then read-only */
	struct td_lock lock; /* held while the functions run: remove() thereby waits for them */
	struct td_cond wake;
	struct entry entries[ENTRIES_MOST]; /* guarded by lock */
	size_t count;                       /* guarded by lock */
	bool stop;                          /* guarded by lock */
	struct td_thread thread;
};

static void run(void *arg)
{
	struct td_ticker *t = arg;
	uint64_t next_ns = td_clock_mono_ns() + t->period_ns;
	td_lock_take(&t->lock);
	while (!t->stop) {
		uint64_t now_ns = td_clock_mono_ns();
		if (now_ns < next_ns) {
			(void)td_cond_wait_until(&t->wake, &t->lock, next_ns);
			continue;
		}
		for (size_t i = 0; i < t->count; i++)
			t->entries[i].fn(t->entries[i].ctx, now_ns / 1000000u);
		next_ns = td_clock_mono_ns() + t->period_ns;
	}
	td_lock_give(&t->lock);
}

enum td_status td_ticker_create(
	unsigned period_ms, struct td_ticker **ret_ticker, struct td_err *err)
{
	td_assert(period_ms >= 1 && period_ms <= 10000);
	struct td_ticker *t = td_alloc_zero(sizeof(*t));
	if (t == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the ticker");
	t->period_ns = period_ms * UINT64_C(1000000);
	td_lock_init(&t->lock);
	td_cond_init(&t->wake);
	enum td_status status = td_thread_start(&t->thread, "ticker", run, t, err);
	if (status != TD_OK) {
		td_cond_done(&t->wake);
		td_lock_done(&t->lock);
		td_free(t);
		return status;
	}
	*ret_ticker = t;
	return TD_OK;
}

void td_ticker_destroy(struct td_ticker *t)
{
	if (t == NULL)
		return;
	td_lock_take(&t->lock);
	t->stop = true;
	td_cond_wake_all(&t->wake);
	td_lock_give(&t->lock);
	td_thread_join(&t->thread);
	td_cond_done(&t->wake);
	td_lock_done(&t->lock);
	td_free(t);
}

enum td_status td_ticker_add(struct td_ticker *t, td_tick_fn *fn, void *ctx, struct td_err *err)
{
	td_lock_take(&t->lock);
	bool room = t->count < ENTRIES_MOST;
	if (room)
		t->entries[t->count++] = (struct entry){fn, ctx};
	td_lock_give(&t->lock);
	return room ? TD_OK
		    : td_err_set(
			      err, TD_BUSY, "the ticker serves %d functions already", ENTRIES_MOST);
}

void td_ticker_remove(struct td_ticker *t, td_tick_fn *fn, void *ctx)
{
	td_lock_take(&t->lock);
	for (size_t i = 0; i < t->count; i++) {
		if (t->entries[i].fn == fn && t->entries[i].ctx == ctx) {
			t->count--;
			memmove(&t->entries[i], &t->entries[i + 1],
				(t->count - i) * sizeof(t->entries[0]));
			break;
		}
	}
	td_lock_give(&t->lock);
}
