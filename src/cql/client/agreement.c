#include "cql/client/agreement.h"

#include "base/alloc.h"
#include "cql/client/reply.h"
#include "cql/protocol/request.h"
#include "cql/protocol/topology.h"

#include <string.h>

#define PAUSE_MS    200
#define QUESTION_MS 5000
#define ARENA_MOST  (16u << 20)

struct cql_agreement {
	struct cql_cluster *cluster;
	uint64_t deadline_ms;
	cql_agreement_fn *fn;
	void *ctx;
	struct cql_timer pause;
	struct cql_call call;
	bool is_asking; /* `call` is under way: whoever ends it frees this */
	bool is_over;   /* fn was called */
	bool has_local; /* the first of two answers is here */
	struct td_buf local;
	enum cql_version version; /* of the connection that was asked */
	struct td_err err;        /* how it stands */
};

static void ask(struct cql_agreement *a);

static void free_if_idle(struct cql_agreement *a)
{
	if (a->is_asking)
		return;
	td_buf_done(&a->local);
	td_free(a);
}

static void end(struct cql_agreement *a, enum td_status status)
{
	cql_loop_clear_timer(a->cluster->hub->loop, &a->pause);
	a->is_over = true;
	a->err.code = status;
	a->fn(a->ctx, status, &a->err);
	free_if_idle(a);
}

static void ask_later(struct cql_agreement *a)
{
	struct cql_loop *loop = a->cluster->hub->loop;
	uint64_t now_ms = cql_loop_now_ms(loop);
	a->has_local = false;
	uint64_t due_ms = now_ms + PAUSE_MS < a->deadline_ms ? now_ms + PAUSE_MS : a->deadline_ms;
	if (now_ms >= a->deadline_ms)
		end(a, TD_TIMEOUT);
	else
		cql_loop_set_timer(loop, &a->pause, due_ms);
}

static void ask_again(struct cql_timer *timer)
{
	struct cql_agreement *a = TD_CONTAINER_OF(timer, struct cql_agreement, pause);
	if (cql_loop_now_ms(a->cluster->hub->loop) < a->deadline_ms)
		ask(a);
	else
		end(a, TD_TIMEOUT);
}

/* ---- the answers */

/* Nodes that we cannot reach may be down, and then cannot agree. */
static size_t list_down(const struct cql_cluster *cluster, uint8_t (*ids)[16])
{
	size_t count = 0;
	for (size_t i = 0; i < cluster->node_count; i++) {
		const struct cql_node *node = cluster->nodes[i];
		if (node->is_local && node->has_host_id && !cql_node_is_up(node))
			memcpy(ids[count++], node->host_id, sizeof(ids[0]));
	}
	return count;
}

static enum td_status compare(struct cql_agreement *a, const struct cql_result *peers,
	struct cql_schema_versions *versions)
{
	struct td_arena arena = {.limit = ARENA_MOST};
	uint8_t(*down)[16] = td_arena_array(&arena, a->cluster->node_count + 1, sizeof(down[0]));
	struct cql_result local;
	enum td_status status =
		down != NULL ? cql_result_read(td_buf_slice(&a->local), a->version, &local, &a->err)
			     : td_err_set(&a->err, TD_NOMEM, "no memory to compare schemas");
	if (status == TD_OK)
		status = cql_schema_versions_read(&local, peers, (const uint8_t(*)[16])down,
			list_down(a->cluster, down), &arena, versions, &a->err);
	td_arena_done(&arena);
	return status;
}

static void take_peers(struct cql_agreement *a, const struct cql_result *peers)
{
	struct cql_schema_versions versions = {0};
	if (compare(a, peers, &versions) == TD_OK && versions.agree) {
		end(a, TD_OK);
		return;
	}
	if (a->err.code == TD_OK)
		(void)td_err_set(&a->err, TD_TIMEOUT,
			"the nodes have %zu different schemas: does one of them not answer?",
			versions.count);
	ask_later(a);
}

static void take_local(struct cql_agreement *a, const struct cql_reply *reply)
{
	struct cql_body body;
	td_buf_reset(&a->local);
	a->has_local = cql_body_open(reply->frame, &body, &a->err) == TD_OK;
	if (a->has_local)
		td_buf_put_slice(&a->local, body.message);
	if (a->has_local && !a->local.failed)
		ask(a);
	else
		ask_later(a);
}

static void take(struct cql_call *call, const struct cql_reply *reply)
{
	struct cql_agreement *a = TD_CONTAINER_OF(call, struct cql_agreement, call);
	struct cql_result result;
	a->is_asking = false;
	if (a->is_over) {
		free_if_idle(a);
		return;
	}
	if (reply->status == TD_TIMEOUT && a->err.code != TD_OK) {
		ask_later(a); /* how it stood before is of more use */
		return;
	}
	a->err = (struct td_err)TD_ERR_INIT;
	if (cql_reply_result(reply, a->version, &result, &a->err) != TD_OK)
		ask_later(a);
	else if (a->has_local)
		take_peers(a, &result);
	else
		take_local(a, reply);
}

/* ---- the questions */

static const char *question(const struct cql_agreement *a)
{
	if (!a->has_local)
		return "SELECT host_id, schema_version FROM system.local WHERE key='local'";
	return a->cluster->control.has_no_peers_v2
		       ? "SELECT host_id, schema_version FROM system.peers"
		       : "SELECT host_id, schema_version FROM system.peers_v2";
}

static void ask(struct cql_agreement *a)
{
	struct cql_conn *conn = cql_control_conn(&a->cluster->control);
	if (conn == NULL) {
		(void)td_err_set(&a->err, TD_TIMEOUT, "no node can be asked for its schema");
		ask_later(a);
		return;
	}
	a->version = cql_conn_version(conn);
	const struct cql_request rq = {.version = a->version};
	const struct cql_params params = {.consistency = CQL_ONE};
	struct td_buf envelope = TD_BUF_INIT;
	uint64_t deadline_ms = cql_loop_now_ms(a->cluster->hub->loop) + QUESTION_MS;
	enum td_status status = cql_put_query(
		&envelope, &rq, td_slice_str(question(a)), &params, &a->err);
	a->call.envelope = td_buf_slice(&envelope);
	a->call.done = take;
	if (status == TD_OK)
		status = cql_conn_send(conn, &a->call,
			deadline_ms < a->deadline_ms ? deadline_ms : a->deadline_ms, &a->err);
	a->is_asking = status == TD_OK;
	td_buf_done(&envelope);
	if (status != TD_OK)
		ask_later(a);
}

enum td_status cql_agreement_start(struct cql_cluster *cluster, uint64_t deadline_ms,
	cql_agreement_fn *fn, void *ctx, struct cql_agreement **ret_agreement, struct td_err *err)
{
	struct cql_agreement *a = td_alloc_zero(sizeof(*a));
	if (a == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to wait for the nodes' schema");
	a->cluster = cluster;
	a->deadline_ms = deadline_ms;
	a->fn = fn;
	a->ctx = ctx;
	a->pause.fire = ask_again;
	(void)td_err_set(&a->err, TD_TIMEOUT, "no node has told its schema yet");
	*ret_agreement = a;
	/* On a later turn, so that fn never comes within this call. */
	cql_loop_set_timer(cluster->hub->loop, &a->pause, cql_loop_now_ms(cluster->hub->loop));
	return TD_OK;
}

void cql_agreement_stop(struct cql_agreement *agreement)
{
	(void)td_err_set(&agreement->err, TD_STOPPING, "the session is closed");
	end(agreement, TD_STOPPING);
}
