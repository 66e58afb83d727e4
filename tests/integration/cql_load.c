/* Reads and writes a table through a session, at a rate, and judges every answer; what it saw it
 * tells on request. Tests break the cluster meanwhile.
 *
 * usage: cql_load HOST:PORT[,HOST:PORT…] [NAME=VALUE…]
 *
 * The table: (key int PRIMARY KEY, version bigint, body blob). Each key has one writer, which gives
 * it ever larger versions; the body follows from key and version. A row is wrong where it is
 * another key's, where its body is not that of its version, or where its version was never written
 * or is older than the last one that was acknowledged before the read began.
 *
 * First a line {"connected_ms":N}, and before it one {"waiting":"WHY"} for each look in vain. Then
 * the commands of standard input: "stats" prints a line of what happened since the one before,
 * "end" (or the end of the input) waits for what is under way, prints a last line and ends the
 * program. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "cql/cql.h"
#include "work/lock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS       5
#define WAIT_MS       10000
#define NS_PER_MS     UINT64_C(1000000)
#define EVENTS_MOST   64
#define NODES_MOST    16
#define LINE_MOST     256
#define BODY_LEAST    40
#define BODY_SPREAD   200
#define VALUES_OF_ROW 3
#define NOTICE_KINDS  (CQL_NOTICE_WARNING + 1)

enum setting {
	READERS,
	WRITERS,
	KEYS, /* of each writer */
	RATE, /* requests a second */
	TIMEOUT_MS,
	MARGIN_MS, /* over it: later is late */
	NODE_CONNECTIONS,
	HEARTBEAT_MS,
	HEARTBEAT_TIMEOUT_MS,
	SPECULATIVE_MS,
	CONSISTENCY,
	LZ4,
	SETTING_COUNT
};

static const struct {
	const char *name;
	unsigned standard;
} settings[SETTING_COUNT] = {
	[READERS] = {"readers", 8},
	[WRITERS] = {"writers", 8},
	[KEYS] = {"keys", 64},
	[RATE] = {"rate", 500},
	[TIMEOUT_MS] = {"timeout_ms", 10000},
	[MARGIN_MS] = {"margin_ms", 1000},
	[NODE_CONNECTIONS] = {"node_connections", 1},
	[HEARTBEAT_MS] = {"heartbeat_ms", 10000},
	[HEARTBEAT_TIMEOUT_MS] = {"heartbeat_timeout_ms", 5000},
	[SPECULATIVE_MS] = {"speculative_ms", 0},
	[CONSISTENCY] = {"consistency", CQL_QUORUM},
	[LZ4] = {"lz4", 0},
};

struct key {
	int64_t written; /* the largest version that was sent */
	int64_t acknowledged;
};

/* Has one request under way, or none. */
struct actor {
	struct cql_query query;
	struct load *load;
	struct td_buf values;
	bool writes, is_busy;
	uint64_t begun_ns;
	size_t key;
	int64_t version; /* written; a reader's: at least this one must come */
};

/* What happened since the last line. */
struct tally {
	unsigned reads, writes, wrong, late;
	uint64_t slowest_ns, gap_ns;
	char first_wrong[256];
	struct {
		unsigned count;
		char last[TD_ERR_TEXT_MAX];
	} failed[TD_STATUS_COUNT];
	struct {
		char address[64];
		unsigned answers;
	} nodes[NODES_MOST];
	struct {
		enum cql_notice_kind kind;
		uint64_t at_ms;
		char address[64], text[TD_ERR_TEXT_MAX];
	} events[EVENTS_MOST];
	size_t event_count; /* those over EVENTS_MOST are only counted */
};

struct load {
	unsigned set[SETTING_COUNT];
	struct cql_contact_point points[CQL_CONTACT_POINTS_MOST];
	size_t point_count;
	char table[64];
	struct cql_session *session;
	struct cql_statement *read, *write;
	uint64_t opened_ns, paced_ns; /* up to when the rate was kept */
	size_t actor_count, turn;

