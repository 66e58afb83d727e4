#include "http/proxies.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "http/syntax.h"
#include "work/lock.h"
#include "work/thread.h"

#include <netdb.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define LOOK_UP_EVERY_NS (30 * UINT64_C(1000000000))
#define LOOK_UP_AGAIN_NS UINT64_C(1000000000) /* while none is found: proxies start after us */
#define ADDRESSES_MOST   64                   /* of all names together */
#define PIECES_MOST      64
#define NAME_MOST        253

struct http_proxies {
	/* Set by create, then read-only. */
	struct http_network networks[PIECES_MOST];
	size_t network_count;
	char *names[PIECES_MOST];
	size_t name_count;

	struct td_lock lock;
	struct td_cond wake;
	struct http_address found[ADDRESSES_MOST]; /* guarded by lock */
	size_t found_count;                        /* guarded by lock */
	bool stop;                                 /* guarded by lock */
	bool is_running;                           /* caller's thread only */
	struct td_thread thread;
};

static bool is_name(struct td_slice text)
{
	return text.len <= NAME_MOST && http_is_host(text) &&
	       memchr(text.ptr, ':', text.len) == NULL;
}

static enum td_status add_piece(struct http_proxies *p, struct td_slice piece, struct td_err *err)
{
	if (p->network_count + p->name_count == PIECES_MOST)
		return td_err_set(
			err, TD_INVALID, "TRUSTED_PROXIES has more than %d entries", PIECES_MOST);
	if (http_network_parse(piece, &p->networks[p->network_count])) {
		p->network_count++;
		return TD_OK;
	}
	bool is_numeric = memchr(piece.ptr, '/', piece.len) != NULL ||
			  strspn(piece.ptr, "0123456789.") >= piece.len;
	if (is_numeric || !is_name(piece))
		return td_err_set(err, TD_INVALID,
			"TRUSTED_PROXIES: \"%.*s\" is not an address, a network such as 10.0.0.0/8 "
			"(bits behind the prefix must be zero) or a name",
			TD_SLICE_ARG(piece));
	p->names[p->name_count] = td_strndup(piece.ptr, piece.len);
	if (p->names[p->name_count] == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for TRUSTED_PROXIES");
	p->name_count++;
	return TD_OK;
}

enum td_status http_proxies_create(
	const char *list, struct http_proxies **ret_proxies, struct td_err *err)
{
	struct http_proxies *p = td_alloc_zero(sizeof(*p));
	if (p == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for TRUSTED_PROXIES");
	td_lock_init(&p->lock);
	td_cond_init(&p->wake);
	enum td_status status = TD_OK;
	const char *at = list == NULL ? "" : list;
	while (status == TD_OK && *(at += strspn(at, ", \t")) != '\0') {
		size_t len = strcspn(at, ", \t");
		status = add_piece(p, td_slice(at, len), err);
		at += len;
	}
	if (status != TD_OK) {
		http_proxies_destroy(p);
		return status;
	}
	*ret_proxies = p;
	return TD_OK;
}

static size_t look_up(const char *name, struct http_address *out, size_t most)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	size_t count = 0;
	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return 0;
	for (const struct addrinfo *ai = list; ai != NULL && count < most; ai = ai->ai_next) {
		if (http_address_of(ai->ai_addr, &out[count]))
			count++;
	}
	freeaddrinfo(list);
	return count;
}

/* A name that cannot be looked up just now keeps the others' new addresses from being lost, and
 * where none is found the old ones stay. */
static void look_up_all(struct http_proxies *p)
{
	struct http_address found[ADDRESSES_MOST];
	size_t count = 0;
	for (size_t i = 0; i < p->name_count; i++)
		count += look_up(p->names[i], found + count, ADDRESSES_MOST - count);
	if (count == 0)
		return;
	td_lock_take(&p->lock);
	memcpy(p->found, found, count * sizeof(found[0]));
	p->found_count = count;
	td_lock_give(&p->lock);
}

static void run(void *ctx)
{
	struct http_proxies *p = ctx;
	for (;;) {
		look_up_all(p);
		td_lock_take(&p->lock);
		uint64_t next_ns = td_clock_mono_ns() +
				   (p->found_count > 0 ? LOOK_UP_EVERY_NS : LOOK_UP_AGAIN_NS);
		while (!p->stop && td_cond_wait_until(&p->wake, &p->lock, next_ns))
			continue;
		bool stop = p->stop;
		td_lock_give(&p->lock);
		if (stop)
			return;
	}
}

enum td_status http_proxies_start(struct http_proxies *p, struct td_err *err)
{
	if (p->name_count == 0)
		return TD_OK;
	enum td_status status = td_thread_start(&p->thread, "http-proxies", run, p, err);
	p->is_running = status == TD_OK;
	return status;
}

void http_proxies_destroy(struct http_proxies *p)
{
	if (p == NULL)
		return;
	td_lock_take(&p->lock);
	p->stop = true;
	td_cond_wake_all(&p->wake);
	td_lock_give(&p->lock);
	if (p->is_running)
		td_thread_join(&p->thread);
	for (size_t i = 0; i < p->name_count; i++)
		td_free(p->names[i]);
	td_cond_done(&p->wake);
	td_lock_done(&p->lock);
	td_free(p);
}

static bool is_found(struct http_proxies *p, const struct http_address *a)
{
	bool found = false;
	td_lock_take(&p->lock);
	for (size_t i = 0; i < p->found_count && !found; i++)
		found = http_address_equal(&p->found[i], a);
	td_lock_give(&p->lock);
	return found;
}

bool http_proxies_has(struct http_proxies *p, const struct http_address *a)
{
	for (size_t i = 0; i < p->network_count; i++) {
		if (http_network_has(&p->networks[i], a))
			return true;
	}
	return p->name_count > 0 && is_found(p, a);
}

struct http_address http_proxies_client(
	struct http_proxies *p, const struct http_address *peer, struct td_slice forwarded_for)
{
	struct http_address client = *peer;
	struct td_slice rest = forwarded_for;
	while (http_proxies_has(p, &client) && rest.len > 0) {
		size_t at = rest.len;
		while (at > 0 && rest.ptr[at - 1] != ',')
			at--;
		struct td_slice piece = td_slice_trim(td_slice_skip(rest, at));
		struct http_address next;
		if (!http_address_parse(piece, &next))
			break;
		client = next;
		rest.len = at > 0 ? at - 1 : 0;
	}
	return client;
}
