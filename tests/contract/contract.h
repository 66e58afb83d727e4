/* One suite that every store must pass. A store's program gives a factory and runs the groups that
 * fit it. Each test has a fresh database of its own. */
#ifndef TD_TESTS_CONTRACT_CONTRACT_H
#define TD_TESTS_CONTRACT_CONTRACT_H

#include "td_test.h"

#include "base/alloc.h"
#include "store/store.h"
#include "work/ticker.h"

struct contract_factory {
	const char *name;
	void *(*make)(void); /* a fresh, empty, migrated database */
	void (*destroy)(void *db);
	/* Another handle on it, as another process would have; the small one has queues of 8. */
	struct store *(*open)(void *db, bool small);
	void (*exec)(void *db, const char *sql); /* by another client */
	void (*hold)(void *db); /* another client takes the lock that stops writes */
	void (*let_go)(void *db);
	const char *price;      /* how its table writes 49.99 */
	const char *far_future; /* moves the end of every period behind the year 9999 */
	bool lock_is_down;      /* its health tells of the lock of hold() */
	bool late_is_never;     /* what timed out while its batch ran is not committed later */
};

/* What a test gets as its state. */
struct contract {
	const struct contract_factory *factory;
	void *db;
	struct store *store;
	struct td_ticker *ticker;
};

#define CONTRACT_NOW INT64_C(1800000000000)

/* Set before the groups run. */
extern const struct contract_factory *contract_factory;

int contract_setup(void **state);
int contract_teardown(void **state);
#define CONTRACT_TEST(fn) cmocka_unit_test_setup_teardown(fn, contract_setup, contract_teardown)

/* Opens another handle whose deadlines are watched; contract_close() closes it. */
struct store *contract_open(struct contract *c, bool small);
void contract_close(struct contract *c, struct store *store);

/* A fresh operation with ten seconds to live. */
struct store_op *contract_op(enum store_op_kind kind);

/* Calls and frees; the outcome must be `expected`. */
void contract_expect(struct store *store, struct store_op *op, enum td_status expected);

/* Calls, and gives the operation back to be looked at. */
struct store_op *contract_call(struct store *store, struct store_op *op, enum td_status expected);

struct store_op *contract_put_user(const char *id, const char *email);

/* A key that exists already in the database. */
void contract_make_key(struct store *store, const char *id, uint8_t seed);
void contract_use_key(struct store_op *op, uint8_t seed);

/* Operations that are submitted together and waited for. */
struct contract_crowd;
struct contract_crowd *crowd_new(size_t count);
/* Takes the operation in any case; what was not accepted has its outcome at once. */
void crowd_submit(struct contract_crowd *crowd, struct store *store, struct store_op *op);
/* Until all are answered; false: not within the time. */
bool crowd_wait(struct contract_crowd *crowd, unsigned ms);
size_t crowd_count(struct contract_crowd *crowd, enum td_status status);
/* Waits until all are released, too. */
void crowd_free(struct contract_crowd *crowd);

/* True as soon as `is_so` is, false after the time. */
bool contract_poll(bool (*is_so)(void *ctx), void *ctx, unsigned ms);

int contract_run_users(void);
int contract_run_keys(void);
int contract_run_answers(void);
int contract_run_catalogue(void);
int contract_run_content(void);
int contract_run_crowds(void);
int contract_run_subscriptions(void);
int contract_run_login(void);

#endif