	struct td_lock lock;
	struct key *keys;      /* guarded by lock */
	struct actor *actors;  /* guarded by lock; those that are busy the session's, too */
	struct tally tally;    /* guarded by lock */
	uint64_t last_good_ns; /* guarded by lock */
	uint64_t chance;       /* guarded by lock */
};

/* ---- what a row must be */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static size_t body_of(size_t key, int64_t version, char out[BODY_LEAST + BODY_SPREAD])
{
	uint64_t seed = mix((uint64_t)key << 40 ^ (uint64_t)version);
	size_t len = BODY_LEAST + seed % BODY_SPREAD;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(mix(seed + i / 8) >> (8 * (i % 8)));
	return len;
}

/* NULL: it is right. */
static const char *judge_row(const struct actor *a, const struct td_slice cells[VALUES_OF_ROW])
{
	char body[BODY_LEAST + BODY_SPREAD];
	int32_t key;
	int64_t version;
	if (!cql_get_int(cells[0], &key) || (size_t)key != a->key)
		return "another key's row";
	if (!cql_get_bigint(cells[1], &version) || version < 1 ||
		version > a->load->keys[a->key].written)
		return "a version that was never written";
	if (version < a->version)
		return "an older version than the one that was acknowledged";
	size_t len = body_of(a->key, version, body);
	return td_slice_equal(cells[2], td_slice(body, len)) ? NULL : "a damaged body";
}

static const char *judge(const struct actor *a, const struct cql_answer *answer)
{
	if (a->writes)
		return answer->result.kind == CQL_RESULT_VOID ? NULL : "rows for a write";
	if (answer->result.kind != CQL_RESULT_ROWS ||
		answer->result.rows.metadata.column_count != VALUES_OF_ROW)
		return "no rows for a read";
	struct cql_rows rows = answer->result.rows;
	struct td_slice cells[VALUES_OF_ROW];
	if (!cql_rows_next(&rows, cells)) {
		if (cql_rows_check(&rows, NULL) != TD_OK)
			return "a damaged message";
		return a->version == 0 ? NULL : "no row, and one was acknowledged";
	}
	const char *wrong = judge_row(a, cells);
	if (wrong == NULL && rows.row_count != 1)
		wrong = "several rows";
	return wrong;
}

/* ---- what is counted; the caller has the lock */

static void note_gap(struct load *load, uint64_t now_ns)
{
	if (load->last_good_ns != 0 && now_ns - load->last_good_ns > load->tally.gap_ns)
		load->tally.gap_ns = now_ns - load->last_good_ns;
}

static void count_node(struct tally *t, const char *address)
{
	size_t i = 0;
	while (i < NODES_MOST - 1 && t->nodes[i].answers > 0 &&
		strcmp(t->nodes[i].address, address) != 0)
		i++;
	(void)snprintf(t->nodes[i].address, sizeof(t->nodes[i].address), "%s", address);
	t->nodes[i].answers++;
}

static void note_good(struct actor *a, const struct cql_answer *answer, uint64_t now_ns)
{
	struct load *load = a->load;
	struct tally *t = &load->tally;
	const char *wrong = judge(a, answer);
	note_gap(load, now_ns);
	load->last_good_ns = now_ns;
	count_node(t, answer->address);
	*(a->writes ? &t->writes : &t->reads) += 1;
	if (a->writes && load->keys[a->key].acknowledged < a->version)
		load->keys[a->key].acknowledged = a->version;
	if (wrong != NULL && t->wrong++ == 0)
		(void)snprintf(t->first_wrong, sizeof(t->first_wrong),
			"%s: key %zu, version %lld: %s", answer->address, a->key,
			(long long)a->version, wrong);
}

static void note_time(struct load *load, uint64_t took_ns)
{
	uint64_t most_ns = (load->set[TIMEOUT_MS] + load->set[MARGIN_MS]) * NS_PER_MS;
	if (took_ns > load->tally.slowest_ns)
		load->tally.slowest_ns = took_ns;
	if (took_ns > most_ns)
		load->tally.late++;
}

