#include "cql/client/executor.h"

#include "base/alloc.h"
#include "cql/client/execution.h"

/* ---- the lists */

static void link_in(struct cql_executor *e, struct cql_execution *x)
{
	x->prev = e->last;
	x->next = NULL;
	*(e->last != NULL ? &e->last->next : &e->first) = x;
	e->last = x;
	e->count++;
}

/* Who finds no room when his turn has come is the first again. */
void cql_executor_wait_in(struct cql_execution *x)
{
	struct cql_executor *e = x->executor;
	x->state = CQL_EXECUTION_WAITS;
	x->wait_prev = e->is_pumping ? NULL : e->wait_last;
	x->wait_next = e->is_pumping ? e->wait_first : NULL;
	*(x->wait_prev != NULL ? &x->wait_prev->wait_next : &e->wait_first) = x;
	*(x->wait_next != NULL ? &x->wait_next->wait_prev : &e->wait_last) = x;
	e->waiting++;
}

void cql_executor_wait_out(struct cql_execution *x)
{
	struct cql_executor *e = x->executor;
	*(x->wait_prev != NULL ? &x->wait_prev->wait_next : &e->wait_first) = x->wait_next;
	*(x->wait_next != NULL ? &x->wait_next->wait_prev : &e->wait_last) = x->wait_prev;
	x->state = CQL_EXECUTION_RUNS;
	e->waiting--;
}

/* ---- the end */

/* On a later turn: what was sent by the callbacks of this one counts, too. */
static void tell_if_idle(struct cql_executor *e)
{
	if (!e->is_stopping || e->count > 0 || e->is_idle || e->is_idle_posted)
		return;
	e->is_idle_posted = true;
	cql_loop_post(e->hub->loop, &e->tell_idle);
}

static void run_idle(struct cql_task *task)
{
	struct cql_executor *e = TD_CONTAINER_OF(task, struct cql_executor, tell_idle);
	e->is_idle_posted = false;
	if (e->count > 0)
		return;
	e->is_idle = true;
	e->idle(e);
}

void cql_executor_unlink(struct cql_execution *x)
{
	struct cql_executor *e = x->executor;
	*(x->prev != NULL ? &x->prev->next : &e->first) = x->next;
	*(x->next != NULL ? &x->next->prev : &e->last) = x->prev;
	e->count--;
	if (e->waiting > 0)
		cql_executor_pump(e);
}

void cql_executor_give_back(struct cql_execution *x)
{
	struct cql_executor *e = x->executor;
	x->next = e->spare;
	e->spare = x;
	tell_if_idle(e);
}

/* ---- beginning */

static struct cql_execution *take_spare(struct cql_executor *e)
{
	struct cql_execution *x = e->spare;
	if (x != NULL)
		e->spare = x->next;
	else
		x = td_alloc_zero(sizeof(*x));
	return x;
}

static void tell_refused(struct cql_query *query)
{
	struct td_err err = TD_ERR_INIT;
	(void)td_err_set(&err, TD_NOMEM, "no memory for a request");
	const struct cql_answer answer = {.status = TD_NOMEM, .err = &err, .address = ""};
	query->done(query, &answer);
}

static void run_refused(struct cql_task *task)
{
	struct cql_executor *e = TD_CONTAINER_OF(task, struct cql_executor, refuse);
	struct cql_task *refused = e->refused;
	e->refused = NULL;
	while (refused != NULL) {
		struct cql_task *next = refused->next;
		e->count--;
		tell_refused(TD_CONTAINER_OF(refused, struct cql_query, task));
		refused = next;
	}
	tell_if_idle(e);
}

/* On a later turn, as all that fails: a caller who sends it again at once must not keep the loop
 * from everything else. */
static void refuse_for_memory(struct cql_executor *e, struct cql_query *query)
{
	if (e->refused == NULL)
		cql_loop_post(e->hub->loop, &e->refuse);
	query->task.next = e->refused;
	e->refused = &query->task;
	e->count++;
}

void cql_execute(struct cql_executor *executor, struct cql_query *query)
{
	struct cql_execution *x = take_spare(executor);
	if (x == NULL) {
		refuse_for_memory(executor, query);
		return;
	}
	link_in(executor, x);
	cql_execution_begin(executor, x, query);
}

static void pump(struct cql_task *task)
{
	struct cql_executor *e = TD_CONTAINER_OF(task, struct cql_executor, pump);
	struct cql_execution *x;
	e->is_pumping = true;
	while ((x = e->wait_first) != NULL) {
		cql_executor_wait_out(x);
		cql_execution_go_on(x);
		if (x->state == CQL_EXECUTION_WAITS)
			break; /* there is no room */
	}
	e->is_pumping = false;
}

void cql_executor_pump(struct cql_executor *executor)
{
	cql_loop_defer(executor->hub->loop, &executor->pump);
}

void cql_executor_note_lost(struct cql_executor *executor)
{
	struct cql_loop *loop = executor->hub->loop;
	uint64_t until_ms = cql_loop_now_ms(loop) + executor->hub->config->wait_ms;
	for (struct cql_execution *x = executor->wait_first; x != NULL; x = x->wait_next) {
		if (x->timer.is_set && x->timer.due_ms > until_ms)
			cql_loop_set_timer(loop, &x->timer, until_ms);
	}
}

/* ---- */

void cql_executor_init(
	struct cql_executor *executor, struct cql_hub *hub, struct cql_cluster *cluster)
{
	*executor = (struct cql_executor){.hub = hub, .cluster = cluster};
	executor->pump.run = pump;
	executor->refuse.run = run_refused;
	executor->tell_idle.run = run_idle;
}

void cql_executor_refuse(struct cql_executor *executor)
{
	executor->is_stopping = true;
}

void cql_executor_stop(struct cql_executor *executor)
{
	struct cql_execution *next;
	for (struct cql_execution *x = executor->first; x != NULL; x = next) {
		next = x->next;
		cql_execution_stop(x);
	}
	tell_if_idle(executor);
}

void cql_executor_done(struct cql_executor *executor)
{
	struct cql_execution *x;
	while ((x = executor->spare) != NULL) {
		executor->spare = x->next;
		cql_execution_free(x);
	}
	td_buf_done(&executor->scratch);
}
