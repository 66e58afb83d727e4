#include "cql/client/lookup.h"

#include "base/alloc.h"
#include "base/slice.h"
#include "work/lock.h"
#include "work/thread.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Shared by the thread and whoever waits; the last one frees it. */
struct cql_lookup {
	struct cql_task task;
	cql_lookup_fn *fn;
	void *ctx;
	uint16_t port;
	char name[256];

	struct td_lock lock;
	struct cql_loop *loop; /* NULL: nobody waits; guarded by lock */
	bool is_posted;        /* guarded by lock */
	unsigned holders;      /* guarded by lock */

	/* The thread's, until it posts the task. */
	int code; /* getaddrinfo's */
	struct cql_address addresses[CQL_ADDRESSES_MOST];
	size_t count;
};

void cql_address_host(const struct cql_address *address, char out[CQL_ADDRESS_TEXT_SIZE])
{
	const void *bytes = address->as.any.sa_family == AF_INET6
				    ? (const void *)&address->as.v6.sin6_addr
				    : (const void *)&address->as.v4.sin_addr;
	if (inet_ntop(address->as.any.sa_family, bytes, out, CQL_ADDRESS_TEXT_SIZE) == NULL)
		(void)snprintf(out, CQL_ADDRESS_TEXT_SIZE, "?");
}

void cql_address_format(const struct cql_address *address, char out[CQL_ADDRESS_TEXT_SIZE])
{
	char host[CQL_ADDRESS_TEXT_SIZE];
	bool is_v6 = address->as.any.sa_family == AF_INET6;
	unsigned port = ntohs(is_v6 ? address->as.v6.sin6_port : address->as.v4.sin_port);
	cql_address_host(address, host);
	(void)snprintf(out, CQL_ADDRESS_TEXT_SIZE, is_v6 ? "[%.45s]:%u" : "%.45s:%u", host, port);
}

static void let_go(struct cql_lookup *l)
{
	td_lock_take(&l->lock);
	bool is_last = --l->holders == 0;
	td_lock_give(&l->lock);
	if (!is_last)
		return;
	td_lock_done(&l->lock);
	td_free(l);
}

/* ---- in the thread */

static bool is_known(const struct cql_lookup *l, const struct addrinfo *found)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->addresses[i].len == found->ai_addrlen &&
			memcmp(&l->addresses[i].as, found->ai_addr, found->ai_addrlen) == 0)
			return true;
	}
	return false;
}

static void collect(struct cql_lookup *l, const struct addrinfo *found)
{
	bool is_ip = found->ai_family == AF_INET || found->ai_family == AF_INET6;
	if (!is_ip || found->ai_addrlen > sizeof(l->addresses[0].as) || is_known(l, found))
		return;
	struct cql_address *address = &l->addresses[l->count++];
	memcpy(&address->as, found->ai_addr, found->ai_addrlen);
	address->len = found->ai_addrlen;
}

static void look_up(void *ctx)
{
	struct cql_lookup *l = ctx;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char port[8];
	(void)snprintf(port, sizeof(port), "%u", l->port);
	l->code = getaddrinfo(l->name, port, &hints, &list);
	if (l->code == 0) {
		const struct addrinfo *one = list;
		for (; one != NULL && l->count < CQL_ADDRESSES_MOST; one = one->ai_next)
			collect(l, one);
		freeaddrinfo(list);
	}
	td_lock_take(&l->lock);
	/* Within the lock, so that the loop is there as long as it is named here. */
	l->is_posted = l->loop != NULL;
	if (l->is_posted)
		cql_loop_post(l->loop, &l->task);
	td_lock_give(&l->lock);
	let_go(l);
}

/* ---- on the loop */

static void tell(struct cql_task *task)
{
	struct cql_lookup *l = TD_CONTAINER_OF(task, struct cql_lookup, task);
	struct td_err err = TD_ERR_INIT;
	td_lock_take(&l->lock);
	bool is_awaited = l->loop != NULL;
	td_lock_give(&l->lock);
	enum td_status status = TD_OK;
	if (l->code != 0)
		status = td_err_set(
			&err, TD_NOTFOUND, "look up %s: %s", l->name, gai_strerror(l->code));
	else if (l->count == 0)
		status = td_err_set(
			&err, TD_NOTFOUND, "look up %s: the name has no address", l->name);
	if (is_awaited)
		l->fn(l->ctx, status, l->addresses, l->count, &err);
	let_go(l);
}

enum td_status cql_lookup_start(struct cql_loop *loop, const char *name, uint16_t port,
	cql_lookup_fn *fn, void *ctx, struct cql_lookup **ret_lookup, struct td_err *err)
{
	if (strlen(name) >= sizeof((*ret_lookup)->name))
		return td_err_set(err, TD_INVALID, "a host's name of 256 characters or more");
	struct cql_lookup *l = td_alloc_zero(sizeof(*l));
	if (l == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to look up %s", name);
	l->task.run = tell;
	l->fn = fn;
	l->ctx = ctx;
	l->port = port;
	(void)snprintf(l->name, sizeof(l->name), "%s", name);
	td_lock_init(&l->lock);
	l->loop = loop;
	l->holders = 2;
	enum td_status status = td_thread_detach("cql-lookup", look_up, l, err);
	if (status != TD_OK) {
		l->holders = 1;
		let_go(l);
		return status;
	}
	*ret_lookup = l;
	return TD_OK;
}

void cql_lookup_cancel(struct cql_lookup *l)
{
	td_lock_take(&l->lock);
	l->loop = NULL;
	bool is_posted = l->is_posted;
	td_lock_give(&l->lock);
	if (!is_posted)
		let_go(l); /* the task's share */
}
