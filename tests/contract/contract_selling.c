#include "contract_selling.h"

#include <string.h>

static struct store_change put_package(const char *id, const char *slug, const char *name)
{
	return (struct store_change){
		.kind = STORE_PUT_PACKAGE,
		.package =
			{
				.id = td_slice_str(id),
				.slug = td_slice_str(slug),
				.name = td_slice_str(name),
				.description = TD_SLICE(""),
				.currency = TD_SLICE("USD"),
				.price_monthly = 2999,
				.price_yearly = 29990,
				.rate_limit_per_hour = 100,
				.rate_limit_per_day = 1000,
				.is_active = true,
			},
	};
}

void selling_make_user(struct contract *c, const char *id)
{
	struct store_op *op = contract_op(STORE_USER_PUT);
	char *email = td_arena_printf(&op->arena, "%s@example.org", id);
	op->in.user = (struct store_user){
		.id = td_slice_str(id),
		.email = td_slice_str(email),
		.first_name = TD_SLICE("Ada"),
		.last_name = TD_SLICE("Lovelace"),
	};
	contract_expect(c->store, op, TD_OK);
}

void selling_prepare(struct contract *c)
{
	const struct store_change changes[] = {
		put_package("p-free", "free", "Free"), put_package("p-team", "team", "Team")};
	struct store_op *op = contract_op(STORE_CATALOGUE_APPLY);
	op->in.changes = changes;
	op->in.change_count = TD_ARRAY_LEN(changes);
	contract_expect(c->store, op, TD_OK);
	selling_make_user(c, "ada");
}

static struct td_slice name(struct store_op *op, const char *id, int64_t version)
{
	return td_slice_str(td_arena_printf(&op->arena, "%s-h%lld", id, (long long)version));
}

static void fill(struct store_op *op, const char *id, const char *user,
	const struct store_subscription *row, const struct store_history *step)
{
	struct store_subscription *s = td_arena_alloc(&op->arena, sizeof(*s));
	struct store_history *h = td_arena_alloc(&op->arena, sizeof(*h));
	assert_true(s != NULL && h != NULL);
	*s = *row;
	*h = *step;
	s->id = h->subscription_id = td_arena_slice(&op->arena, td_slice_str(id));
	s->user_id = h->user_id = td_arena_slice(&op->arena, td_slice_str(user));
	op->in.subscription = s;
	op->in.history = h;
	op->in.history_count = 1;
}

struct store_op *selling_subscribe(const char *id, const char *user)
{
	struct store_op *op = contract_op(STORE_SUBSCRIBE);
	const struct store_subscription row = {
		.package = {.id = TD_SLICE("p-free")},
		.status = STORE_ACTIVE,
		.cycle = STORE_CYCLE_MONTHLY,
		.price = 2999,
		.currency = TD_SLICE("USD"),
		.started_at = op->now_ms,
		.anchor_day = 15,
		.current_period_start = op->now_ms,
		.current_period_end = op->now_ms + 30 * SELLING_DAY,
		.version = 1,
		.created_at = op->now_ms,
		.updated_at = op->now_ms,
	};
	const struct store_history step = {
		.id = name(op, id, 1),
		.action = STORE_ACTION_CREATED,
		.to_package = TD_SLICE("free"),
		.to_cycle = STORE_CYCLE_MONTHLY,
		.has_price = true,
		.price = 2999,
		.currency = TD_SLICE("USD"),
		.actor = TD_SLICE("user"),
		.created_at = op->now_ms,
	};
	fill(op, id, user, &row, &step);
	return op;
}

struct store_op *selling_change(const char *id, const char *user, int64_t version)
{
	struct store_op *op = contract_op(STORE_SUBSCRIPTION_CHANGE);
	const struct store_subscription row = {
		.package = {.id = TD_SLICE("p-team")},
		.status = STORE_ACTIVE,
		.cycle = STORE_CYCLE_YEARLY,
		.price = 29990,
		.currency = TD_SLICE("EUR"),
		.started_at = op->now_ms,
		.anchor_day = 31,
		.current_period_start = op->now_ms + SELLING_DAY,
		.current_period_end = op->now_ms + 366 * SELLING_DAY,
		.version = version + 1,
		.created_at = op->now_ms,
		.updated_at = op->now_ms + SELLING_DAY,
	};
	const struct store_history step = {
		.id = name(op, id, version + 1),
		.action = STORE_ACTION_UPGRADED,
		.from_package = TD_SLICE("free"),
		.to_package = TD_SLICE("team"),
		.from_cycle = STORE_CYCLE_MONTHLY,
		.to_cycle = STORE_CYCLE_YEARLY,
		.has_price = true,
		.price = 29990,
		.currency = TD_SLICE("EUR"),
		.reason = TD_SLICE("grows"),
		.actor = TD_SLICE("user"),
		.created_at = op->now_ms + SELLING_DAY,
	};
	fill(op, id, user, &row, &step);
	op->in.version = version;
	return op;
}

struct store_subscription *selling_row(struct store_op *op)
{
	return (struct store_subscription *)(uintptr_t)op->in.subscription;
}

struct store_op *selling_get(struct contract *c, const char *user)
{
	struct store_op *op = contract_op(STORE_SUBSCRIPTION_GET);
	op->in.user.id = td_slice_str(user);
	return contract_call(c->store, op, TD_OK);
}

struct store_op *selling_history(
	struct contract *c, const char *user, size_t limit, int64_t before_seq)
{
	struct store_op *op = contract_op(STORE_HISTORY_LIST);
	op->in.user.id = td_slice_str(user);
	op->in.limit = limit;
	op->in.before_seq = before_seq;
	return contract_call(c->store, op, TD_OK);
}

void selling_keep(struct store_op *op, const char *key, const char *body)
{
	op->idempotency = td_arena_alloc(&op->arena, sizeof(*op->idempotency));
	assert_non_null(op->idempotency);
	*op->idempotency = (struct store_idempotency){
		.caller = TD_SLICE("key:k1"),
		.route = TD_SLICE("POST /subscribe"),
		.key = td_arena_slice(&op->arena, td_slice_str(key)),
		.expires_at = op->now_ms + SELLING_DAY,
		.on_ok = {201, td_arena_slice(&op->arena, td_slice_str(body)), {NULL, 0}},
	};
	memset(op->idempotency->fingerprint, 7, TD_SHA256_SIZE);
}
