/* What has to be there before the lock is: the keyspace, and the lock's own table. Two first starts
 * may make them at once. */
#include "store/cassandra/cas_internal.h"

#include "base/digest.h"

#include <stdio.h>

#define LOOK_MS  10000
#define AGREE_MS 30000

static enum td_status has_keyspace(
	struct cas_store *s, struct cql_session *session, bool *ret_has, struct td_err *err)
{
	struct cas_call call;
	struct td_slice cell;
	cas_call_init(&call, s,
		"SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?",
		CQL_LOCAL_ONE);
	call.query.is_idempotent = true;
	cas_bind_text(&call, td_slice_str(s->config.keyspace));
	enum td_status status = cas_call_run(&call, s, session, LOOK_MS, err);
	*ret_has = status == TD_OK && cas_call_row(&call, &cell, 1);
	cas_call_done(&call);
	return status;
}

enum td_status cas_has_table(struct cas_store *s, struct cql_session *session, const char *table,
	bool *ret_has, struct td_err *err)
{
	struct cas_call call;
	struct td_slice cell;
	cas_call_init(&call, s,
		"SELECT table_name FROM system_schema.tables"
		" WHERE keyspace_name = ? AND table_name = ?",
		CQL_LOCAL_ONE);
	call.query.is_idempotent = true;
	cas_bind_text(&call, td_slice_str(s->config.keyspace));
	cas_bind_text(&call, td_slice_str(table));
	enum td_status status = cas_call_run(&call, s, session, LOOK_MS, err);
	*ret_has = status == TD_OK && cas_call_row(&call, &cell, 1);
	cas_call_done(&call);
	return status;
}

/* A node that another process's keyspace has not come to yet: what nodes know of each other's
 * schema is a little old. */
static bool is_without_keyspace(const struct cas_call *call)
{
	const struct cql_error *error = call->response.answer.error;
	return error != NULL && td_slice_has_prefix(error->message, "Keyspace ") &&
	       memmem(error->message.ptr, error->message.len, "exist", 5) != NULL;
}

enum td_status cas_change_schema(struct cas_store *s, struct cql_session *session,
	struct td_slice statement, struct td_err *err)
{
	struct cas_call call;
	/* A change on top of one that not all nodes have may be lost, or break a table. */
	enum td_status status = cql_session_agree(session, AGREE_MS, err);
	if (status != TD_OK)
		return status;
	cas_call_init(&call, s, "", CQL_QUORUM);
	call.query.text = statement;
	call.query.is_idempotent = true;
	status = cas_call_run(&call, s, session, CAS_DDL_MS, err);
	/* Another process has made it at the same time. */
	if (status == TD_EXISTS)
		status = TD_OK;
	if (status == TD_INVALID && is_without_keyspace(&call))
		status = td_err_set(err, TD_UNAVAILABLE, "%s", err != NULL ? err->text : "");
	cas_call_done(&call);
	return status == TD_OK ? cql_session_agree(session, AGREE_MS, err) : status;
}

/* The words of the contract for the default: so many in the data centre that we are in. */
static const char *replication_of(
	const struct cas_store *s, struct cql_session *session, struct td_arena *arena)
{
	struct cql_session_state state;
	struct td_buf name = TD_BUF_INIT;
	if (s->config.replication != NULL)
		return s->config.replication;
	cql_session_state(session, &state);
	for (const char *c = state.local_dc; *c != '\0'; c++) {
		td_buf_put_char(&name, *c);
		if (*c == '\'')
			td_buf_put_char(&name, *c);
	}
	const char *quoted = td_buf_cstr(&name);
	const char *map = quoted == NULL ? NULL
					 : td_arena_printf(arena,
						   "{'class': 'NetworkTopologyStrategy', '%s': %u}",
						   quoted, s->config.replication_factor);
	td_buf_done(&name);
	return map;
}

static enum td_status make_keyspace(
	struct cas_store *s, struct cql_session *session, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	enum td_status status = TD_NOMEM;
	const char *replication = replication_of(s, session, &arena);
	const char *statement = replication == NULL ? NULL
						    : td_arena_printf(&arena,
							      "CREATE KEYSPACE IF NOT EXISTS \"%s\""
							      " WITH replication = %s",
							      s->config.keyspace, replication);
	if (statement == NULL)
		(void)td_err_set(err, TD_NOMEM, "no memory for the keyspace");
	else
		status = cas_change_schema(s, session, td_slice_str(statement), err);
	if (status == TD_SCHEMA || status == TD_INVALID)
		status = td_err_set(err, TD_INVALID,
			"CASSANDRA_REPLICATION: the keyspace cannot be made with %.200s: %.200s",
			replication, err != NULL ? err->text : "");
	td_arena_done(&arena);
	return status;
}

/* Tables are told apart by an identifier, which a node makes up. Two nodes that make the same table
 * at once would make two, and the data of one of them would be lost; so this one has its identifier
 * from the keyspace's name. All others are made under the lock. */
static void put_lock_id(const struct cas_store *s, char out[TD_UUID_TEXT_SIZE])
{
	uint8_t digest[TD_SHA256_SIZE];
	char text[128], hex[TD_SHA256_TEXT_SIZE];
	(void)snprintf(text, sizeof(text), "%s.schema_lock", s->config.keyspace);
	td_sha256(td_slice_str(text), digest);
	digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x50); /* a UUID made of a name */
	digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
	td_hex(digest, TD_SHA256_SIZE, hex);
	(void)snprintf(out, TD_UUID_TEXT_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		hex + 16, hex + 20);
}

static enum td_status make_lock_table(
	struct cas_store *s, struct cql_session *session, struct td_err *err)
{
	char text[400], id[TD_UUID_TEXT_SIZE];
	put_lock_id(s, id);
	(void)snprintf(text, sizeof(text),
		"CREATE TABLE IF NOT EXISTS \"%s\".schema_lock"
		" (name text PRIMARY KEY, owner text, holder text, taken_at timestamp)"
		" WITH id = %s AND gc_grace_seconds = 3600",
		s->config.keyspace, id);
	return cas_change_schema(s, session, td_slice_str(text), err);
}

enum td_status cas_keyspace_make(
	struct cas_store *s, struct cql_session *session, struct td_err *err)
{
	bool has = false;
	enum td_status status = has_keyspace(s, session, &has, err);
	if (status == TD_OK && !has)
		status = make_keyspace(s, session, err);
	if (status == TD_OK)
		status = cas_has_table(s, session, "schema_lock", &has, err);
	if (status == TD_OK && !has)
		status = make_lock_table(s, session, err);
	if (status == TD_DENIED)
		(void)td_err_context(err,
			"CASSANDRA_USER may not make the keyspace; as a superuser run GRANT CREATE "
			"ON ALL KEYSPACES TO that role, or make the keyspace %s yourself",
			s->config.keyspace);
	return status;
}
