#include "cql/client/control.h"

#include "base/alloc.h"
#include "cql/client/reply.h"
#include "cql/protocol/error.h"
#include "cql/protocol/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STABLE_MS      10000 /* as in node.c */
#define DEBOUNCE_MS    1000  /* between a change that is heard of and a look at it */
#define QUESTION_MS    6000
#define REFRESH_SPREAD 5 /* a fifth of refresh_ms, by chance */

struct cql_control_try {
	struct cql_hub *hub;
	struct cql_control *control; /* NULL: it has lost, and only waits for its end */
	enum {
		LOOKING_UP, /* a contact point's name */
		WAITING,    /* for its turn */
		OPEN,
		OVER,
	} state;
	const struct cql_contact_point *point; /* LOOKING_UP, else NULL */
	struct cql_address address;
	char *tls_name; /* NULL: the address's own */
	enum cql_version version_most;
	struct cql_conn *conn; /* NULL: none, or closed */
};

/* A contact point, over all rounds. Its lookup goes on when a round has ended without it: a
 * resolver that hangs holds one thread for each name, however many rounds there are. */
struct cql_control_name {
	struct cql_control *control;
	const struct cql_contact_point *point;
	struct cql_lookup *lookup;                        /* NULL: none is under way */
	struct cql_address addresses[CQL_ADDRESSES_MOST]; /* of the last one that found any */
	size_t count;
};

static void begin_round(struct cql_control *control);
static void open_next(struct cql_control *control);

/* ---- tries */

static void free_try(struct cql_control_try *try)
{
	td_free(try->tls_name);
	td_free(try);
}

static struct cql_control_try *add_try(struct cql_control *control)
{
	if (control->try_count == CQL_CONTROL_TRIES_MOST)
		return NULL;
	struct cql_control_try *try = td_alloc_zero(sizeof(*try));
	if (try == NULL)
		return NULL;
	try->hub = control->hub;
	try->control = control;
	try->version_most = control->hub->config->version_most;
	control->tries[control->try_count++] = try;
	return try;
}

static bool is_same(const struct cql_address *a, const struct cql_address *b)
{
	char a_text[CQL_ADDRESS_TEXT_SIZE], b_text[CQL_ADDRESS_TEXT_SIZE];
	cql_address_format(a, a_text);
	cql_address_format(b, b_text);
	return strcmp(a_text, b_text) == 0;
}

void cql_control_add(
	struct cql_control *control, const struct cql_address *address, const char *tls_name)
{
	for (size_t i = 0; i < control->try_count; i++) {
		const struct cql_control_try *known = control->tries[i];
		if (known->point == NULL && is_same(&known->address, address))
			return;
	}
	struct cql_control_try *try = add_try(control);
	if (try == NULL)
		return;
	try->state = WAITING;
	try->address = *address;
	try->tls_name = tls_name != NULL ? td_strdup(tls_name) : NULL;
}

/* The losers: their connections are closed, and each frees its try then. */
static void end_tries(struct cql_control *control)
{
	for (size_t i = 0; i < control->try_count; i++) {
		struct cql_control_try *try = control->tries[i];
		if (try == control->winner)
			continue;
		try->state = OVER;
		try->control = NULL;
		if (try->conn != NULL)
			cql_conn_close(try->conn, "another address has answered");
		else
			free_try(try);
	}
	control->try_count = 0;
	control->is_racing = false;
	cql_loop_clear_timer(control->hub->loop, &control->stagger);
	cql_loop_clear_timer(control->hub->loop, &control->lookup_end);
}

static bool has_any(const struct cql_control *control, int state)
{
	for (size_t i = 0; i < control->try_count; i++) {
		if ((int)control->tries[i]->state == state)
			return true;
	}
	return false;
}

/* ---- a round */

