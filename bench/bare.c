#include "bare.h"

#include "timing.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

struct bare {
	sqlite3 *db;
	sqlite3_stmt *begin, *insert, *subscribe, *tell, *commit;
	uint64_t random;
};

static _Noreturn void fail(struct bare *bare, const char *what)
{
	fprintf(stderr, "%s: %s\n", what,
		bare->db != NULL ? sqlite3_errmsg(bare->db) : "no memory");
	exit(1);
}

static sqlite3_stmt *prepare(struct bare *bare, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v3(bare->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
		SQLITE_OK)
		fail(bare, sql);
	return stmt;
}

struct bare *bare_open(const char *path)
{
	struct bare *bare = calloc(1, sizeof(*bare));
	if (bare == NULL || getrandom(&bare->random, sizeof(bare->random), 0) < 0) {
		fputs("no memory\n", stderr);
		exit(1);
	}
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	if (sqlite3_open_v2(path, &bare->db, flags, NULL) != SQLITE_OK)
		fail(bare, path);
	static const char pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				      "PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=4000";
	if (sqlite3_exec(bare->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
		fail(bare, pragmas);
	bare->begin = prepare(bare, "BEGIN IMMEDIATE");
	bare->insert = prepare(bare,
		"INSERT INTO users (id, email, first_name, last_name, company, created_at, "
		"updated_at)"
		" VALUES (?1, ?2, 'Ada', 'Lovelace', 'Analytical Engines', ?3, ?3)");
	bare->subscribe = prepare(bare,
		"INSERT INTO user_subscriptions (id, user_id, package_id, status, billing_cycle, "
		"price, currency, started_at, anchor_day, current_period_start, "
		"current_period_end, version, created_at, updated_at)"
		" SELECT ?1, ?2, id, 'active', 'monthly', price_monthly, currency, ?3, 15, ?3, "
		"?3 + 2592000000, 1, ?3, ?3 FROM subscription_packages WHERE slug = 'standard'");
	bare->tell = prepare(bare,
		"INSERT INTO subscription_history (id, subscription_id, user_id, action, "
		"to_package, to_cycle, price, currency, actor, created_at)"
		" VALUES (?1, ?2, ?3, 'created', 'standard', 'monthly', 2999, 'USD', 'api:bench', "
		"?4)");
	bare->commit = prepare(bare, "COMMIT");
	return bare;
}

void bare_close(struct bare *bare)
{
	sqlite3_finalize(bare->begin);
	sqlite3_finalize(bare->insert);
	sqlite3_finalize(bare->subscribe);
	sqlite3_finalize(bare->tell);
	sqlite3_finalize(bare->commit);
	sqlite3_close(bare->db);
	free(bare);
}

static void run(struct bare *bare, sqlite3_stmt *stmt)
{
	if (sqlite3_step(stmt) != SQLITE_DONE)
		fail(bare, sqlite3_sql(stmt));
	sqlite3_reset(stmt);
}

void bare_begin(struct bare *bare)
{
	run(bare, bare->begin);
}

void bare_commit(struct bare *bare)
{
	run(bare, bare->commit);
}

void bare_insert(struct bare *bare)
{
	char id[32], email[64];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int id_size = snprintf(id, sizeof(id), "u%016" PRIx64, timing_random(&bare->random));
	int email_size = snprintf(email, sizeof(email), "%s@example.com", id);
	sqlite3_bind_text(bare->insert, 1, id, id_size, SQLITE_STATIC);
	sqlite3_bind_text(bare->insert, 2, email, email_size, SQLITE_STATIC);
	sqlite3_bind_int64(bare->insert, 3, now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000);
	run(bare, bare->insert);
}

/* As long as a UUID, and as random. */
static int print_id(struct bare *bare, char out[40])
{
	return snprintf(out, 40, "%016" PRIx64 "-%016" PRIx64 "-0a", timing_random(&bare->random),
		timing_random(&bare->random));
}

void bare_subscribe(struct bare *bare, uint64_t user)
{
	char id[40], told[40], user_id[32];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t now_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
	int id_size = print_id(bare, id), told_size = print_id(bare, told);
	int user_size = snprintf(user_id, sizeof(user_id), "u%" PRIu64, user);
	sqlite3_bind_text(bare->subscribe, 1, id, id_size, SQLITE_STATIC);
	sqlite3_bind_text(bare->subscribe, 2, user_id, user_size, SQLITE_STATIC);
	sqlite3_bind_int64(bare->subscribe, 3, now_ms);
	run(bare, bare->subscribe);
	sqlite3_bind_text(bare->tell, 1, told, told_size, SQLITE_STATIC);
	sqlite3_bind_text(bare->tell, 2, id, id_size, SQLITE_STATIC);
	sqlite3_bind_text(bare->tell, 3, user_id, user_size, SQLITE_STATIC);
	sqlite3_bind_int64(bare->tell, 4, now_ms);
	run(bare, bare->tell);
}

uint64_t bare_number(int argc, char **argv, int index, const char *name, uint64_t max)
{
	char *end = NULL;
	errno = 0;
	unsigned long long number = index < argc ? strtoull(argv[index], &end, 10) : 0;
	if (index >= argc || errno != 0 || *end != '\0' || number < 1 || number > max) {
		fprintf(stderr, "%s: %s must be a number from 1 to %" PRIu64 "\n", argv[0], name,
			max);
		exit(2);
	}
	return number;
}