static void done(struct cql_query *query, const struct cql_answer *answer)
{
	struct actor *a = TD_CONTAINER_OF(query, struct actor, query);
	struct load *load = a->load;
	td_lock_take(&load->lock);
	uint64_t now_ns = td_clock_mono_ns();
	a->is_busy = false;
	note_time(load, now_ns - a->begun_ns);
	if (answer->status == TD_OK) {
		note_good(a, answer, now_ns);
	} else {
		load->tally.failed[answer->status].count++;
		(void)snprintf(load->tally.failed[answer->status].last, TD_ERR_TEXT_MAX, "%s",
			answer->err->text);
	}
	td_lock_give(&load->lock);
}

static void hear(void *ctx, const struct cql_notice *notice)
{
	struct load *load = ctx;
	struct tally *t = &load->tally;
	td_lock_take(&load->lock);
	if (t->event_count < EVENTS_MOST) {
		t->events[t->event_count].kind = notice->kind;
		t->events[t->event_count].at_ms = td_clock_mono_ns() / NS_PER_MS;
		(void)snprintf(t->events[t->event_count].address,
			sizeof(t->events[t->event_count].address), "%s", notice->address);
		(void)snprintf(t->events[t->event_count].text,
			sizeof(t->events[t->event_count].text), "%s", notice->text);
	}
	t->event_count++;
	td_lock_give(&load->lock);
}

/* ---- sending; the caller has the lock */

static void write_one(struct actor *a, struct key *key)
{
	char body[BODY_LEAST + BODY_SPREAD];
	a->version = ++key->written;
	a->query.statement = a->load->write;
	cql_bind_bigint(&a->values, a->version);
	cql_bind_bytes(&a->values, td_slice(body, body_of(a->key, a->version, body)));
	cql_bind_int(&a->values, (int32_t)a->key);
}

static void begin(struct load *load, struct actor *a)
{
	size_t of_writer = load->set[KEYS], keys = of_writer * load->set[WRITERS];
	uint64_t random = mix(++load->chance * UINT64_C(0x9e3779b97f4a7c15));
	a->key = a->writes ? (size_t)(a - load->actors) * of_writer + random % of_writer
			   : random % keys;
	struct key *key = &load->keys[a->key];
	td_buf_reset(&a->values);
	if (a->writes) {
		write_one(a, key);
	} else {
		a->version = key->acknowledged;
		a->query.statement = load->read;
		cql_bind_int(&a->values, (int32_t)a->key);
	}
	a->query.values = (struct cql_values){
		.bytes = td_buf_slice(&a->values), .count = a->writes ? VALUES_OF_ROW : 1};
	a->is_busy = true;
	a->begun_ns = td_clock_mono_ns();
	cql_session_send(load->session, &a->query);
}

/* As many as are due and have an actor that is free; what was missed is not made up for. */
static void keep_rate(struct load *load)
{
	uint64_t now_ns = td_clock_mono_ns();
	uint64_t due = (now_ns - load->paced_ns) * load->set[RATE] / (1000 * NS_PER_MS);
	if (due == 0)
		return;
	load->paced_ns = now_ns;
	td_lock_take(&load->lock);
	for (size_t i = 0; due > 0 && i < load->actor_count; i++) {
		struct actor *a = &load->actors[load->turn++ % load->actor_count];
		if (a->is_busy)
			continue;
		begin(load, a);
		due--;
	}
	td_lock_give(&load->lock);
}

/* ---- telling */

static void put_failures(struct td_json *j, const struct tally *t)
{
	for (int last = 0; last < 2; last++) {
		td_json_name(j, last ? "failures" : "failed");
		td_json_open(j, '{');
		for (int i = 0; i < TD_STATUS_COUNT; i++) {
			const char *name = td_status_name((enum td_status)i);
			if (t->failed[i].count > 0 && last)
				td_json_member_str(j, name, t->failed[i].last);
			else if (t->failed[i].count > 0)
				td_json_member_i64(j, name, t->failed[i].count);
		}
		td_json_close(j, '}');
	}
}

