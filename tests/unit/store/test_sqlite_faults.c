/* A disk and a memory that fail at the n-th call, for every n: what was answered OK is there, what
 * was not is not, and afterwards the store goes on. */
#include "sqlite_fixture.h"

#include "base/alloc.h"
#include "wait_until.h"
#include "work/lock.h"

#include <stdatomic.h>

/* ---- faults */

static struct {
	_Atomic int left;   /* calls until it fails; 0: it does not */
	_Atomic bool stays; /* from then on every call fails */
	_Atomic bool hit;
	_Atomic int rc;
} disk, memory;

static bool is_faulty(_Atomic int *left, _Atomic bool *stays, _Atomic bool *hit)
{
	if (atomic_load(hit) && atomic_load(stays))
		return true;
	if (atomic_load(left) == 0 || atomic_fetch_sub(left, 1) != 1)
		return false;
	atomic_store(hit, true);
	return true;
}

static bool disk_fails(void)
{
	return is_faulty(&disk.left, &disk.stays, &disk.hit);
}

static sqlite3_vfs *real_vfs, faulty_vfs;
static const sqlite3_io_methods *real_methods; /* of any file: they write and sync alike */

/* A database and its WAL have tables that differ in how they lock. */
static struct {
	const sqlite3_io_methods *real;
	sqlite3_io_methods faulty;
} tables[4];

static int faulty_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	if (atomic_load(&disk.rc) != SQLITE_IOERR_FSYNC && disk_fails())
		return atomic_load(&disk.rc);
	return real_methods->xWrite(file, bytes, len, at);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	if (atomic_load(&disk.rc) == SQLITE_IOERR_FSYNC && disk_fails())
		return SQLITE_IOERR_FSYNC;
	return real_methods->xSync(file, flags);
}

static int faulty_open(
	sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *ret_flags)
{
	(void)vfs;
	int rc = real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);
	if (rc != SQLITE_OK || file->pMethods == NULL)
		return rc;
	if (real_methods == NULL)
		real_methods = file->pMethods;
	size_t i = 0;
	while (tables[i].real != NULL && tables[i].real != file->pMethods)
		assert_true(++i < TD_ARRAY_LEN(tables));
	if (tables[i].real == NULL) {
		tables[i].real = file->pMethods;
		tables[i].faulty = *file->pMethods;
		tables[i].faulty.xWrite = faulty_write;
		tables[i].faulty.xSync = faulty_sync;
	}
	file->pMethods = &tables[i].faulty;
	return rc;
}

static sqlite3_mem_methods real_memory;

static bool memory_fails(void)
{
	return is_faulty(&memory.left, &memory.stays, &memory.hit);
}

static void *faulty_malloc(int size)
{
	return memory_fails() ? NULL : real_memory.xMalloc(size);
}

static void *faulty_realloc(void *block, int size)
{
	return memory_fails() ? NULL : real_memory.xRealloc(block, size);
}

static int install_faults(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
	sqlite3_mem_methods methods = real_memory;
	methods.xMalloc = faulty_malloc;
	methods.xRealloc = faulty_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
	real_vfs = sqlite3_vfs_find(NULL);
	faulty_vfs = *real_vfs;
	faulty_vfs.zName = "faulty";
	faulty_vfs.xOpen = faulty_open;
	return sqlite3_vfs_register(&faulty_vfs, 1);
}

/* ---- a batch */

#define BATCH 10

struct batch {
	struct td_lock lock;
	struct td_cond changed;
	enum td_status status[BATCH]; /* guarded by lock */
	size_t done;                  /* guarded by lock */
};

struct numbered {
	struct batch *batch;
	size_t index;
};

static void note_done(struct store_op *op, enum td_status status)
{
	struct numbered *n = op->owner;
	td_lock_take(&n->batch->lock);
	n->batch->status[n->index] = status;
	td_lock_give(&n->batch->lock);
}

static void note_release(struct store_op *op)
{
	struct numbered *n = op->owner;
	struct batch *batch = n->batch;
	store_op_free(op);
	td_lock_take(&batch->lock);
	batch->done++;
	td_cond_wake_all(&batch->changed);
	td_lock_give(&batch->lock);
}

static struct store_op *make_put(unsigned round, size_t i)
{
	struct store_op *op = fixture_op(STORE_USER_PUT);
	char *id = td_arena_printf(&op->arena, "u%u-%zu", round, i);
	char *email = td_arena_printf(&op->arena, "u%u-%zu@example.org", round, i);
	assert_true(id != NULL && email != NULL);
	op->in.user = (struct store_user){
		.id = td_slice_str(id),
		.email = td_slice_str(email),
		.first_name = TD_SLICE("Ada"),
		.last_name = TD_SLICE("L"),
	};
	return op;
}

