/* API keys. */
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_sql.h"

/* id, name, hash, created_at */
static const enum pg_type create_types[] = {PG_TEXT, PG_TEXT, PG_BYTEA, PG_TIMESTAMPTZ};

static void put_create(struct pg_columns *c, const struct store_op *op)
{
	const struct store_api_key *k = &op->in.key;
	pg_array_put_text(&c->columns[0], k->id);
	pg_array_put_text(&c->columns[1], k->name);
	pg_array_put_bytes(&c->columns[2], k->hash, TD_SHA256_SIZE);
	pg_array_put_int(&c->columns[3], pg_time_from_ms(k->created_at));
}

static void names_create(const struct store_op *op, struct pg_clash *c)
{
	const struct store_api_key *k = &op->in.key;
	pg_clash_put(c, PG_CLASH_KEY_ID, k->id);
	pg_clash_put(c, PG_CLASH_KEY_HASH, td_slice((const char *)k->hash, TD_SHA256_SIZE));
}

/* Nobody else can have made a key with this id and this hash. */
static enum td_status recognise_create(
	struct pg_lane *l, const struct connect_limit *limit, struct pg_task *t, struct td_err *err)
{
	struct store_op *op = t->op;
	char hash[TD_SHA256_TEXT_SIZE];
	td_hex(op->in.key.hash, TD_SHA256_SIZE, hash);
	const char *params[] = {pg_sql_text(&op->arena, op->in.key.id), hash};
	bool ours = false;
	enum td_status status = pg_sql_finds(l, limit,
		"SELECT 1 FROM api_keys WHERE id = $1 AND hash = decode($2, 'hex')", params,
		TD_ARRAY_LEN(params), &ours, err);
	if (ours)
		t->outcome = TD_OK;
	return status;
}

const struct pg_write_kind pg_key_create = {
	.names = names_create,
	.statement = PG_STMT_KEYS_CREATE,
	.types = create_types,
	.columns = TD_ARRAY_LEN(create_types),
	.put = put_create,
	.take = pg_take_ok,
	.absent = TD_EXISTS,
	.recognise = recognise_create,
};

/* id, the time of the operation */
static const enum pg_type revoke_types[] = {PG_TEXT, PG_TIMESTAMPTZ};

static void put_revoke(struct pg_columns *c, const struct store_op *op)
{
	pg_array_put_text(&c->columns[0], op->in.key.id);
	pg_array_put_time(&c->columns[1], op->now_ms);
}

static void names_revoke(const struct store_op *op, struct pg_clash *c)
{
	pg_clash_put(c, PG_CLASH_KEY_ID, op->in.key.id);
}

/* The first time stays, so a repeat changes nothing. */
const struct pg_write_kind pg_key_revoke = {
	.names = names_revoke,
	.statement = PG_STMT_KEYS_REVOKE,
	.types = revoke_types,
	.columns = TD_ARRAY_LEN(revoke_types),
	.put = put_revoke,
	.take = pg_take_ok,
	.absent = TD_NOTFOUND,
};

enum td_status pg_key_list(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	PGresult *r = NULL;
	enum td_status status = pg_sql_run(l, limit,
		"SELECT id, name, hash, created_at, last_used_at, revoked_at FROM api_keys ORDER "
		"BY created_at, id",
		NULL, 0, &r, &op->err);
	int count = status == TD_OK ? PQntuples(r) : 0;
	struct store_api_key *keys = td_arena_array(&op->arena, (size_t)count + 1, sizeof(*keys));
	for (int i = 0; keys != NULL && i < count; i++) {
		keys[i] = (struct store_api_key){
			.id = pg_text(r, i, 0, &op->arena),
			.name = pg_text(r, i, 1, &op->arena),
			.created_at = pg_time(r, i, 3),
			.last_used_at = pg_time(r, i, 4),
			.revoked_at = pg_time(r, i, 5),
		};
		if (PQgetlength(r, i, 2) == TD_SHA256_SIZE)
			memcpy(keys[i].hash, PQgetvalue(r, i, 2), TD_SHA256_SIZE);
	}
	PQclear(r);
	op->out.keys = keys;
	op->out.key_count = (size_t)count;
	return status == TD_OK && op->arena.failed ? TD_NOMEM : status;
}
