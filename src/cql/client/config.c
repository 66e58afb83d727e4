#include "cql/client/config.h"

#include <string.h>

#define NAME_MOST 255

void cql_session_config_init(struct cql_session_config *config)
{
	*config = (struct cql_session_config){
		.version_most = CQL_V5,
		.node_connections = 1,
		.in_flight_most = 2048,
		.waiting_most = 16384,
		.answer_most = 64u << 20,
		.connect_ms = 5000,
		.stagger_ms = 250,
		.request_ms = 12000, /* over the server's own 10 s: its reason is worth more */
		.wait_ms = 1000,
		.heartbeat_ms = 10000,
		.heartbeat_timeout_ms = 4000,
		.backoff_first_ms = 100,
		.backoff_most_ms = 1500,
		.backoff_setting_ms = 10000,
		.refresh_ms = 60000,
		.agreement_ms = 10000,
	};
}

static enum td_status refuse(struct td_err *err, const char *member, const char *range)
{
	return td_err_set(err, TD_INVALID, "%s must be %s", member, range);
}

static enum td_status check_contact_points(const struct cql_session_config *c, struct td_err *err)
{
	if (c->contact_point_count == 0 || c->contact_point_count > CQL_CONTACT_POINTS_MOST)
		return refuse(err, "contact_point_count", "1 to 64");
	if (c->contact_points == NULL)
		return refuse(err, "contact_points", "set");
	for (size_t i = 0; i < c->contact_point_count; i++) {
		const struct cql_contact_point *point = &c->contact_points[i];
		size_t len = point->name != NULL ? strlen(point->name) : 0;
		if (len == 0 || len > NAME_MOST)
			return refuse(err, "the name of a contact point", "1 to 255 bytes long");
		if (point->port == 0)
			return refuse(err, "the port of a contact point", "1 to 65535");
	}
	return TD_OK;
}

static enum td_status check_numbers(const struct cql_session_config *c, struct td_err *err)
{
	if (c->version_most != CQL_V4 && c->version_most != CQL_V5)
		return refuse(err, "version_most", "CQL_V4 or CQL_V5");
	if (c->node_connections == 0 || c->node_connections > CQL_NODE_CONNECTIONS_MOST)
		return refuse(err, "node_connections", "1 to 8");
	if (c->in_flight_most == 0 || c->in_flight_most > 30000)
		return refuse(err, "in_flight_most", "1 to 30000");
	if (c->answer_most < 1024 || c->answer_most > CQL_BODY_MOST)
		return refuse(err, "answer_most", "1024 bytes to 256 MiB");
	return TD_OK;
}

static enum td_status check_times(const struct cql_session_config *c, struct td_err *err)
{
	const struct {
		const char *member;
		unsigned ms;
	} times[] = {{"connect_ms", c->connect_ms}, {"request_ms", c->request_ms},
		{"heartbeat_ms", c->heartbeat_ms},
		{"heartbeat_timeout_ms", c->heartbeat_timeout_ms},
		{"backoff_first_ms", c->backoff_first_ms}, {"refresh_ms", c->refresh_ms}};
	for (size_t i = 0; i < TD_ARRAY_LEN(times); i++) {
		if (times[i].ms == 0)
			return refuse(err, times[i].member, "at least 1");
	}
	if (c->backoff_most_ms < c->backoff_first_ms)
		return refuse(err, "backoff_most_ms", "backoff_first_ms or more");
	if (c->backoff_setting_ms < c->backoff_first_ms)
		return refuse(err, "backoff_setting_ms", "backoff_first_ms or more");
	return TD_OK;
}

static enum td_status check_texts(const struct cql_session_config *c, struct td_err *err)
{
	size_t dc = c->local_dc != NULL ? strlen(c->local_dc) : 1;
	if (dc == 0 || dc > NAME_MOST)
		return refuse(err, "local_dc", "1 to 255 bytes long, or NULL");
	size_t name = c->tls_name != NULL ? strlen(c->tls_name) : 1;
	if (name == 0 || name > NAME_MOST)
		return refuse(err, "tls_name", "1 to 255 bytes long, or NULL");
	if (c->keyspace != NULL && c->keyspace[0] == '\0')
		return refuse(err, "keyspace", "a name, or NULL");
	if ((c->username == NULL) != (c->password == NULL))
		return refuse(err, "username and password", "both set, or none of them");
	return TD_OK;
}

static enum td_status check(const struct cql_session_config *c, struct td_err *err)
{
	enum td_status status = check_contact_points(c, err);
	if (status == TD_OK)
		status = check_numbers(c, err);
	if (status == TD_OK)
		status = check_times(c, err);
	return status == TD_OK ? check_texts(c, err) : status;
}

static const char *copy_text(struct td_arena *arena, const char *text)
{
	return text != NULL ? td_arena_strndup(arena, text, strlen(text)) : NULL;
}

static void copy_all(struct cql_config *to, const struct cql_session_config *from)
{
	struct td_arena *arena = &to->arena;
	to->set = *from;
	to->set.username = copy_text(arena, from->username);
	to->set.password = copy_text(arena, from->password);
	to->set.keyspace = copy_text(arena, from->keyspace);
	to->set.tls_name = copy_text(arena, from->tls_name);
	to->set.local_dc = copy_text(arena, from->local_dc);
	struct cql_contact_point *points = td_arena_array(
		arena, from->contact_point_count, sizeof(*points));
	for (size_t i = 0; points != NULL && i < from->contact_point_count; i++) {
		points[i] = from->contact_points[i];
		points[i].name = copy_text(arena, from->contact_points[i].name);
	}
	to->set.contact_points = points;
}

enum td_status cql_config_copy(
	struct cql_config *to, const struct cql_session_config *from, struct td_err *err)
{
	*to = (struct cql_config){.arena = TD_ARENA_INIT};
	enum td_status status = check(from, err);
	if (status != TD_OK)
		return status;
	copy_all(to, from);
	if (to->arena.failed)
		return td_err_set(err, TD_NOMEM, "no memory for a session's configuration");
	return TD_OK;
}

void cql_config_done(struct cql_config *config)
{
	const char *password = config->set.password;
	if (password != NULL)
		explicit_bzero((char *)(uintptr_t)password, strlen(password));
	td_arena_done(&config->arena);
}