static bool has_user(struct store *store, unsigned round, size_t i)
{
	struct store_op *op = make_put(round, i);
	op->kind = STORE_USER_GET;
	enum td_status status = store_call(store, &op, NULL);
	store_op_free(op);
	assert_true(status == TD_OK || status == TD_NOTFOUND);
	return status == TD_OK;
}

/* Ten users in one batch, while another client's lock is given away after they were submitted; the
 * third of them has an answer kept, so that it has a savepoint. */
static void run_batch(
	struct store *store, sqlite3_stmt *let_go, unsigned round, struct batch *batch)
{
	struct numbered numbered[BATCH];
	static const struct store_idempotency keep = {
		.caller = {"c", 1}, .route = {"r", 1}, .expires_at = FIXTURE_NOW + 1};
	batch->done = 0;
	for (size_t i = 0; i < BATCH; i++) {
		struct store_op *op = make_put(round, i);
		numbered[i] = (struct numbered){batch, i};
		op->done = note_done;
		op->release = note_release;
		op->owner = &numbered[i];
		if (i == 2) {
			op->idempotency = td_arena_alloc(&op->arena, sizeof(keep));
			assert_non_null(op->idempotency);
			*op->idempotency = keep;
			op->idempotency->key = op->in.user.id;
			op->idempotency->on_ok = (struct store_answer){201, {"x", 1}, {NULL, 0}};
		}
		assert_int_equal(store_submit(store, op), TD_OK);
	}
	assert_int_equal(sqlite3_step(let_go), SQLITE_DONE); /* prepared: it needs no memory */
	assert_int_equal(sqlite3_reset(let_go), SQLITE_OK);
	td_lock_take(&batch->lock);
	while (batch->done < BATCH)
		td_cond_wait(&batch->changed, &batch->lock);
	td_lock_give(&batch->lock);
}

static void check_batch(struct store *store, unsigned round, const struct batch *batch)
{
	for (size_t i = 0; i < BATCH; i++)
		assert_int_equal(has_user(store, round, i), batch->status[i] == TD_OK);
}

