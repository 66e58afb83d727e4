#include "http/conns.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "http/late.h"

#include <string.h>
#include <sys/socket.h>

#define BUCKETS     4096
#define EVICT_MOST  32
#define EVICT_AFTER 1000 /* ms */

struct http_address_count {
	struct http_address_count *next;
	struct http_address group;
	size_t count;
};

static uint64_t pack(enum http_phase phase, uint64_t ms)
{
	return ms << 3 | (uint64_t)phase;
}

enum td_status http_conns_init(struct http_conns *c, const struct http_conns_config *config,
	size_t descriptors, struct td_err *err)
{
	memset(c, 0, sizeof(*c));
	c->config = *config;
	c->seed = td_clock_mono_ns() * UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < HTTP_CONN_LISTS; i++)
		td_lock_init(&c->lists[i].lock);
	td_lock_init(&c->address_lock);
	td_lock_init(&c->pending_lock);
	c->pending_size = descriptors;
	c->buckets = td_alloc_array(BUCKETS, sizeof(struct http_address_count *));
	c->pending = td_alloc_array(descriptors, sizeof(struct http_conn *));
	if (c->buckets != NULL && c->pending != NULL)
		return TD_OK;
	http_conns_done(c);
	return td_err_set(err, TD_NOMEM, "no memory for the table of connections");
}

void http_conns_done(struct http_conns *c)
{
	for (size_t i = 0; c->pending != NULL && i < c->pending_size; i++) {
		if (c->pending[i] != NULL)
			http_conns_remove(c->pending[i]);
	}
	td_free(c->buckets);
	td_free(c->pending);
	for (size_t i = 0; i < HTTP_CONN_LISTS; i++)
		td_lock_done(&c->lists[i].lock);
	td_lock_done(&c->address_lock);
	td_lock_done(&c->pending_lock);
}

/* ---- By address ------------------------------------------------------------------------------ */

static struct http_address_count **find_count(
	struct http_conns *c, const struct http_address *group)
{
	uint64_t halves[2];
	memcpy(halves, group->bytes, sizeof(halves));
	uint64_t h = (halves[0] ^ c->seed) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 32 ^ halves[1]) * UINT64_C(0xc4ceb9fe1a85ec53);
	struct http_address_count **at = &c->buckets[(h >> 40) % BUCKETS];
	while (*at != NULL && !http_address_equal(&(*at)->group, group))
		at = &(*at)->next;
	return at;
}

static bool count_up(struct http_conns *c, const struct http_address *address)
{
	struct http_address group = http_address_group(address);
	bool ok = false;
	td_lock_take(&c->address_lock);
	struct http_address_count **at = find_count(c, &group);
	if (*at == NULL) {
		*at = td_alloc_zero(sizeof(**at));
		if (*at != NULL)
			(*at)->group = group;
	}
	if (*at != NULL && (*at)->count < c->config.most_per_address) {
		(*at)->count++;
		ok = true;
	}
	td_lock_give(&c->address_lock);
	return ok;
}

static void count_down(struct http_conns *c, const struct http_address *address)
{
	struct http_address group = http_address_group(address);
	td_lock_take(&c->address_lock);
	struct http_address_count **at = find_count(c, &group);
	td_assert(*at != NULL && (*at)->count > 0);
	if (--(*at)->count == 0) {
		struct http_address_count *gone = *at;
		*at = gone->next;
		td_free(gone);
	}
	td_lock_give(&c->address_lock);
}

/* ---- Coming and going ------------------------------------------------------------------------ */

static struct http_conn_list *list_of(const struct http_conn *conn)
{
	return &conn->owner->lists[(unsigned)conn->fd % HTTP_CONN_LISTS];
}

static struct http_conn *take_pending(struct http_conns *c, int fd)
{
	td_lock_take(&c->pending_lock);
	struct http_conn *conn = NULL;
	if (fd >= 0 && (size_t)fd < c->pending_size) {
		conn = c->pending[fd];
		c->pending[fd] = NULL;
	}
	td_lock_give(&c->pending_lock);
	return conn;
}

