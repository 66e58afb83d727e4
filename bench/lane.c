/* lane DATABASE MILLISECONDS [WAITING]: DATABASE is a file of SQLite or a migrated postgresql://…;
 * users written through the store's port, with WAITING
 * (default 64) operations under way all the time and a key to be checked with each, as the API does
 * it. No HTTP: what is measured is the lane and the store alone. */
#include "bare.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "connect/url.h"
#include "store/postgres/store_postgres.h"
#include "store/sqlite/store_sqlite.h"
#include "store/store.h"
#include "timing.h"
#include "work/lock.h"
#include "work/ticker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TEXT "td_a key that only this program knows"

static struct {
	struct store *store;
	uint8_t key_hash[TD_SHA256_SIZE];
	struct td_lock lock;
	struct td_cond changed;
	struct store_op *released; /* guarded by lock; a chain through `owner` */
	uint64_t done;             /* guarded by lock */
	uint64_t failed;           /* guarded by lock */
	uint64_t random;
} bench;

static _Noreturn void fail(const char *what, const struct td_err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->text);
	exit(1);
}

static void count_done(struct store_op *op, enum td_status status)
{
	op->err.code = status;
}

static void take_back(struct store_op *op)
{
	td_lock_take(&bench.lock);
	if (op->err.code == TD_OK)
		bench.done++;
	else
		bench.failed++;
	bool first = bench.released == NULL;
	op->owner = bench.released;
	bench.released = op;
	if (first)
		td_cond_wake_one(&bench.changed);
	td_lock_give(&bench.lock);
}

static struct td_slice print(struct td_arena *arena, const char *format, uint64_t number)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "u%016" PRIx64 "%s", number, format);
	return td_arena_slice(arena, td_slice(text, (size_t)len));
}

static void submit_user(void)
{
	struct store_op *op = store_op_new(STORE_USER_PUT);
	if (op == NULL) {
		fputs("no memory\n", stderr);
		exit(1);
	}
	uint64_t number = timing_random(&bench.random);
	op->now_ms = td_clock_wall_ms(&td_clock_system);
	op->deadline_ms = td_clock_mono_ms(&td_clock_system) + 10000;
	op->auth.kind = STORE_AUTH_KEY;
	memcpy(op->auth.hash, bench.key_hash, sizeof(bench.key_hash));
	op->in.user.id = print(&op->arena, "", number);
	op->in.user.email = print(&op->arena, "@example.com", number);
	op->in.user.first_name = TD_SLICE("Ada");
	op->in.user.last_name = TD_SLICE("Lovelace");
	op->in.user.company = TD_SLICE("Analytical Engines");
	op->done = count_done;
	op->release = take_back;
	enum td_status status = store_submit(bench.store, op);
	if (status != TD_OK) {
		fprintf(stderr, "store_submit: %s\n", td_status_name(status));
		exit(1);
	}
}

/* Gives back what the store let go of and puts as many in again. */
static size_t turn_over(bool again)
{
	td_lock_take(&bench.lock);
	while (bench.released == NULL)
		td_cond_wait(&bench.changed, &bench.lock);
	struct store_op *chain = bench.released;
	bench.released = NULL;
	td_lock_give(&bench.lock);
	size_t count = 0;
	while (chain != NULL) {
		struct store_op *next = chain->owner;
		store_op_free(chain);
		if (again)
			submit_user();
		chain = next;
		count++;
	}
	return count;
}

static void make_key(void)
{
	struct td_err err = TD_ERR_INIT;
	struct store_op *op = store_op_new(STORE_KEY_CREATE);
	if (op == NULL) {
		fputs("no memory\n", stderr);
		exit(1);
	}
	td_sha256(TD_SLICE(KEY_TEXT), bench.key_hash);
	op->now_ms = td_clock_wall_ms(&td_clock_system);
	op->deadline_ms = td_clock_mono_ms(&td_clock_system) + 10000;
	op->in.key.id = TD_SLICE("bench-lane");
	op->in.key.name = TD_SLICE("bench");
	op->in.key.created_at = op->now_ms;
	memcpy(op->in.key.hash, bench.key_hash, sizeof(bench.key_hash));
	enum td_status status = store_call(bench.store, &op, &err);
	if (status != TD_OK && status != TD_EXISTS)
		fail("make a key", &err);
	store_op_free(op);
}

/* Counts of the lane that had most batches: the one that writes. */
static void read_stats(void *ctx, struct lane *lane)
{
	struct lane_stats *stats = ctx, of_lane;
	lane_get_stats(lane, &of_lane);
	if (of_lane.batches >= stats->batches)
		*stats = of_lane;
}

