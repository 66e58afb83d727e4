/* Connecting, for the supervisor. At start each attempt has a session of its own, so that the
 * schedule is kept; once it was connected the session goes on by itself, and an attempt only waits
 * for it, or begins anew where the password has been replaced. */
#include "store/cassandra/cas_classify.h"
#include "store/cassandra/cas_internal.h"

#include <sodium.h>
#include <stdio.h>

#define WATCH_MS 1000

uint64_t cas_now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

struct cql_session *cas_hold(struct cas_store *s)
{
	td_lock_take(&s->lock);
	struct cql_session *session = s->session;
	s->users += session != NULL ? 1 : 0;
	td_lock_give(&s->lock);
	return session;
}

void cas_let_go(struct cas_store *s)
{
	td_lock_take(&s->lock);
	s->users--;
	td_cond_wake_all(&s->changed);
	td_lock_give(&s->lock);
}

/* Waits for those who use it: they end at their deadlines. */
static void drop_session(struct cas_store *s)
{
	td_lock_take(&s->lock);
	struct cql_session *session = s->session;
	s->session = NULL;
	while (s->users > 0)
		td_cond_wait(&s->changed, &s->lock);
	td_lock_give(&s->lock);
	cql_session_close(session);
}

static void take_notice(void *ctx, const struct cql_notice *notice)
{
	struct cas_store *s = ctx;
	if (notice->kind != CQL_NOTICE_LOST)
		return;
	td_lock_take(&s->lock);
	s->losses++;
	td_cond_wake_all(&s->changed);
	td_lock_give(&s->lock);
}

/* ---- opening */

static void put_points(const struct cas_store *s, struct cql_contact_point *points)
{
	for (size_t i = 0; i < s->config.contact_point_count; i++) {
		const struct connect_host *host = &s->config.contact_points[i];
		points[i] = (struct cql_contact_point){host->name, host->port};
	}
}

static enum td_status open_session(struct cas_store *s, const char *keyspace, const char *password,
	bool tells, struct cql_session **ret_session, struct td_err *err)
{
	struct cql_contact_point points[CQL_CONTACT_POINTS_MOST];
	struct cql_session_config config;
	unsigned timeout_ms = (unsigned)s->config.connect_timeout_ms;
	put_points(s, points);
	cql_session_config_init(&config);
	config.contact_points = points;
	config.contact_point_count = s->config.contact_point_count;
	config.username = s->config.user;
	config.password = s->config.user != NULL ? password : NULL;
	config.keyspace = keyspace;
	config.tls = s->tls;
	config.local_dc = s->config.local_dc;
	/* The rest of an attempt is for saying what failed. */
	config.connect_ms = timeout_ms - timeout_ms / 5;
	config.request_ms = (unsigned)s->config.store_timeout_ms;
	config.notice = tells ? take_notice : NULL;
	config.counts = tells ? &s->counts : NULL;
	config.ctx = s;
	return cql_session_open(&config, ret_session, err);
}

static enum td_status read_password(
	struct cas_store *s, struct td_arena *arena, const char **ret_password, struct td_err *err)
{
	*ret_password = NULL;
	if (s->config.user == NULL || s->config.password == NULL)
		return TD_OK;
	return s->config.password(s->config.password_ctx, arena, ret_password, err);
}

static void wipe(const char *password)
{
	if (password != NULL)
		explicit_bzero((char *)(uintptr_t)password, strlen(password));
}

enum td_status cas_open(struct cas_store *s, const char *keyspace, struct cql_session **ret_session,
	struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	const char *password;
	struct cql_session *session = NULL;
	enum td_status status = read_password(s, &arena, &password, err);
	if (status == TD_OK)
		status = open_session(s, keyspace, password, /* tells= */ false, &session, err);
	wipe(password);
	td_arena_done(&arena);
	if (status != TD_OK)
		return status;
	status = cql_session_wait(session, (unsigned)s->config.connect_timeout_ms, err);
	if (status == TD_OK) {
		*ret_session = session;
		return TD_OK;
	}
	cql_session_close(session);
	/* Whatever it is: it was connected a moment ago. */
	return td_err_set(err, TD_UNAVAILABLE, "%s", err != NULL ? err->text : "");
}

/* ---- one attempt */

static enum td_status fail_with(struct cas_store *s, enum connect_class class, const char *why,
	struct connect_failures *failures)
{
	const struct connect_host *host = &s->config.contact_points[0];
	struct connect_failure *failure = &failures->list[0];
	*failure = (struct connect_failure){.class = class};
	(void)snprintf(
		failure->address, sizeof(failure->address), "%.280s:%u", host->name, host->port);
	(void)snprintf(failure->reason, sizeof(failure->reason), "connect to %.200s: %.150s",
		failure->address, why);
	atomic_fetch_add(&s->failed_before[class], 1);
	failures->count = 1;
	return TD_UNAVAILABLE;
}

static void add_failure(void *ctx, const struct cql_attempt_failure *failure)
{
	struct connect_failures *failures = ctx;
	if (failures->count < CONNECT_FAILURES_MOST)
		cas_failure_of(failure, &failures->list[failures->count++]);
}