static void put_nodes(struct td_json *j, const struct tally *t)
{
	td_json_name(j, "by_node");
	td_json_open(j, '{');
	for (size_t i = 0; i < NODES_MOST && t->nodes[i].answers > 0; i++)
		td_json_member_i64(j, t->nodes[i].address, t->nodes[i].answers);
	td_json_close(j, '}');
}

static void put_events(struct td_json *j, const struct tally *t)
{
	static const char *const kinds[NOTICE_KINDS] = {[CQL_NOTICE_READY] = "ready",
		[CQL_NOTICE_LOST] = "lost",
		[CQL_NOTICE_NODE_UP] = "up",
		[CQL_NOTICE_NODE_DOWN] = "down",
		[CQL_NOTICE_WARNING] = "warning"};
	td_json_name(j, "events");
	td_json_open(j, '[');
	for (size_t i = 0; i < t->event_count && i < EVENTS_MOST; i++) {
		td_json_open(j, '{');
		td_json_member_str(j, "kind", kinds[t->events[i].kind]);
		td_json_member_i64(j, "at_ms", (int64_t)t->events[i].at_ms);
		td_json_member_str(j, "address", t->events[i].address);
		td_json_member_str(j, "text", t->events[i].text);
		td_json_close(j, '}');
	}
	td_json_close(j, ']');
}

static void put_state(struct td_json *j, struct cql_session *session)
{
	struct cql_session_state state;
	struct td_buf report = TD_BUF_INIT;
	cql_session_state(session, &state);
	cql_session_report(session, &report);
	td_json_member_bool(j, "is_ready", state.is_ready);
	td_json_member_i64(j, "nodes", (int64_t)state.nodes);
	td_json_member_i64(j, "nodes_up", (int64_t)state.nodes_up);
	td_json_member_i64(j, "connections", (int64_t)state.connections);
	td_json_member_i64(j, "version", (int64_t)state.version);
	td_json_member_str(j, "release", state.release);
	td_json_name(j, "report");
	td_json_slice(j, td_buf_slice(&report));
	td_buf_done(&report);
}

/* Those that do not end count as slow, too; the caller has the lock. */
static size_t note_busy(struct load *load)
{
	size_t busy = 0;
	uint64_t now_ns = td_clock_mono_ns();
	note_gap(load, now_ns);
	for (size_t i = 0; i < load->actor_count; i++) {
		const struct actor *a = &load->actors[i];
		busy += a->is_busy ? 1 : 0;
		if (a->is_busy && now_ns - a->begun_ns > load->tally.slowest_ns)
			load->tally.slowest_ns = now_ns - a->begun_ns;
	}
	return busy;
}

static void put_tally(struct td_json *j, struct load *load)
{
	td_lock_take(&load->lock);
	struct tally *t = &load->tally;
	td_json_member_i64(j, "in_flight", (int64_t)note_busy(load));
	td_json_member_i64(j, "reads", t->reads);
	td_json_member_i64(j, "writes", t->writes);
	td_json_member_i64(j, "wrong", t->wrong);
	td_json_member_i64(j, "late", t->late);
	td_json_member_i64(j, "slowest_ms", (int64_t)(t->slowest_ns / NS_PER_MS));
	td_json_member_i64(j, "gap_ms", (int64_t)(t->gap_ns / NS_PER_MS));
	td_json_member_str(j, "first_wrong", t->first_wrong);
	put_failures(j, t);
	put_nodes(j, t);
	put_events(j, t);
	*t = (struct tally){0};
	td_lock_give(&load->lock);
}

static void print_line(struct td_buf *line)
{
	const char *text = td_buf_cstr(line);
	(void)puts(text != NULL ? text : "{}");
	(void)fflush(stdout);
	td_buf_done(line);
}