struct http_conn *http_conns_add(
	struct http_conns *c, int fd, const struct http_address *address, bool is_spared)
{
	/* The number is ours again, so whoever had it was dropped without being announced. */
	http_conns_take_back(c, fd);
	if ((size_t)fd >= c->pending_size)
		return NULL;
	struct http_conn *conn = td_alloc_zero(sizeof(*conn));
	if (conn == NULL)
		return NULL;
	conn->owner = c;
	conn->fd = fd;
	conn->thread = (unsigned)fd % c->config.threads;
	conn->address = *address;
	conn->is_counted = !is_spared &&
			   (c->config.counts_loopback || !http_address_is_loopback(address));
	if (conn->is_counted && !count_up(c, address)) {
		atomic_fetch_add(&c->refused_address, 1);
		td_free(conn);
		return NULL;
	}
	atomic_store(&conn->phase, pack(HTTP_PHASE_IDLE, td_clock_mono_ns() / 1000000));
	atomic_fetch_add(&c->count, 1);
	atomic_fetch_add(&c->accepted, 1);
	td_lock_take(&c->pending_lock);
	c->pending[fd] = conn;
	td_lock_give(&c->pending_lock);
	return conn;
}

void http_conns_take_back(struct http_conns *c, int fd)
{
	struct http_conn *conn = take_pending(c, fd);
	if (conn != NULL)
		http_conns_remove(conn);
}

struct http_conn *http_conns_announced(struct http_conns *c, int fd)
{
	struct http_conn *conn = take_pending(c, fd);
	if (conn == NULL)
		return NULL;
	struct http_conn_list *list = list_of(conn);
	td_lock_take(&list->lock);
	conn->is_open = true;
	conn->next = list->first;
	if (list->first != NULL)
		list->first->prev = conn;
	list->first = conn;
	if (atomic_load(&c->is_cutting))
		(void)shutdown(fd, SHUT_RDWR);
	td_lock_give(&list->lock);
	return conn;
}

static void unlink_conn(struct http_conn *conn)
{
	struct http_conn_list *list = list_of(conn);
	td_lock_take(&list->lock);
	if (conn->is_open) {
		if (conn->prev != NULL)
			conn->prev->next = conn->next;
		else
			list->first = conn->next;
		if (conn->next != NULL)
			conn->next->prev = conn->prev;
	}
	td_lock_give(&list->lock);
}

void http_conns_remove(struct http_conn *conn)
{
	struct http_conns *c = conn->owner;
	unlink_conn(conn);
	if (conn->is_counted)
		count_down(c, &conn->address);
	td_free(conn);
	atomic_fetch_sub(&c->count, 1);
	if (c->on_close != NULL)
		c->on_close(c->on_close_ctx);
}

bool http_conn_set_awaiting(struct http_conn *conn, struct http_request *rq)
{
	struct http_conn_list *list = list_of(conn);
	td_lock_take(&list->lock);
	bool ok = !atomic_load(&conn->owner->is_cutting);
	conn->awaiting = rq;
	td_lock_give(&list->lock);
	if (rq != NULL)
		atomic_fetch_add(&conn->owner->awaiting, 1);
	else
		atomic_fetch_sub(&conn->owner->awaiting, 1);
	return ok;
}

/* ---- Phases and deadlines -------------------------------------------------------------------- */

static bool keeps_time(enum http_phase from, enum http_phase to)
{
	return from == HTTP_PHASE_HEADER && (to == HTTP_PHASE_HEADER || to == HTTP_PHASE_BODY);
}

