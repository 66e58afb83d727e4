/* A batch of writes. Rules:
 *  1. a transaction holds each name once: what would be there twice waits for the next;
 *  2. after an error nothing of the transaction is committed; its operations run again in smaller
 * and smaller parts, so one that cannot work does not harm the others;
 *  3. a row that somebody else has locked holds up only who wants it: waits for locks are short,
 * and an operation that met one is put behind the others and tried again in turns, until its
 * deadline. So is one that lost a race. Nothing here waits longer than a part of a second. */
#include "store/postgres/pg_write.h"

#include <poll.h>
#include <sodium.h>

/* How long one goes on looking for what holds a transaction up, and for those whose turn it is. */
#define SEARCH_MS 200
#define TURNS_MS  50

/* One that a row of somebody else's stands in the way of, though no row says so: it is told after
 * this many tries. */
#define COLLISIONS_MOST 3

#define PAUSE_LEAST_MS 1
#define PAUSE_MS       10

struct run {
	struct pg_lane *l;
	const struct connect_limit *limit;
	uint64_t search_until_ms;
	bool lost_race; /* somebody did: a pause before it is tried again */
};

static uint64_t now_ms(void)
{
	return td_clock_mono_ns() / 1000000u;
}

static bool is_blocked(enum td_status status, const struct td_err *err)
{
	return status == TD_TIMEOUT && strcmp(err->state, "55P03") == 0;
}

/* Not settled though it was alone: what may pass by itself is tried again in another batch. */
static void judge_alone(
	struct run *r, struct pg_task *t, enum td_status status, const struct td_err *err)
{
	bool may_pass = status == TD_OK || status == TD_CONFLICT || status == TD_TIMEOUT;
	t->op->tried.blocked = is_blocked(status, err);
	if (t->op->tried.blocked)
		return;
	if (status == TD_EXISTS)
		may_pass = ++t->op->tried.collisions < COLLISIONS_MOST;
	if (may_pass)
		r->lost_race = true;
	else
		pg_settle_all(t, 1, status, status == TD_EXISTS ? NULL : err);
}

static void run_part(struct run *r, struct pg_task *tasks, size_t count, int lock_ms)
{
	struct td_err err = TD_ERR_INIT;
	struct pg_part p = {.l = r->l,
		.limit = r->limit,
		.tasks = tasks,
		.count = count,
		.lock_ms = lock_ms,
		.err = &err};
	enum td_status status = pg_part_run(&p);
	if (status == TD_UNAVAILABLE || status == TD_NOMEM)
		pg_settle_all(tasks, count, status, &err);
	else if (count == 1 && !tasks[0].settled)
		judge_alone(r, &tasks[0], status, &err);
}

/* Moves those that are not settled to the front and returns how many. */
static size_t keep_unsettled(struct pg_task *tasks, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (tasks[i].settled)
			continue;
		struct pg_task task = tasks[i];
		tasks[i] = tasks[kept];
		tasks[kept++] = task;
	}
	return kept;
}

static void set_aside(struct pg_task *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		tasks[i].op->tried.blocked = true;
}

/* A whole level of parts of `size`; what there is no time for is set aside. */
static void run_parts(struct run *r, struct pg_task *tasks, size_t count, size_t size, int lock_ms)
{
	for (size_t at = 0; at < count; at += size) {
		size_t n = count - at < size ? count - at : size;
		if (now_ms() < r->search_until_ms)
			run_part(r, tasks + at, n, lock_ms);
		else
			set_aside(tasks + at, n);
	}
}

/* In one transaction; what fails, in two of half the size, and so on. */
static void run_together(struct run *r, struct pg_task *tasks, size_t count)
{
	size_t size = count;
	int lock_ms = PG_LOCK_MS;
	r->search_until_ms = UINT64_MAX;
	while (count > 0) {
		run_parts(r, tasks, count, size, lock_ms);
		if (size == 1)
			return;
		if (lock_ms == PG_LOCK_MS)
			r->search_until_ms = now_ms() + SEARCH_MS;
		lock_ms = PG_LOCK_TURN_MS;
		size = (size + 1) / 2;
		count = keep_unsettled(tasks, count);
	}
}

/* Those that were blocked, each alone. Where nobody else waits, the first may take its time. */
static void run_in_turns(struct run *r, struct pg_task *tasks, size_t count, bool others)
{
	uint64_t until_ms = now_ms() + TURNS_MS;
	size_t first = r->l->turn % count, done = 0;
	int lock_ms = others ? PG_LOCK_TURN_MS : PG_LOCK_MS;
	do {
		run_part(r, &tasks[(first + done) % count], 1, lock_ms);
		lock_ms = PG_LOCK_TURN_MS;
		done++;
	} while (done < count && now_ms() < until_ms);
	r->l->turn = (unsigned)(first + done);
}

/* Moves those that are blocked behind the others and returns how many are not. */
static size_t put_blocked_last(struct pg_task *tasks, size_t count)
{
	size_t free = 0;
	for (size_t i = 0; i < count; i++) {
		struct pg_task task = tasks[i];
		if (!task.settled && task.op->tried.blocked)
			continue;
		tasks[i] = tasks[free];
		tasks[free++] = task;
	}
	return free;
}

/* The blocked come behind those that are not, and what clashes with them stays untried. So they
 * stand in the list until the end, those too that meet a lock only now. */
static void run_all(struct run *r, struct pg_task *tasks, size_t count)
{
	bool others = false;
	size_t picked;
	while (count > 0 && (picked = pg_clash_pick(r->l->store, tasks, count)) > 0) {
		run_together(r, tasks, picked);
		pg_note_use(r->l, r->limit, tasks, picked);
		picked = put_blocked_last(tasks, picked);
		others = others || picked > 0;
		tasks += picked;
		count -= picked;
	}
	size_t untried = put_blocked_last(tasks, count), blocked = count - untried;
	if (blocked == 0)
		return;
	run_in_turns(r, tasks + untried, blocked, others);
	pg_note_use(r->l, r->limit, tasks + untried, blocked);
}

static struct pg_task task_of(struct lane_job *job)
{
	struct store_op *op = TD_CONTAINER_OF(job, struct store_op, job);
	struct pg_task t = {.op = op, .outcome = TD_INTERNAL};
	t.settled = pg_write_kind(op->kind) == NULL;
	if (t.settled)
		(void)td_err_set(&op->err, TD_INTERNAL, "PostgreSQL's store has no %s",
			store_op_name(op->kind));
	return t;
}

void pg_run_writes(void *ctx, struct lane_job **jobs, size_t count)
{
	struct pg_lane *l = ctx;
	struct pg_task tasks[PG_BATCH_LIMIT];
	struct connect_limit limit = pg_batch_limit(l, jobs, count);
	struct run r = {.l = l, .limit = &limit};
	for (size_t i = 0; i < count; i++)
		tasks[i] = task_of(jobs[i]);
	run_all(&r, tasks, keep_unsettled(tasks, count));
	size_t left = keep_unsettled(tasks, count);
	for (size_t i = 0; i < left; i++)
		lane_defer(&tasks[i].op->job);
	pg_finish_all(l, tasks + left, count - left);
	if (r.lost_race)
		(void)poll(NULL, 0, PAUSE_LEAST_MS + (int)randombytes_uniform(PAUSE_MS));
}