/* `arm` sets the fault to strike at the n-th call; false when it never struck. */
static unsigned fail_at_each(struct store *store, sqlite3 *holder, unsigned *round,
	_Atomic int *left, _Atomic bool *hit, enum td_status expected)
{
	struct batch batch = {.done = 0};
	unsigned struck = 0;
	sqlite3_stmt *let_go = NULL;
	assert_int_equal(sqlite3_prepare_v2(holder, "ROLLBACK", -1, &let_go, NULL), SQLITE_OK);
	td_lock_init(&batch.lock);
	td_cond_init(&batch.changed);
	for (int n = 1; n < 2000; n++) {
		assert_int_equal(
			sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
		atomic_store(hit, false);
		(*round)++;
		atomic_store(left, n);
		run_batch(store, let_go, *round, &batch);
		bool was_hit = atomic_load(hit);
		atomic_store(left, 0);
		atomic_store(hit, false);
		check_batch(store, *round, &batch);
		for (size_t i = 0; i < BATCH; i++)
			assert_true(batch.status[i] == TD_OK || batch.status[i] == expected);
		if (!was_hit)
			break;
		struck++;
	}
	assert_int_equal(sqlite3_finalize(let_go), SQLITE_OK);
	td_cond_done(&batch.changed);
	td_lock_done(&batch.lock);
	return struck;
}

static void test_faults_at_every_call_tell_the_truth(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	struct store *store = fixture_open(&f);
	sqlite3 *holder = NULL;
	unsigned round = 0;
	assert_int_equal(sqlite3_open(f.path, &holder), SQLITE_OK);
	(void)sqlite3_busy_timeout(holder, 5000);
	static const struct {
		int rc;
		bool stays;
		enum td_status expected;
	} kinds[] = {
		{SQLITE_FULL, false, TD_UNAVAILABLE},
		{SQLITE_FULL, true, TD_UNAVAILABLE},
		{SQLITE_IOERR_WRITE, false, TD_IO},
		{SQLITE_IOERR_WRITE, true, TD_IO},
		{SQLITE_IOERR_FSYNC, false, TD_IO},
		{SQLITE_IOERR_FSYNC, true, TD_IO},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(kinds); i++) {
		atomic_store(&disk.rc, kinds[i].rc);
		atomic_store(&disk.stays, kinds[i].stays);
		assert_true(fail_at_each(store, holder, &round, &disk.left, &disk.hit,
				    kinds[i].expected) >= 1);
	}
	assert_true(fail_at_each(store, holder, &round, &memory.left, &memory.hit, TD_NOMEM) >= 5);
	assert_int_equal(sqlite3_close(holder), SQLITE_OK);
	store_destroy(store);
	fixture_remove(&f);
}

/* ---- what is told */

struct told {
	_Atomic int failing, works;
};

static void note_failing(void *ctx, const struct td_err *err)
{
	struct told *told = ctx;
	assert_non_null(strstr(err->text, "disk is full"));
	atomic_fetch_add(&told->failing, 1);
}

static void note_works(void *ctx, int64_t away_ms)
{
	struct told *told = ctx;
	assert_true(away_ms >= 0);
	atomic_fetch_add(&told->works, 1);
}

static enum store_state state_of(struct store *store)
{
	struct store_health health;
	store_get_health(store, &health);
	return health.state;
}

static bool is_up(void *ctx)
{
	return state_of(ctx) == STORE_UP;
}

static enum td_status put_one(struct store *store, size_t i)
{
	struct store_op *op = make_put(1000, i);
	enum td_status status = store_call(store, &op, NULL);
	store_op_free(op);
	return status;
}

/* A write that finds nothing to change. */
static enum td_status revoke_nothing(struct store *store)
{
	struct store_op *op = fixture_op(STORE_KEY_REVOKE);
	op->in.key.id = TD_SLICE("nobody");
	enum td_status status = store_call(store, &op, NULL);
	store_op_free(op);
	return status;
}

/* A full disk is told of once, however many are refused; what needs no room does not count as its
 * end, which is told of once, too. */
static void test_faults_of_the_disk_are_told_once(void **state)
{
	(void)state;
	struct fixture f;
	struct told told = {0};
	struct store *store = NULL;
	fixture_make(&f);
	struct store_sqlite_config config = fixture_config(&f);
	config.faults = (struct store_sqlite_observer){note_failing, note_works, &told};
	assert_int_equal(store_sqlite_open(&config, &store, NULL), TD_OK);
	assert_int_equal(put_one(store, 0), TD_OK);
	atomic_store(&disk.rc, SQLITE_FULL);
	atomic_store(&disk.stays, true);
	atomic_store(&disk.left, 1);
	for (size_t i = 1; i < 6; i++)
		assert_int_equal(put_one(store, i), TD_UNAVAILABLE);
	assert_int_equal(revoke_nothing(store), TD_NOTFOUND);
	assert_int_equal(state_of(store), STORE_DOWN);
	assert_int_equal(atomic_load(&told.failing), 1);
	assert_int_equal(atomic_load(&told.works), 0);
	atomic_store(&disk.stays, false);
	atomic_store(&disk.hit, false);
	assert_true(wait_until(is_up, store, 10000));
	assert_int_equal(put_one(store, 6), TD_OK);
	store_destroy(store);
	assert_int_equal(atomic_load(&told.failing), 1);
	assert_int_equal(atomic_load(&told.works), 1);
	fixture_remove(&f);
}

/* ---- opening */

static int allocations_left; /* one thread, while the gate is set, but for idle lanes */

static bool count_down(void)
{
	return allocations_left <= 0 || --allocations_left != 0;
}

/* Opening with the n-th allocation failing: TD_NOMEM, nothing left behind, and then it works. */
static void test_faults_of_memory_while_opening(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	store_destroy(fixture_open(&f));
	struct store_sqlite_config config = fixture_config(&f);
	enum td_status status = TD_NOMEM;
	int n;
	for (n = 1; n < 200 && status != TD_OK; n++) {
		struct store *store = NULL;
		struct td_err err = TD_ERR_INIT;
		allocations_left = n;
		td_alloc_set_gate(count_down);
		status = store_sqlite_open(&config, &store, &err);
		td_alloc_set_gate(NULL);
		assert_true(status == TD_OK || status == TD_NOMEM);
		store_destroy(store);
	}
	assert_true(n > 5 && status == TD_OK);
	status = TD_NOMEM;
	for (n = 1; n < 1000000 && status != TD_OK; n++) {
		struct store *store = NULL;
		struct td_err err = TD_ERR_INIT;
		atomic_store(&memory.hit, false);
		atomic_store(&memory.left, n);
		status = store_sqlite_open(&config, &store, &err);
		bool hit = atomic_load(&memory.hit);
		atomic_store(&memory.left, 0);
		store_destroy(store);
		if (status != TD_OK && status != TD_NOMEM)
			fail_msg("%s: %s", td_status_name(status), err.text);
		if (status == TD_OK && hit) /* SQLite did without it */
			status = TD_NOMEM;
		if (n > 40)
			n += n / 10; /* a sample is enough further on */
	}
	assert_int_equal(status, TD_OK);
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults_at_every_call_tell_the_truth),
		cmocka_unit_test(test_faults_of_the_disk_are_told_once),
		cmocka_unit_test(test_faults_of_memory_while_opening),
	};
	return cmocka_run_group_tests(tests, install_faults, NULL);
}