bool http_conn_enter(struct http_conn *conn, enum http_phase phase, uint64_t now_ms)
{
	uint64_t old = atomic_load_explicit(&conn->phase, memory_order_relaxed);
	for (;;) {
		enum http_phase from = (enum http_phase)(old & 7);
		if (from == HTTP_PHASE_DEAD)
			return false;
		uint64_t since = keeps_time(from, phase) ? old >> 3 : now_ms;
		if (atomic_compare_exchange_weak_explicit(&conn->phase, &old, pack(phase, since),
			    memory_order_relaxed, memory_order_relaxed))
			return true;
	}
}

void http_conns_tick(struct http_conns *c, uint64_t now_ms)
{
	if (now_ms - c->ticked_ms < http_late_pause_ms(&c->config))
		return;
	c->ticked_ms = now_ms;
	for (size_t i = 0; i < HTTP_CONN_LISTS; i++) {
		td_lock_take(&c->lists[i].lock);
		for (struct http_conn *conn = c->lists[i].first; conn != NULL; conn = conn->next)
			http_late_check(conn, now_ms);
		td_lock_give(&c->lists[i].lock);
	}
}

static enum http_phase phase_of(struct http_conn *conn)
{
	return (enum http_phase)(atomic_load_explicit(&conn->phase, memory_order_relaxed) & 7);
}

void http_conns_close_idle(struct http_conns *c)
{
	for (size_t i = 0; i < HTTP_CONN_LISTS; i++) {
		td_lock_take(&c->lists[i].lock);
		for (struct http_conn *conn = c->lists[i].first; conn != NULL; conn = conn->next) {
			enum http_phase phase = phase_of(conn);
			if (phase == HTTP_PHASE_IDLE || phase == HTTP_PHASE_HEADER)
				(void)shutdown(conn->fd, SHUT_RD);
		}
		td_lock_give(&c->lists[i].lock);
	}
}

static unsigned evict_from(struct http_conn_list *list, uint64_t now_ms)
{
	unsigned evicted = 0;
	td_lock_take(&list->lock);
	for (struct http_conn *conn = list->first; conn != NULL && evicted < EVICT_MOST;
		conn = conn->next) {
		uint64_t old = atomic_load_explicit(&conn->phase, memory_order_relaxed);
		if ((old & 7) != HTTP_PHASE_IDLE || now_ms < (old >> 3) + EVICT_AFTER)
			continue;
		if (!atomic_compare_exchange_strong(
			    &conn->phase, &old, pack(HTTP_PHASE_DEAD, now_ms)))
			continue;
		(void)shutdown(conn->fd, SHUT_RDWR);
		evicted++;
	}
	td_lock_give(&list->lock);
	return evicted;
}

bool http_conns_evict(struct http_conns *c, uint64_t now_ms)
{
	unsigned evicted = 0;
	for (size_t i = 0; i < HTTP_CONN_LISTS && evicted == 0; i++)
		evicted = evict_from(&c->lists[(now_ms + i) % HTTP_CONN_LISTS], now_ms);
	atomic_fetch_add(&c->evicted, evicted);
	return evicted > 0;
}

static struct http_request *cut_next(
	struct http_conn_list *list, bool (*cut)(struct http_request *rq))
{
	for (struct http_conn *conn = list->first; conn != NULL; conn = conn->next) {
		(void)shutdown(conn->fd, SHUT_RDWR);
		struct http_request *rq = conn->awaiting;
		if (rq != NULL && cut(rq))
			return rq;
	}
	return NULL;
}

void http_conns_cut(struct http_conns *c, bool (*cut)(struct http_request *rq),
	void (*resume)(struct http_request *rq))
{
	for (size_t i = 0; i < HTTP_CONN_LISTS; i++) {
		struct http_request *rq = NULL;
		do {
			td_lock_take(&c->lists[i].lock);
			atomic_store(&c->is_cutting, true);
			rq = cut_next(&c->lists[i], cut);
			td_lock_give(&c->lists[i].lock);
			if (rq != NULL)
				resume(rq);
		} while (rq != NULL);
	}
}
