/* Which operations may share a transaction: each name (an id, an address, a key) stands in it once.
 * Names are compared as keyed hashes, so that a batch costs no more than its length. */
#include "store/postgres/pg_write.h"

#include <sodium.h>

/* More than twice what a batch can hold, a power of two. */
#define SLOTS 4096
_Static_assert(SLOTS > 2 * PG_BATCH_LIMIT * PG_CLASHES_MOST, "the table never fills up");
_Static_assert(crypto_shorthash_KEYBYTES == 2 * sizeof(uint64_t), "a secret and what came before");
_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "a number");

/* A chain: each part is hashed under the store's secret and the number of what came before. */
static uint64_t follow(const struct pg_clash *c, uint64_t before, struct td_slice part)
{
	unsigned char key[crypto_shorthash_KEYBYTES];
	uint64_t number;
	memcpy(key, c->secret, sizeof(number));
	memcpy(key + sizeof(number), &before, sizeof(before));
	(void)crypto_shorthash(
		(unsigned char *)&number, (const unsigned char *)part.ptr, part.len, key);
	return number;
}

static void add(struct pg_clash *c, uint64_t number)
{
	td_assert(c->count < PG_CLASHES_MOST);
	c->numbers[c->count++] = number | 1; /* 0 is an empty slot */
}

void pg_clash_put(struct pg_clash *c, enum pg_clash_space space, struct td_slice text)
{
	add(c, follow(c, (uint64_t)space, text));
}

void pg_clash_put_nocase(struct pg_clash *c, enum pg_clash_space space, struct td_slice text)
{
	char lower[256];
	size_t len = text.len < sizeof(lower) ? text.len : sizeof(lower);
	for (size_t i = 0; i < len; i++)
		lower[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] | 0x20)
								    : text.ptr[i];
	pg_clash_put(c, space, td_slice(lower, len));
}

static void put_answer(struct pg_clash *c, const struct store_idempotency *k)
{
	uint64_t number = follow(c, PG_CLASH_ANSWER, k->caller);
	add(c, follow(c, follow(c, number, k->route), k->key));
}

static struct pg_clash names_of(const struct pg_store *s, const struct pg_task *t)
{
	struct pg_clash c = {.secret = s->clash_secret};
	const struct pg_write_kind *kind = pg_write_kind(t->op->kind);
	if (kind->names != NULL)
		kind->names(t->op, &c);
	if (kind->run != NULL)
		pg_clash_put(&c, PG_CLASH_SINGLE, TD_SLICE(""));
	if (t->op->idempotency != NULL)
		put_answer(&c, t->op->idempotency);
	return c;
}

/* False where it was there already. */
static bool enter(uint64_t slots[SLOTS], uint64_t number)
{
	size_t at = (size_t)(number >> 8) % SLOTS;
	while (slots[at] != 0 && slots[at] != number)
		at = (at + 1) % SLOTS;
	bool is_new = slots[at] == 0;
	slots[at] = number;
	return is_new;
}

/* The names of one that has to wait are entered too: who comes behind it waits as well. */
static bool enter_all(uint64_t slots[SLOTS], const struct pg_clash *c)
{
	bool fits = true;
	for (size_t i = 0; i < c->count; i++)
		fits = enter(slots, c->numbers[i]) && fits;
	return fits;
}

static bool is_single(const struct pg_task *t)
{
	return pg_write_kind(t->op->kind)->run != NULL;
}

static bool enter_task(const struct pg_store *s, uint64_t slots[SLOTS], const struct pg_task *t)
{
	struct pg_clash c = names_of(s, t);
	return enter_all(slots, &c);
}

/* The tasks between stay in their order. */
static void move(struct pg_task *tasks, size_t from, size_t to)
{
	struct pg_task task = tasks[from];
	memmove(&tasks[to + 1], &tasks[to], (from - to) * sizeof(tasks[0]));
	tasks[to] = task;
}

size_t pg_clash_pick(const struct pg_store *s, struct pg_task *tasks, size_t count)
{
	uint64_t slots[SLOTS] = {0};
	size_t picked = 0;
	for (size_t i = 0; i < count; i++) {
		if (tasks[i].op->tried.blocked)
			(void)enter_task(s, slots, &tasks[i]);
	}
	for (size_t i = 0; i < count; i++) {
		bool single = is_single(&tasks[i]);
		if (tasks[i].op->tried.blocked || !enter_task(s, slots, &tasks[i]) ||
			(single && picked > 0))
			continue;
		move(tasks, i, picked++);
		if (single)
			break;
	}
	return picked;
}