static void print_stats(struct load *load)
{
	struct td_buf line = TD_BUF_INIT;
	struct td_json j = td_json_to(&line);
	td_json_open(&j, '{');
	put_tally(&j, load);
	put_state(&j, load->session);
	td_json_close(&j, '}');
	print_line(&line);
}

/* ---- commands */

/* False: the end. */
static bool obey(struct load *load, const char *command)
{
	if (strcmp(command, "stats") == 0)
		print_stats(load);
	return strcmp(command, "end") != 0;
}

/* Reads what is there, a command a line; false: the end. */
static bool read_commands(struct load *load)
{
	static char line[LINE_MOST];
	static size_t len;
	ssize_t got = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);
	if (got <= 0)
		return false;
	len += (size_t)got;
	line[len] = '\0';
	char *end;
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (!obey(load, line))
			return false;
		len -= (size_t)(end + 1 - line);
		memmove(line, end + 1, len + 1);
	}
	return len < sizeof(line) - 1;
}

static void run(struct load *load)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	bool goes_on = true;
	load->paced_ns = td_clock_mono_ns();
	while (goes_on) {
		if (poll(&input, 1, TICK_MS) > 0)
			goes_on = read_commands(load);
		keep_rate(load);
	}
}

/* What never ends shows in the last line: in_flight, and slowest_ms. */
static void wait_for_actors(struct load *load)
{
	uint64_t most_ns = (load->set[TIMEOUT_MS] + load->set[MARGIN_MS]) * NS_PER_MS;
	uint64_t until_ns = td_clock_mono_ns() + most_ns;
	size_t busy = 1;
	while (busy > 0 && td_clock_mono_ns() < until_ns) {
		(void)poll(NULL, 0, TICK_MS);
		td_lock_take(&load->lock);
		busy = note_busy(load);
		td_lock_give(&load->lock);
	}
}

/* ---- beginning */

static void refuse(const char *what)
{
	(void)fprintf(stderr, "cql_load: %s\n", what);
	exit(2);
}

static void take_points(struct load *load, char *list)
{
	char *rest = NULL;
	for (char *one = strtok_r(list, ",", &rest); one != NULL;
		one = strtok_r(NULL, ",", &rest)) {
		char *colon = strrchr(one, ':');
		if (colon == NULL || load->point_count == CQL_CONTACT_POINTS_MOST)
			refuse("contact points are HOST:PORT,HOST:PORT");
		*colon = '\0';
		load->points[load->point_count++] = (struct cql_contact_point){
			.name = one, .port = (uint16_t)strtoul(colon + 1, NULL, 10)};
	}
}

static void take_setting(struct load *load, const char *text)
{
	const char *value = strchr(text, '=');
	if (value == NULL)
		refuse("settings are NAME=VALUE");
	struct td_slice name = td_slice(text, (size_t)(value - text));
	if (td_slice_is(name, "table")) {
		(void)snprintf(load->table, sizeof(load->table), "%s", value + 1);
		return;
	}
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (td_slice_is(name, settings[i].name)) {
			load->set[i] = (unsigned)strtoul(value + 1, NULL, 10);
			return;
		}
	}
	refuse("no such setting");
}

static void configure(struct load *load, int argc, char **argv)
{
	if (argc < 2)
		refuse("usage: cql_load HOST:PORT[,HOST:PORT] [NAME=VALUE]");
	for (size_t i = 0; i < SETTING_COUNT; i++)
		load->set[i] = settings[i].standard;
	(void)snprintf(load->table, sizeof(load->table), "ks.items");
	take_points(load, argv[1]);
	for (int i = 2; i < argc; i++)
		take_setting(load, argv[i]);
}