/* What a session knows of an address it forgets when it tries that anew, so between two failures it
 * may have nothing to tell: the reason is the last one then. */
static enum td_status collect_failures(
	struct cas_store *s, struct cql_session *session, struct connect_failures *failures)
{
	failures->count = 0;
	cql_session_each_failure(session, add_failure, failures);
	if (failures->count == 0 && s->failures.count == 0)
		return fail_with(s, CONNECT_NO_ANSWER, "no answer in time", failures);
	if (failures->count == 0)
		*failures = s->failures;
	else
		s->failures = *failures;
	return TD_UNAVAILABLE;
}

/* Another one than the session has: what it has is forgotten. */
static void note_password(struct cas_store *s, const char *password)
{
	uint8_t mark[TD_SHA256_SIZE];
	td_sha256(td_slice_str(password != NULL ? password : ""), mark);
	if (s->session != NULL && memcmp(mark, s->password_mark, sizeof(mark)) != 0)
		drop_session(s);
	memcpy(s->password_mark, mark, sizeof(mark));
}

static enum td_status open_where_missing(
	struct cas_store *s, const char *password, struct td_err *err)
{
	struct cql_session *session = NULL;
	if (s->session != NULL)
		return TD_OK;
	enum td_status status = open_session(s, NULL, password, /* tells= */ true, &session, err);
	if (status != TD_OK)
		return status;
	s->failures.count = 0;
	td_lock_take(&s->lock);
	s->session = session;
	td_lock_give(&s->lock);
	return TD_OK;
}

/* In slices, because who wants it to end does not know of the session. */
static enum td_status wait_ready(struct cas_store *s, const struct connect_limit *limit,
	unsigned rounds_lost, struct connect_failures *failures)
{
	struct cql_session_state state = {.rounds_lost = rounds_lost};
	for (int slice_ms; state.rounds_lost == rounds_lost &&
			   (slice_ms = connect_limit_slice_ms(limit)) > 0;) {
		if (cql_session_wait(s->session, (unsigned)slice_ms, NULL) == TD_OK)
			return TD_OK;
		cql_session_state(s->session, &state);
	}
	return collect_failures(s, s->session, failures);
}

static unsigned rounds_lost(struct cas_store *s)
{
	struct cql_session_state state = {.rounds_lost = 0};
	if (s->session != NULL)
		cql_session_state(s->session, &state);
	return state.rounds_lost;
}

static enum td_status attempt(
	void *ctx, const struct connect_limit *limit, struct connect_failures *failures)
{
	struct cas_store *s = ctx;
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	const char *password;
	enum td_status status = read_password(s, &arena, &password, &err);
	if (status == TD_OK && s->tls != NULL)
		status = cql_tls_refresh(s->tls, &err);
	if (status != TD_OK) {
		td_arena_done(&arena);
		return fail_with(s, CONNECT_UNREADABLE, err.text, failures);
	}
	note_password(s, password);
	unsigned lost = rounds_lost(s);
	status = open_where_missing(s, password, &err);
	wipe(password);
	td_arena_done(&arena);
	if (status != TD_OK)
		return fail_with(s, CONNECT_UNKNOWN, err.text, failures);
	status = wait_ready(s, limit, lost, failures);
	s->was_up |= status == TD_OK;
	if (status == TD_OK)
		s->failures.count = 0;
	if (!s->was_up)
		drop_session(s);
	return status;
}

static bool is_ready(struct cas_store *s)
{
	struct cql_session_state state;
	cql_session_state(s->session, &state);
	size_t inspected = atomic_load(&s->nodes_inspected);
	if (state.is_ready && inspected > 0 && state.nodes > inspected &&
		s->config.more_nodes != NULL)
		s->config.more_nodes(s->config.more_nodes_ctx, &s->base);
	return state.is_ready;
}

/* For a second, or until it says that its last connection is lost. */
static void wait_for_loss(struct cas_store *s, const struct connect_limit *limit, uint64_t losses)
{
	uint64_t until_ms = cas_now_ms() + WATCH_MS;
	int slice_ms;
	td_lock_take(&s->lock);
	while (s->losses == losses && cas_now_ms() < until_ms &&
		(slice_ms = connect_limit_slice_ms(limit)) > 0)
		(void)td_cond_wait_until(&s->changed, &s->lock,
			td_clock_mono_ns() + (uint64_t)slice_ms * UINT64_C(1000000));
	td_lock_give(&s->lock);
}

static bool watch(void *ctx, const struct connect_limit *limit, struct connect_failures *failures)
{
	struct cas_store *s = ctx;
	td_lock_take(&s->lock);
	uint64_t losses = s->losses;
	td_lock_give(&s->lock);
	bool ready = is_ready(s);
	if (ready) {
		wait_for_loss(s, limit, losses);
		ready = is_ready(s);
	}
	if (!ready)
		(void)collect_failures(s, s->session, failures);
	return ready;
}

/* The supervisor lets go after each loss, too: then the session stays. */
static void let_go(void *ctx)
{
	struct cas_store *s = ctx;
	if (!s->was_up || atomic_load(&s->stopping))
		drop_session(s);
}

const struct connect_port cas_connect_port = {
	.attempt = attempt,
	.watch = watch,
	.close = let_go,
};
