/* Operations on API keys, and the table of all that run alone. */
#include "store/postgres/pg_sql.h"

enum td_status pg_key_create(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	const struct store_api_key *k = &op->in.key;
	char hash[TD_SHA256_TEXT_SIZE];
	td_hex(k->hash, TD_SHA256_SIZE, hash);
	const char *params[] = {pg_sql_text(&op->arena, k->id), pg_sql_text(&op->arena, k->name),
		hash, pg_sql_time(&op->arena, k->created_at)};
	PGresult *r = NULL;
	enum td_status status = pg_sql_run(l, limit,
		"INSERT INTO api_keys (id, name, hash, created_at) VALUES ($1, $2, decode($3, "
		"'hex'), $4::timestamptz)"
		" ON CONFLICT DO NOTHING RETURNING id",
		params, TD_ARRAY_LEN(params), &r, &op->err);
	if (status == TD_OK && PQntuples(r) == 0)
		status = TD_EXISTS;
	PQclear(r);
	return status;
}

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

enum td_status pg_key_revoke(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op)
{
	const char *params[] = {
		pg_sql_text(&op->arena, op->in.key.id), pg_sql_time(&op->arena, op->now_ms)};
	PGresult *r = NULL;
	enum td_status status = pg_sql_run(l, limit,
		"UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2::timestamptz) WHERE id = "
		"$1 RETURNING id",
		params, 2, &r, &op->err);
	if (status == TD_OK && PQntuples(r) == 0)
		status = TD_NOTFOUND;
	PQclear(r);
	return status;
}

typedef enum td_status single_fn(
	struct pg_lane *l, const struct connect_limit *limit, struct store_op *op);

static single_fn *const singles[STORE_OP_COUNT] = {
	[STORE_KEY_CREATE] = pg_key_create,
	[STORE_KEY_LIST] = pg_key_list,
	[STORE_KEY_REVOKE] = pg_key_revoke,
	[STORE_CATALOGUE_READ] = pg_catalogue_read,
	[STORE_CATALOGUE_POPULATE] = pg_catalogue_populate,
	[STORE_CATALOGUE_APPLY] = pg_catalogue_apply,
};

enum td_status pg_run_single(
	struct pg_lane *l, struct store_op *op, const struct connect_limit *limit)
{
	if (singles[op->kind] == NULL)
		return td_err_set(&op->err, TD_INTERNAL, "PostgreSQL's store has no %s",
			store_op_name(op->kind));
	return singles[op->kind](l, limit, op);
}