static void open_session(struct load *load)
{
	struct td_err err = TD_ERR_INIT;
	struct cql_session_config config;
	cql_session_config_init(&config);
	config.contact_points = load->points;
	config.contact_point_count = load->point_count;
	config.node_connections = load->set[NODE_CONNECTIONS];
	config.heartbeat_ms = load->set[HEARTBEAT_MS];
	config.heartbeat_timeout_ms = load->set[HEARTBEAT_TIMEOUT_MS];
	config.speculative_ms = load->set[SPECULATIVE_MS];
	config.wants_lz4 = load->set[LZ4] != 0;
	config.notice = hear;
	config.ctx = load;
	load->opened_ns = td_clock_mono_ns();
	if (cql_session_open(&config, &load->session, &err) != TD_OK)
		refuse(err.text);
}

static struct cql_statement *state(struct load *load, const char *form)
{
	struct td_err err = TD_ERR_INIT;
	struct td_buf text = TD_BUF_INIT;
	struct cql_statement *statement = NULL;
	const char *gap = strchr(form, '%');
	td_buf_put(&text, form, (size_t)(gap - form));
	td_buf_put_str(&text, load->table);
	td_buf_put_str(&text, gap + 1);
	const char *cql = td_buf_cstr(&text);
	if (cql == NULL || cql_statement_create(load->session, cql, &statement, &err) != TD_OK)
		refuse("no memory");
	td_buf_done(&text);
	return statement;
}

static void make_actors(struct load *load)
{
	load->read = state(load, "SELECT key, version, body FROM % WHERE key = ?");
	load->write = state(load, "UPDATE % SET version = ?, body = ? WHERE key = ?");
	load->actor_count = load->set[WRITERS] + load->set[READERS];
	size_t keys = (size_t)load->set[WRITERS] * load->set[KEYS];
	load->actors = td_alloc_array(load->actor_count + 1, sizeof(load->actors[0]));
	load->keys = td_alloc_array(keys + 1, sizeof(load->keys[0]));
	if (load->actors == NULL || load->keys == NULL)
		refuse("no memory");
	memset(load->keys, 0, (keys + 1) * sizeof(load->keys[0]));
	for (size_t i = 0; i < load->actor_count; i++) {
		load->actors[i] = (struct actor){
			.query = CQL_QUERY_INIT, .load = load, .writes = i < load->set[WRITERS]};
		struct cql_query *query = &load->actors[i].query;
		query->consistency = (enum cql_consistency)load->set[CONSISTENCY];
		query->is_idempotent = true;
		query->timeout_ms = load->set[TIMEOUT_MS];
		query->done = done;
	}
}

static void print_member(const char *name, const char *text, int64_t number)
{
	struct td_buf line = TD_BUF_INIT;
	struct td_json j = td_json_to(&line);
	td_json_open(&j, '{');
	if (text != NULL)
		td_json_member_str(&j, name, text);
	else
		td_json_member_i64(&j, name, number);
	td_json_close(&j, '}');
	print_line(&line);
}

static void wait_for_session(struct load *load)
{
	struct td_err err = TD_ERR_INIT;
	while (cql_session_wait(load->session, WAIT_MS, &err) != TD_OK)
		print_member("waiting", err.text, 0);
	print_member("connected_ms", NULL,
		(int64_t)((td_clock_mono_ns() - load->opened_ns) / NS_PER_MS));
}

/* ---- */

static int end(struct load *load)
{
	cql_statement_free(load->read);
	cql_statement_free(load->write);
	cql_session_close(load->session);
	int code = EXIT_SUCCESS;
	for (size_t i = 0; i < load->actor_count; i++) {
		if (load->actors[i].is_busy)
			code = 3; /* not even closing has ended it */
		td_buf_done(&load->actors[i].values);
	}
	td_free(load->actors);
	td_free(load->keys);
	td_lock_done(&load->lock);
	return code;
}

int main(int argc, char **argv)
{
	static struct load load;
	td_lock_init(&load.lock);
	configure(&load, argc, argv);
	open_session(&load);
	make_actors(&load);
	wait_for_session(&load);
	run(&load);
	wait_for_actors(&load);
	print_stats(&load);
	return end(&load);
}
