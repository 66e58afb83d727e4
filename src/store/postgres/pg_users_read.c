/* Reading users. */
#include "store/postgres/pg_read.h"

struct td_slice pg_key_user_id(struct store_op *op)
{
	return op->in.user.id;
}

struct td_slice pg_key_email(struct store_op *op)
{
	struct td_slice text = op->in.user.email;
	char *at = td_arena_strndup(&op->arena, text.ptr, text.len);
	if (at == NULL)
		return text;
	for (size_t i = 0; i < text.len; i++) {
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] = (char)(at[i] | 0x20);
	}
	return td_slice(at, text.len);
}

static void give_by_id(struct pg_store *s, const PGresult *r, int row, struct pg_task *t)
{
	t->outcome = pg_user(s, r, row, 0, &t->op->arena, &t->op->out.user);
}

static void give_by_email(struct pg_store *s, const PGresult *r, int row, struct pg_task *t)
{
	t->outcome = pg_user(s, r, row, 1, &t->op->arena, &t->op->out.user);
}

const struct pg_read_kind pg_user_get = {
	.statement = PG_STMT_USERS_BY_ID,
	.key_type = PG_TEXT,
	.key = pg_key_user_id,
	.give = give_by_id,
	.absent = TD_NOTFOUND,
};

const struct pg_read_kind pg_user_by_email = {
	.statement = PG_STMT_USERS_BY_EMAIL,
	.key_type = PG_TEXT,
	.key = pg_key_email,
	.give = give_by_email,
	.absent = TD_NOTFOUND,
};
