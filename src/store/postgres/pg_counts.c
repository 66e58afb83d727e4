/* What /metrics and /readyz?verbose tell of the store's connections. Any thread. */
#include "store/postgres/pg_store_internal.h"

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

_Static_assert(CONNECT_CLASS_COUNT <= STORE_FAILURES_MOST, "store_connections has a row for each");

void pg_note_open(struct pg_store *s, enum pg_holder holder)
{
	atomic_fetch_add(&s->counts.made, 1);
	atomic_store(&s->counts.open_since_ms[holder], now_ms());
}

void pg_note_closed(struct pg_store *s, enum pg_holder holder)
{
	atomic_store(&s->counts.open_since_ms[holder], 0);
}

void pg_note_failed(struct pg_store *s, enum connect_class class)
{
	atomic_fetch_add(&s->counts.failed[class], 1);
}

static void put_open(struct pg_store *s, struct store_connections *ret)
{
	uint64_t now = now_ms();
	for (unsigned i = 0; i < PG_HOLDERS; i++) {
		uint64_t since_ms = atomic_load(&s->counts.open_since_ms[i]);
		if (since_ms == 0)
			continue;
		int64_t age_ms = now > since_ms ? (int64_t)(now - since_ms) : 0;
		ret->open++;
		if (age_ms > ret->oldest_ms)
			ret->oldest_ms = age_ms;
	}
}

bool pg_get_connections(struct store *store, struct store_connections *ret)
{
	struct pg_store *s = (struct pg_store *)(void *)store;
	struct connect_health health;
	connect_supervisor_get_health(s->supervisor, &health);
	*ret = (struct store_connections){
		.made = atomic_load(&s->counts.made),
		.reconnects = health.reconnects,
		.lost_ms = health.lost_ms,
		.failure_count = CONNECT_CLASS_COUNT,
	};
	put_open(s, ret);
	for (unsigned i = 0; i < CONNECT_CLASS_COUNT; i++)
		ret->failures[i] = (struct store_failures){
			connect_class_name((enum connect_class)i),
			atomic_load(&s->counts.failed[i])};
	return true;
}