static void begin_later(struct cql_control *control)
{
	struct cql_hub *hub = control->hub;
	unsigned pause_ms = cql_hub_pause_ms(hub, &control->backoff, control->failure);
	cql_loop_set_timer(hub->loop, &control->pause, cql_loop_now_ms(hub->loop) + pause_ms);
}

static void fail_round(struct cql_control *control)
{
	end_tries(control);
	begin_later(control);
	control->owner->failed(control);
}

/* After something has ended. */
static void go_on(struct cql_control *control)
{
	if (!control->is_racing)
		return;
	if (has_any(control, WAITING))
		open_next(control);
	else if (!has_any(control, OPEN) && !has_any(control, LOOKING_UP))
		fail_round(control);
}

static void note_failure(struct cql_control *control, const char *address, enum cql_failure failure,
	const struct td_err *err)
{
	control->failure = failure;
	cql_hub_note_failed(control->hub, address, failure, err);
}

static void fail_lookup(struct cql_control_try *try, const struct td_err *err)
{
	char name[300];
	(void)snprintf(name, sizeof(name), "%s:%u", try->point->name, try->point->port);
	try->state = OVER;
	note_failure(try->control, name, CQL_FAILURE_NAME, err);
}

/* Who is to answer for names may be silent much longer: the addresses that are known are not to
 * wait for that. */
static void end_lookups(struct cql_timer *timer)
{
	struct cql_control *control = TD_CONTAINER_OF(timer, struct cql_control, lookup_end);
	struct td_err err = TD_ERR_INIT;
	for (size_t i = 0; i < control->try_count; i++) {
		struct cql_control_try *try = control->tries[i];
		if (try->state != LOOKING_UP)
			continue;
		(void)td_err_set(
			&err, TD_TIMEOUT, "look up %s: no answer in time", try->point->name);
		fail_lookup(try, &err);
	}
	go_on(control);
}

/* A number is its own name: what failed there last was no look-up. */
static bool is_its_address(const char *name, const struct cql_address *addresses, size_t count)
{
	char text[CQL_ADDRESS_TEXT_SIZE];
	if (count != 1)
		return false;
	cql_address_format(&addresses[0], text);
	return strcmp(text, name) == 0;
}

/* Kept until the next lookup finds others, so that nodes which are heard of later have their names.
 */
static void keep_addresses(
	struct cql_control_name *name, const struct cql_address *addresses, size_t count)
{
	struct cql_control *control = name->control;
	char text[300];
	(void)snprintf(text, sizeof(text), "%s:%u", name->point->name, name->point->port);
	memcpy(name->addresses, addresses, count * sizeof(addresses[0]));
	name->count = count;
	if (!is_its_address(text, addresses, count))
		cql_failures_remove(&control->hub->failures, text);
	control->owner->named(control);
}

/* NULL: the round that asked is over, or did not wait so long. */
static struct cql_control_try *try_of(const struct cql_control_name *name)
{
	const struct cql_control *control = name->control;
	for (size_t i = 0; i < control->try_count; i++) {
		struct cql_control_try *try = control->tries[i];
		if (try->state == LOOKING_UP && try->point == name->point)
			return try;
	}
	return NULL;
}

static void on_addresses(void *ctx, enum td_status status, const struct cql_address *addresses,
	size_t count, const struct td_err *err)
{
	struct cql_control_name *name = ctx;
	struct cql_control *control = name->control;
	struct cql_control_try *try = try_of(name);
	name->lookup = NULL;
	if (status == TD_OK)
		keep_addresses(name, addresses, count);
	if (try != NULL && status == TD_OK)
		try->state = OVER;
	else if (try != NULL)
		fail_lookup(try, err);
	if (!control->is_racing)
		return;
	for (size_t i = 0; i < count; i++)
		cql_control_add(control, &addresses[i], name->point->name);
	/* Else one was begun a moment ago: the next one follows when that has had its time. */
	if (status != TD_OK || !control->stagger.is_set)
		go_on(control);
}

