#include "base/alloc.h"
#include "call/call_internal.h"

#include <string.h>
#include <unistd.h>

/* Each takes PASSWORD_MEMORY while it hashes: with more of them who floods sign-in decides how much
 * memory a large machine gives us. */
#define HASHERS_MOST 8

static unsigned spare_processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	if (count > HASHERS_MOST)
		return HASHERS_MOST;
	return count > 2 ? (unsigned)count - 1 : 1;
}

/* Without the slash at its end, as browsers write an origin. */
static bool set_public_url(struct calls *calls, const char *url)
{
	if (url == NULL)
		return true;
	size_t len = strlen(url);
	if (len > 0 && url[len - 1] == '/')
		len--;
	calls->public_url = td_strndup(url, len);
	calls->is_https = strncmp(url, "https://", 8) == 0;
	return calls->public_url != NULL;
}

enum td_status calls_create(
	const struct calls_config *config, struct calls **ret_calls, struct td_err *err)
{
	struct calls *calls = td_alloc_zero(sizeof(*calls));
	if (calls == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for requests");
	calls->clock = config->clock;
	calls->store_timeout_ms = config->store_timeout_ms;
	calls->has_test_clock = config->has_test_clock;
	atomic_init(&calls->store, NULL);
	atomic_init(&calls->event_log, NULL);
	atomic_init(&calls->offset_ms, 0);
	atomic_init(&calls->refs, 1);
	td_lock_init(&calls->lock);
	enum td_status status = set_public_url(calls, config->public_url)
					? TD_OK
					: td_err_set(err, TD_NOMEM, "no memory for requests");
	unsigned threads = config->hashes_passwords ? spare_processors() : 0;
	if (status == TD_OK)
		status = call_pool_create(threads, calls->clock, &calls->pool, err);
	if (status != TD_OK) {
		calls_unref(calls);
		return status;
	}
	*ret_calls = calls;
	return TD_OK;
}

void calls_set_store(struct calls *calls, struct store *store)
{
	atomic_store(&calls->store, store);
}

void calls_set_event_log(struct calls *calls, struct store *store)
{
	atomic_store(&calls->event_log, store);
}

bool calls_has_event_log(const struct calls *calls)
{
	return atomic_load(&calls->event_log) != NULL;
}

void calls_stop(struct calls *calls)
{
	if (calls != NULL && calls->pool != NULL)
		call_pool_stop(calls->pool);
}

void calls_destroy(struct calls *calls)
{
	if (calls == NULL)
		return;
	call_pool_destroy(calls->pool);
	calls->pool = NULL;
	td_lock_take(&calls->lock);
	struct call *call = calls->first;
	calls->first = NULL;
	td_lock_give(&calls->lock);
	while (call != NULL) {
		struct call *next = call->next;
		call_unref(call);
		call = next;
	}
	calls_unref(calls);
}

void calls_tick(void *calls, uint64_t now_ms)
{
	struct calls *c = calls;
	call_pool_tick(c->pool, now_ms);
}

void calls_each_lane(struct calls *calls, store_lane_fn *fn, void *ctx)
{
	call_pool_each_lane(calls->pool, fn, ctx);
}

const char *calls_public_url(const struct calls *calls)
{
	return calls->public_url;
}

bool calls_is_https(const struct calls *calls)
{
	return calls->is_https;
}

/* ---- the test clock
 * ------------------------------------------------------------------------------------ */

bool calls_has_test_clock(const struct calls *calls)
{
	return calls->has_test_clock;
}

int64_t calls_now_ms(const struct calls *calls)
{
	int64_t offset_ms = calls->has_test_clock ? atomic_load(&calls->offset_ms) : 0;
	return td_clock_wall_ms(calls->clock) + offset_ms;
}

void calls_note_offset(struct calls *calls, int64_t offset_ms)
{
	atomic_store(&calls->offset_ms, offset_ms);
}

void calls_sign_answer(struct http_request *rq, void *calls)
{
	const struct calls *c = calls;
	if (!c->has_test_clock)
		return;
	char text[TD_TIME_TEXT_SIZE];
	td_time_format(calls_now_ms(c), text);
	/* Without memory it is still an answer. */
	(void)!http_add_header(rq, "Test-Clock", text);
}

/* ---- what keeps it alive
 * ------------------------------------------------------------------------------- */

void calls_ref(struct calls *calls)
{
	atomic_fetch_add(&calls->refs, 1);
}

void calls_unref(struct calls *calls)
{
	if (atomic_fetch_sub(&calls->refs, 1) != 1)
		return;
	td_lock_done(&calls->lock);
	td_free(calls->public_url);
	td_free(calls);
}

void calls_list(struct call *call)
{
	struct calls *calls = call->calls;
	td_lock_take(&calls->lock);
	call->listed = true;
	call->next = calls->first;
	if (call->next != NULL)
		call->next->prev = call;
	calls->first = call;
	td_lock_give(&calls->lock);
}

void calls_unlist(struct call *call)
{
	struct calls *calls = call->calls;
	if (!call->listed)
		return;
	td_lock_take(&calls->lock);
	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		calls->first = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	call->listed = false;
	td_lock_give(&calls->lock);
}
