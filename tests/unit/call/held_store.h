/* A store that a test holds in its hand: it decides when an operation is done and when it is let
 * go, and in which order. And a client for one request to a server on loopback. */
#ifndef TD_TESTS_UNIT_CALL_HELD_STORE_H
#define TD_TESTS_UNIT_CALL_HELD_STORE_H

#include "td_test.h"

#include "http/http.h"
#include "store/store.h"
#include "work/lock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_MOST 64

struct held_store {
	struct store store; /* first */
	struct td_lock lock;
	struct td_cond came;
	struct store_op *ops[HELD_MOST]; /* guarded by lock: oldest first */
	size_t count;                    /* guarded by lock */
	_Atomic(int) refuse;             /* enum td_status that submit gives; TD_OK: it takes */
};

static inline enum td_status held_submit(struct store *store, struct store_op *op)
{
	struct held_store *held = (struct held_store *)store;
	if (atomic_load(&held->refuse) != TD_OK)
		return (enum td_status)atomic_load(&held->refuse);
	td_lock_take(&held->lock);
	td_assert(held->count < HELD_MOST);
	held->ops[held->count++] = op;
	td_cond_wake_all(&held->came);
	td_lock_give(&held->lock);
	return TD_OK;
}

static inline void held_init(struct held_store *held)
{
	static const struct store_class class = {.submit = held_submit};
	held->store = (struct store){&class, &td_clock_system};
	held->count = 0;
	atomic_init(&held->refuse, TD_OK);
	td_lock_init(&held->lock);
	td_cond_init(&held->came);
}

static inline void held_done(struct held_store *held)
{
	td_cond_done(&held->came);
	td_lock_done(&held->lock);
}

/* Waits for the next operation and takes it out. */
static inline struct store_op *held_take(struct held_store *held)
{
	td_lock_take(&held->lock);
	while (held->count == 0)
		td_cond_wait(&held->came, &held->lock);
	struct store_op *op = held->ops[0];
	held->count--;
	memmove(held->ops, held->ops + 1, held->count * sizeof(struct store_op *));
	td_lock_give(&held->lock);
	return op;
}

/* As lanes do it: both at once, whatever the HTTP thread is at. */
static inline void held_answer(struct store_op *op, enum td_status status)
{
	op->done(op, status);
	op->release(op);
}

/* ---- a client
 * ------------------------------------------------------------------------------------------ */

/* `headers` end with their line end. */
static inline int client_send(const struct http_server *server, const char *method,
	const char *target, const char *headers, const char *body)
{
	char text[2048];
	int len = snprintf(text, sizeof(text),
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		"Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
		method, target, headers, strlen(body), body);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(write(fd, text, (size_t)len), len);
	return fd;
}

struct answer {
	int status; /* 0: none came */
	char text[4096];
};

static inline void client_read(int fd, struct answer *answer)
{
	size_t len = 0;
	ssize_t got;
	while ((got = read(fd, answer->text + len, sizeof(answer->text) - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	answer->text[len] = '\0';
	answer->status = 0;
	(void)sscanf(answer->text, "HTTP/1.1 %d", &answer->status);
}

static inline void client_expect(int fd, int status, const char *part)
{
	struct answer answer;
	client_read(fd, &answer);
	if (answer.status != status || strstr(answer.text, part) == NULL)
		fail_msg("%d with \"%s\" is not: %s", status, part, answer.text);
}

#endif
