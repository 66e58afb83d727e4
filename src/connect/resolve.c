#include "connect/resolve.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/slice.h"
#include "work/lock.h"
#include "work/thread.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

/* Shared by the asker and the thread; the last one frees it. */
struct lookup {
	struct td_lock lock;
	struct td_cond answered;
	unsigned holders;                   /* guarded by lock */
	bool done;                          /* guarded by lock */
	int code;                           /* getaddrinfo's; guarded by lock */
	struct connect_addresses addresses; /* guarded by lock */
	char name[256];                     /* set before start, then read-only */
};

static void let_go(struct lookup *l)
{
	td_lock_take(&l->lock);
	bool last = --l->holders == 0;
	td_lock_give(&l->lock);
	if (!last)
		return;
	td_cond_done(&l->answered);
	td_lock_done(&l->lock);
	td_free(l);
}

static bool contains(const struct connect_addresses *all, const char *text)
{
	for (size_t i = 0; i < all->count; i++) {
		if (strcmp(all->text[i], text) == 0)
			return true;
	}
	return false;
}

static void collect(const struct addrinfo *list, struct connect_addresses *all)
{
	for (; list != NULL && all->count < CONNECT_ADDRESSES_MOST; list = list->ai_next) {
		char *to = all->text[all->count];
		if (getnameinfo(list->ai_addr, list->ai_addrlen, to, sizeof(all->text[0]), NULL, 0,
			    NI_NUMERICHOST) == 0 &&
			!contains(all, to))
			all->count++;
	}
}

static void look_up(void *ctx)
{
	struct lookup *l = ctx;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	struct connect_addresses all = {.count = 0};
	int code = getaddrinfo(l->name, NULL, &hints, &list);
	if (code == 0) {
		collect(list, &all);
		freeaddrinfo(list);
	}
	td_lock_take(&l->lock);
	l->code = code;
	l->addresses = all;
	l->done = true;
	td_cond_wake_all(&l->answered);
	td_lock_give(&l->lock);
	let_go(l);
}

static bool is_numeric(const char *name)
{
	struct in_addr v4;
	struct in6_addr v6;
	return inet_pton(AF_INET, name, &v4) == 1 || inet_pton(AF_INET6, name, &v6) == 1;
}

static enum td_status fail(
	struct connect_failure *f, enum td_status status, const char *name, const char *why)
{
	f->class = CONNECT_NAME;
	(void)snprintf(f->address, sizeof(f->address), "%s", name);
	(void)snprintf(f->reason, sizeof(f->reason), "look up %s: %s", name, why);
	return status;
}

static enum td_status start_lookup(const char *name, struct lookup **ret)
{
	struct lookup *l = td_alloc_zero(sizeof(*l));
	if (l == NULL)
		return TD_NOMEM;
	td_lock_init(&l->lock);
	td_cond_init(&l->answered);
	l->holders = 2;
	(void)snprintf(l->name, sizeof(l->name), "%s", name);
	if (td_thread_detach("resolve", look_up, l, NULL) != TD_OK) {
		l->holders = 1;
		let_go(l);
		return TD_NOMEM;
	}
	*ret = l;
	return TD_OK;
}

/* Waits in slices, because who wants it to end does not know of the lookup. The lock is held. */
static void wait_for_answer_locked(struct lookup *l, const struct connect_limit *limit)
{
	for (int slice_ms; !l->done && (slice_ms = connect_limit_slice_ms(limit)) > 0;)
		(void)td_cond_wait_until(&l->answered, &l->lock,
			td_clock_mono_ns() + (uint64_t)slice_ms * UINT64_C(1000000));
}

enum td_status connect_resolve(const char *name, const struct connect_limit *limit,
	struct connect_addresses *ret_addresses, struct connect_failure *ret_failure)
{
	if (is_numeric(name)) {
		ret_addresses->count = 1;
		(void)snprintf(ret_addresses->text[0], sizeof(ret_addresses->text[0]), "%s", name);
		return TD_OK;
	}
	struct lookup *l;
	if (strlen(name) >= sizeof(l->name))
		return fail(ret_failure, TD_NOTFOUND, name, "the name is too long");
	if (start_lookup(name, &l) != TD_OK)
		return fail(ret_failure, TD_NOMEM, name, "no memory for a thread");
	td_lock_take(&l->lock);
	wait_for_answer_locked(l, limit);
	bool done = l->done;
	int code = l->code;
	struct connect_addresses found = l->addresses;
	td_lock_give(&l->lock);
	let_go(l);
	if (!done)
		return fail(
			ret_failure, TD_TIMEOUT, name, "the name service did not answer in time");
	if (code != 0)
		return fail(ret_failure, TD_NOTFOUND, name, gai_strerror(code));
	if (found.count == 0)
		return fail(ret_failure, TD_NOTFOUND, name, "the name has no address");
	*ret_addresses = found;
	return TD_OK;
}