static enum td_status start_lookup(struct cql_control *control, size_t place, struct td_err *err)
{
	const struct cql_contact_point *point = &control->hub->config->contact_points[place];
	struct cql_control_name *name = control->names[place];
	if (name == NULL)
		name = td_alloc_zero(sizeof(*name));
	if (name == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to look up %s", point->name);
	control->names[place] = name;
	name->control = control;
	name->point = point;
	if (name->lookup != NULL)
		return TD_OK; /* of a round before */
	return cql_lookup_start(control->hub->loop, point->name, point->port, on_addresses, name,
		&name->lookup, err);
}

static void look_up(struct cql_control *control, size_t place)
{
	struct cql_control_try *try = add_try(control);
	if (try == NULL)
		return;
	struct td_err err = TD_ERR_INIT;
	try->point = &control->hub->config->contact_points[place];
	try->state = LOOKING_UP;
	if (start_lookup(control, place, &err) != TD_OK)
		fail_lookup(try, &err);
}

static void forget_names(struct cql_control *control)
{
	for (size_t i = 0; i < CQL_CONTACT_POINTS_MOST; i++) {
		struct cql_control_name *name = control->names[i];
		if (name != NULL && name->lookup != NULL)
			cql_lookup_cancel(name->lookup);
		td_free(name);
		control->names[i] = NULL;
	}
}

const char *cql_control_name_of(
	const struct cql_control *control, const struct cql_address *address)
{
	for (size_t i = 0; i < CQL_CONTACT_POINTS_MOST; i++) {
		const struct cql_control_name *name = control->names[i];
		for (size_t k = 0; name != NULL && k < name->count; k++) {
			if (is_same(&name->addresses[k], address))
				return name->point->name;
		}
	}
	return NULL;
}

static void begin_round(struct cql_control *control)
{
	struct cql_hub *hub = control->hub;
	const struct cql_session_config *config = hub->config;
	if (hub->is_stopping)
		return;
	control->is_racing = true;
	cql_loop_set_timer(
		hub->loop, &control->lookup_end, cql_loop_now_ms(hub->loop) + config->connect_ms);
	control->owner->suggest(control);
	for (size_t i = 0; i < config->contact_point_count; i++)
		look_up(control, i);
	go_on(control);
}

static void begin_after_pause(struct cql_timer *timer)
{
	begin_round(TD_CONTAINER_OF(timer, struct cql_control, pause));
}

/* ---- one address */

/* One that told nothing is a failed round. Nor is one that tells and ends, again and again, asked
 * as fast as it ends. */
static void lose_winner(struct cql_control *control)
{
	struct cql_loop *loop = control->hub->loop;
	bool was_stable = cql_loop_now_ms(loop) >= control->ready_ms + STABLE_MS;
	control->winner = NULL;
	cql_loop_clear_timer(loop, &control->refresh);
	cql_view_free(control->looking);
	control->looking = NULL;
	if (control->hub->is_stopping)
		return;
	if (was_stable)
		control->backoff = (struct cql_backoff){0};
	if (!control->has_seen)
		fail_round(control);
	else if (was_stable)
		begin_round(control);
	else
		begin_later(control);
}

static void fail_try(
	struct cql_control_try *try, const struct cql_conn *conn, const struct td_err *err)
{
	struct cql_control *control = try->control;
	bool lowers = cql_conn_failure(conn) == CQL_FAILURE_VERSION &&
		      cql_conn_version(conn) == CQL_V5 && try->version_most == CQL_V5;
	try->state = lowers ? WAITING : OVER;
	if (lowers)
		try->version_most = CQL_V4;
	else
		note_failure(control, cql_conn_address(conn), cql_conn_failure(conn), err);
	go_on(control);
}

static void end_winner(
	struct cql_control *control, const struct cql_conn *conn, const struct td_err *err)
{
	if (cql_conn_failure(conn) != CQL_FAILURE_NONE)
		note_failure(control, cql_conn_address(conn), cql_conn_failure(conn), err);
	free_try(control->winner);
	lose_winner(control);
}

static void on_closed(void *ctx, struct cql_conn *conn, const struct td_err *err)
{
	struct cql_control_try *try = ctx;
	struct cql_hub *hub = try->hub;
	struct cql_control *control = try->control;
	try->conn = NULL;
	if (control == NULL)
		free_try(try);
	else if (try == control->winner)
		end_winner(control, conn, err);
	else
		fail_try(try, conn, err);
	cql_hub_note_closed(hub);
}

static void ask(struct cql_control *control);
static void hear(void *ctx, struct cql_conn *conn, const struct cql_frame *frame);

static void on_ready(void *ctx, struct cql_conn *conn)
{
	struct cql_control_try *try = ctx;
	struct cql_control *control = try->control;
	if (control == NULL)
		return; /* it is being closed */
	struct cql_hub *hub = control->hub;
	control->winner = try;
	control->ready_ms = cql_loop_now_ms(hub->loop);
	control->has_seen = false;
	control->has_no_peers_v2 = false;
	end_tries(control);
	cql_hub_note_ready(hub, cql_conn_address(conn));
	/* One that was cut would be no other node's name. */
	if (hub->cluster_name[0] == '\0' &&
		strlen(cql_conn_cluster_name(conn)) < CQL_CLUSTER_NAME_SIZE - 4)
		(void)snprintf(hub->cluster_name, sizeof(hub->cluster_name), "%s",
			cql_conn_cluster_name(conn));
	if (cql_conn_password_not_asked(conn))
		cql_hub_tell(hub, CQL_NOTICE_WARNING, cql_conn_address(conn), CQL_FAILURE_NONE,
			"a password is set, and the server lets everybody in without one");
	ask(control);
}

static void open_try(struct cql_control_try *try)
{
	struct cql_control *control = try->control;
	const struct cql_wish wish = {
		.address = try->address,
		.tls_name = try->tls_name,
		.version_most = try->version_most,
		.wants_events = true,
		.ready = on_ready,
		.event = hear,
		.closed = on_closed,
		.ctx = try,
	};
	char text[CQL_ADDRESS_TEXT_SIZE];
	struct td_err err = TD_ERR_INIT;
	try->state = OPEN;
	if (cql_hub_open(control->hub, &wish, &try->conn, &err) == TD_OK)
		return;
	try->state = OVER;
	try->conn = NULL;
	cql_address_format(&try->address, text);
	note_failure(control, text, CQL_FAILURE_NOMEM, &err);
}

static void open_next(struct cql_control *control)
{
	struct cql_hub *hub = control->hub;
	size_t i = 0;
	while (i < control->try_count && control->tries[i]->state != WAITING)
		i++;
	if (i == control->try_count)
		return;
	open_try(control->tries[i]);
	cql_loop_set_timer(
		hub->loop, &control->stagger, cql_loop_now_ms(hub->loop) + hub->config->stagger_ms);
}

static void open_after_stagger(struct cql_timer *timer)
{
	go_on(TD_CONTAINER_OF(timer, struct cql_control, stagger));
}

/* ---- a look at the cluster */

static void give_up(struct cql_control *control, const char *what, const struct td_err *why)
{
	struct td_err err = *why;
	(void)td_err_context(&err, "%s", what);
	note_failure(control, cql_conn_address(control->winner->conn), CQL_FAILURE_SERVER, &err);
	cql_conn_close(control->winner->conn, "it did not tell what the cluster looks like");
}

static void put_question(
	struct cql_control *control, struct cql_control_question *question, const char *cql)
{
	struct cql_conn *conn = control->winner->conn;
	const struct cql_request rq = {.version = cql_conn_version(conn)};
	const struct cql_params params = {.consistency = CQL_ONE};
	struct td_buf envelope = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	enum td_status status = cql_put_query(&envelope, &rq, td_slice_str(cql), &params, &err);
	question->call.envelope = td_buf_slice(&envelope);
	uint64_t deadline_ms = cql_loop_now_ms(control->hub->loop) + QUESTION_MS;
	if (status == TD_OK)
		status = cql_conn_send(conn, &question->call, deadline_ms, &err);
	question->is_open = status == TD_OK;
	td_buf_done(&envelope);
	if (status != TD_OK && cql_conn_is_ready(conn))
		give_up(control, cql, &err);
}

static void ask_for_peers(struct cql_control *control)
{
	put_question(control, &control->peers,
		control->has_no_peers_v2 ? "SELECT * FROM system.peers"
					 : "SELECT * FROM system.peers_v2");
}

static void ask(struct cql_control *control)
{
	control->looking = cql_view_create();
	if (control->looking == NULL) {
		const struct td_err err = {.code = TD_NOMEM, .text = "out of memory"};
		give_up(control, "a look at the cluster", &err);
		return;
	}
	put_question(control, &control->local, "SELECT * FROM system.local WHERE key='local'");
}

/* Behind the first, because servers may answer in any order. */
static void ask_for_others(struct cql_control *control)
{
	put_question(control, &control->keyspaces,
		"SELECT keyspace_name, replication FROM system_schema.keyspaces");
	if (cql_conn_is_ready(control->winner->conn))
		ask_for_peers(control);
}

/* The next look, whatever is heard until then. */
static void set_refresh(struct cql_control *control, uint64_t wait_ms)
{
	struct cql_loop *loop = control->hub->loop;
	cql_loop_set_timer(loop, &control->refresh, cql_loop_now_ms(loop) + wait_ms);
}

static uint64_t refresh_pause_ms(const struct cql_control *control)
{
	unsigned refresh_ms = control->hub->config->refresh_ms;
	return refresh_ms - arc4random_uniform(refresh_ms / REFRESH_SPREAD + 1);
}

static void finish_look(struct cql_control *control)
{
	struct cql_view *view = control->looking;
	struct td_err err = TD_ERR_INIT;
	if (cql_view_finish(view, &err) != TD_OK) {
		give_up(control, "what the cluster looks like", &err);
		return;
	}
	control->looking = NULL;
	control->has_seen = true;
	set_refresh(control, control->look_again ? DEBOUNCE_MS : refresh_pause_ms(control));
	control->look_again = false;
	control->owner->seen(control, view, &control->winner->address, control->winner->tls_name);
}

/* Without keyspaces (before Cassandra 3) requests are not routed by their keys. */
static bool lacks_keyspaces(const struct td_err *err)
{
	return err->native == CQL_ERROR_INVALID && strstr(err->text, "system_schema") != NULL;
}

/* Before Cassandra 4 there is no peers_v2 (and 2.2 says so with another error). */
static bool lacks_peers_v2(const struct cql_control *control, const struct td_err *err)
{
	return !control->has_no_peers_v2 &&
	       (err->native == CQL_ERROR_INVALID || err->native == CQL_ERROR_SERVER) &&
	       strstr(err->text, "peers_v2") != NULL;
}

typedef enum td_status take_fn(
	struct cql_view *m, const struct cql_result *result, struct td_err *err);

/* What all answers have in common. */
static void take(struct cql_call *call, const struct cql_reply *reply, take_fn *fn)
{
	struct cql_control_question *question = TD_CONTAINER_OF(
		call, struct cql_control_question, call);
	struct cql_control *control = question->control;
	struct td_err err = TD_ERR_INIT;
	struct cql_result result;
	question->is_open = false;
	if (control->looking == NULL || control->winner == NULL ||
		!cql_conn_is_ready(control->winner->conn))
		return; /* given up, or the connection has ended: its end is told elsewhere */
	enum td_status status = cql_reply_result(
		reply, cql_conn_version(control->winner->conn), &result, &err);
	if (status == TD_OK)
		status = fn(control->looking, &result, &err);
	if (question == &control->keyspaces && lacks_keyspaces(&err))
		status = TD_OK;
	if (status != TD_OK && question == &control->peers && lacks_peers_v2(control, &err)) {
		control->has_no_peers_v2 = true;
		ask_for_peers(control);
	} else if (status != TD_OK) {
		give_up(control, "what the cluster looks like", &err);
	} else if (question == &control->local) {
		ask_for_others(control);
	} else if (!control->peers.is_open && !control->keyspaces.is_open) {
		finish_look(control);
	}
}

static void take_local(struct cql_call *call, const struct cql_reply *reply)
{
	take(call, reply, cql_view_take_local);
}

static void take_peers(struct cql_call *call, const struct cql_reply *reply)
{
	take(call, reply, cql_view_take_peers);
}

static void take_keyspaces(struct cql_call *call, const struct cql_reply *reply)
{
	take(call, reply, cql_view_take_keyspaces);
}

static void look(struct cql_timer *timer)
{
	struct cql_control *control = TD_CONTAINER_OF(timer, struct cql_control, refresh);
	if (control->winner != NULL && control->looking == NULL)
		ask(control);
}

void cql_control_refresh(struct cql_control *control)
{
	struct cql_loop *loop = control->hub->loop;
	uint64_t due_ms = cql_loop_now_ms(loop) + DEBOUNCE_MS;
	if (control->winner == NULL)
		return; /* the next connection begins with a look */
	if (control->looking != NULL)
		control->look_again = true;
	else if (!control->refresh.is_set || control->refresh.due_ms > due_ms)
		cql_loop_set_timer(loop, &control->refresh, due_ms);
}

/* ---- events */

static void hear(void *ctx, struct cql_conn *conn, const struct cql_frame *frame)
{
	struct cql_control *control = ((struct cql_control_try *)ctx)->control;
	struct cql_body body;
	struct cql_event event;
	(void)conn;
	if (control == NULL || cql_body_open(frame, &body, NULL) != TD_OK ||
		cql_event_read(body.message, &event, NULL) != TD_OK)
		return; /* the look every minute sees what a damaged one meant */
	bool is_status = event.type == CQL_EVENT_IS_STATUS;
	bool is_table = event.type == CQL_EVENT_IS_SCHEMA &&
			event.schema.target != CQL_TARGET_KEYSPACE;
	if (is_status && event.change == CQL_UP)
		control->owner->is_up(control, &event.node);
	/* That one is down is for its connections to find out; tables change no routes. */
	if (!is_status && !is_table)
		cql_control_refresh(control);
}

/* ---- */

void cql_control_init(
	struct cql_control *control, struct cql_hub *hub, const struct cql_control_owner *owner)
{
	*control = (struct cql_control){.hub = hub, .owner = owner};
	control->stagger.fire = open_after_stagger;
	control->pause.fire = begin_after_pause;
	control->lookup_end.fire = end_lookups;
	control->refresh.fire = look;
	control->local = (struct cql_control_question){.call.done = take_local, .control = control};
	control->peers = (struct cql_control_question){.call.done = take_peers, .control = control};
	control->keyspaces = (struct cql_control_question){
		.call.done = take_keyspaces, .control = control};
}

void cql_control_start(struct cql_control *control)
{
	begin_round(control);
}

struct cql_conn *cql_control_conn(const struct cql_control *control)
{
	return control->winner != NULL && cql_conn_is_ready(control->winner->conn)
		       ? control->winner->conn
		       : NULL;
}

void cql_control_stop(struct cql_control *control)
{
	struct cql_loop *loop = control->hub->loop;
	cql_loop_clear_timer(loop, &control->pause);
	cql_loop_clear_timer(loop, &control->refresh);
	forget_names(control);
	if (control->is_racing)
		end_tries(control);
	if (control->winner != NULL)
		cql_conn_close(control->winner->conn, "the session is closed");
}