static void run(double seconds, uint64_t waiting)
{
	struct lane_stats before = {0}, after = {0};
	store_each_lane(bench.store, read_stats, &before);
	double cpu = timing_cpu(), from = timing_now(), now = from;
	for (uint64_t i = 0; i < waiting; i++)
		submit_user();
	uint64_t done = 0;
	while (now < from + seconds) {
		done += turn_over(/* again= */ true);
		now = timing_now();
	}
	cpu = timing_cpu() - cpu;
	store_each_lane(bench.store, read_stats, &after);
	for (uint64_t left = waiting; left > 0;)
		left -= turn_over(/* again= */ false);
	double batches = (double)(after.batches - before.batches);
	printf("{\"done\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f, \"errors\": %" PRIu64
	       ", \"batch\": %.1f}\n",
		done, now - from, cpu, bench.failed,
		(double)(after.finished - before.finished) / (batches > 0 ? batches : 1));
}

/* ---- PostgreSQL, of whose connecting nothing is told
 * -------------------------------------------------------- */

static void tell_nothing(void *ctx)
{
	(void)ctx;
}

static void on_start_failed(void *ctx, int64_t number, int64_t of,
	const struct connect_failures *failures, int64_t wait_ms)
{
	(void)ctx;
	(void)number;
	(void)of;
	(void)failures;
	(void)wait_ms;
}

static void on_gave_up(
	void *ctx, int64_t attempts, int64_t passed_ms, const struct connect_failures *failures)
{
	(void)ctx;
	(void)attempts;
	(void)passed_ms;
	fprintf(stderr, "%s\n", connect_failures_worst(failures)->reason);
}

static void on_up(void *ctx, bool again, int64_t away_ms)
{
	(void)ctx;
	(void)again;
	(void)away_ms;
}

static void on_lost(void *ctx, const struct connect_failures *failures)
{
	(void)ctx;
	fprintf(stderr, "%s\n", connect_failures_worst(failures)->reason);
}

static void on_still_down(void *ctx, int64_t away_ms, const struct connect_failures *failures)
{
	(void)away_ms;
	on_lost(ctx, failures);
}

static void on_refused(void *ctx, const struct td_err *err)
{
	(void)ctx;
	fprintf(stderr, "%s\n", err->text);
}

static void open_postgres(const char *url, struct td_arena *arena)
{
	struct td_err err = TD_ERR_INIT;
	struct store_postgres_config config = {
		.application = "tools-dashboard bench",
		.clock = &td_clock_system,
		.connect_timeout_ms = 5000,
		.store_timeout_ms = 10000,
		.observer = {.connecting = tell_nothing,
			.start_failed = on_start_failed,
			.gave_up = on_gave_up,
			.up = on_up,
			.lost = on_lost,
			.still_down = on_still_down,
			.refused = on_refused},
	};
	if (connect_url_parse(td_slice_str(url), "", 5432, arena, &config.url, &err) != TD_OK ||
		store_postgres_create(&config, &bench.store, &err) != TD_OK)
		fail("PostgreSQL", &err);
	if (store_postgres_wait(bench.store) != TD_OK)
		exit(1);
}

static void open_sqlite(const char *path)
{
	struct td_err err = TD_ERR_INIT;
	struct store_sqlite_config config = {
		.path = path,
		.clock = &td_clock_system,
		.migrate = true,
	};
	if (store_sqlite_open(&config, &bench.store, &err) != TD_OK)
		fail(path, &err);
}

int main(int argc, char **argv)
{
	double seconds = (double)bare_number(argc, argv, 2, "MILLISECONDS", 600000) / 1e3;
	uint64_t waiting = argc > 3 ? bare_number(argc, argv, 3, "WAITING", 4096) : 64;
	struct td_err err = TD_ERR_INIT;
	struct td_arena arena = TD_ARENA_INIT;
	struct td_ticker *ticker = NULL;
	td_lock_init(&bench.lock);
	td_cond_init(&bench.changed);
	bench.random = td_clock_mono_ns() | 1;
	if (td_slice_has_prefix(td_slice_str(argv[1]), "postgresql:"))
		open_postgres(argv[1], &arena);
	else
		open_sqlite(argv[1]);
	if (td_ticker_create(/* period_ms= */ 100, &ticker, &err) != TD_OK ||
		td_ticker_add(ticker, store_expire, bench.store, &err) != TD_OK)
		fail("ticker", &err);
	make_key();
	run(seconds, waiting);
	td_ticker_destroy(ticker);
	store_destroy(bench.store);
	td_arena_done(&arena);
	td_cond_done(&bench.changed);
	td_lock_done(&bench.lock);
	return bench.failed == 0 ? 0 : 1;
}
