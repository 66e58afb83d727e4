/* The server is the test: it answers each request, whole or cut anywhere. */
#include "td_test.h"

#include "base/alloc.h"
#include "cql/client/handshake.h"
#include "cql/protocol/error.h"

#include <string.h>

/* ---- answers */

static struct cql_frame frame_of(enum cql_opcode opcode, struct td_slice body)
{
	return (struct cql_frame){
		.header = {.version = CQL_V4, .opcode = opcode, .length = body.len}, .body = body};
}

#define FRAME(opcode, literal) frame_of(opcode, TD_SLICE(literal))

/* {"COMPRESSION": ["lz4"], "PROTOCOL_VERSIONS": ["4/v4", "5/v5"]} */
#define SUPPORTED                                              \
	FRAME(CQL_OP_SUPPORTED, "\0\2\0\x0b"                   \
				"COMPRESSION\0\1\0\3lz4\0\x11" \
				"PROTOCOL_VERSIONS\0\2\0\4"    \
				"4/v4\0\4"                     \
				"5/v5")
#define READY FRAME(CQL_OP_READY, "")
#define AUTHENTICATE \
	FRAME(CQL_OP_AUTHENTICATE, "\0\x2forg.apache.cassandra.auth.PasswordAuthenticator")
#define SUCCESS FRAME(CQL_OP_AUTH_SUCCESS, "\xff\xff\xff\xff")
#define TESTS                                               \
	FRAME(CQL_OP_RESULT, "\0\0\0\2\0\0\0\1\0\0\0\1\0\6" \
			     "system\0\5local\0\x0c"        \
			     "cluster_name\0\x0d\0\0\0\1\0\0\0\5tests")
#define KEYSPACE FRAME(CQL_OP_RESULT, "\0\0\0\3\0\2ks")

static struct cql_frame error_frame(struct td_buf *body, int32_t code, const char *words)
{
	td_buf_reset(body);
	cql_put_int(body, code);
	cql_put_string(body, td_slice_str(words));
	return frame_of(CQL_OP_ERROR, td_buf_slice(body));
}

/* ---- a handshake that is taken to a certain answer */

struct scene {
	struct cql_handshake_config config;
	struct cql_handshake h;
	struct td_buf out, body;
	struct td_err err;
};

static void begin(struct scene *s, struct cql_handshake_config config)
{
	*s = (struct scene){.config = config};
	if (config.version_most == 0)
		s->config.version_most = CQL_V5;
	cql_handshake_begin(&s->h, &s->config, &s->out);
}

static void finish(struct scene *s)
{
	td_buf_done(&s->out);
	td_buf_done(&s->body);
}

/* What is asked next, into s->out. */
static enum cql_step take(struct scene *s, struct cql_frame frame)
{
	td_buf_reset(&s->out);
	return cql_handshake_take(&s->h, &frame, &s->out, &s->err);
}

static bool asks(const struct scene *s, const char *words)
{
	return memmem(s->out.ptr, s->out.len, words, strlen(words)) != NULL;
}

static void take_more(struct scene *s, struct cql_frame frame, enum cql_opcode asked)
{
	assert_int_equal(take(s, frame), CQL_STEP_MORE);
	assert_int_equal(s->out.ptr[4], asked);
}

static void assert_failed(struct scene *s, struct cql_frame frame, enum cql_failure failure,
	enum td_status code, const char *words)
{
	assert_int_equal(take(s, frame), CQL_STEP_FAILED);
	assert_int_equal(s->h.failure, failure);
	assert_int_equal(s->err.code, code);
	assert_non_null(strstr(s->err.text, words));
	finish(s);
}

/* ---- */

static void test_each_step_follows_the_one_before(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, (struct cql_handshake_config){.wants_events = true,
			  .wants_lz4 = true,
			  .username = TD_SLICE("ana"),
			  .password = TD_SLICE("secret"),
			  .cluster_name = TD_SLICE("tests"),
			  .keyspace = TD_SLICE("k\"S")});
	assert_int_equal(s.out.ptr[4], CQL_OP_OPTIONS);
	take_more(&s, SUPPORTED, CQL_OP_STARTUP);
	assert_int_equal(s.out.ptr[0], CQL_V5);
	assert_false(s.h.has_segments);
	take_more(&s, AUTHENTICATE, CQL_OP_AUTH_RESPONSE);
	assert_true(s.h.has_segments && s.h.lz4);
	take_more(&s, SUCCESS, CQL_OP_QUERY);
	assert_true(asks(&s, "SELECT cluster_name FROM system.local"));
	take_more(&s, TESTS, CQL_OP_QUERY);
	assert_true(asks(&s, "USE \"k\"\"S\""));
	assert_string_equal(s.h.cluster_name, "tests");
	take_more(&s, KEYSPACE, CQL_OP_REGISTER);
	assert_int_equal(take(&s, READY), CQL_STEP_READY);
	assert_false(s.h.password_not_asked);
	finish(&s);
}

static void test_what_is_not_wanted_is_left_out(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, (struct cql_handshake_config){.version_most = CQL_V4});
	take_more(&s, SUPPORTED, CQL_OP_STARTUP);
	take_more(&s, READY, CQL_OP_QUERY);
	assert_false(s.h.has_segments || s.h.may_compress || s.h.lz4);
	assert_int_equal(take(&s, TESTS), CQL_STEP_READY);
	assert_int_equal(s.out.len, 0);
	finish(&s);
}

static void to_startup(struct scene *s, struct cql_handshake_config config)
{
	begin(s, config);
	take_more(s, SUPPORTED, CQL_OP_STARTUP);
}

static void to_cluster(struct scene *s, struct cql_handshake_config config)
{
	to_startup(s, config);
	take_more(s, READY, CQL_OP_QUERY);
}

static void test_another_cluster_is_refused_by_name(void **state)
{
	(void)state;
	struct scene s;
	to_cluster(&s, (struct cql_handshake_config){.cluster_name = TD_SLICE("production")});
	assert_failed(&s, TESTS, CQL_FAILURE_CLUSTER, TD_MISMATCH,
		"belongs to the cluster \"tests\", and \"production\" is wanted");
}

/* A name without end is kept in part, and compared as a whole. */
static void test_a_long_name_of_a_cluster_is_cut(void **state)
{
	(void)state;
	struct scene s;
	char name[299];
	struct td_buf body = TD_BUF_INIT;
	struct cql_frame answer = TESTS;
	memset(name, 'n', sizeof(name));
	memcpy(name + CQL_CLUSTER_NAME_SIZE - 2, "\xc3\xb1", 2); /* it would be cut in two */
	td_buf_put(&body, answer.body.ptr, answer.body.len - 9);
	cql_put_bytes(&body, td_slice(name, sizeof(name)));
	answer = frame_of(CQL_OP_RESULT, td_buf_slice(&body));
	to_cluster(&s, (struct cql_handshake_config){.cluster_name = td_slice(name, 299)});
	assert_int_equal(take(&s, answer), CQL_STEP_READY);
	assert_int_equal(strlen(s.h.cluster_name), CQL_CLUSTER_NAME_SIZE - 2);
	finish(&s);
	to_cluster(&s, (struct cql_handshake_config){.cluster_name = td_slice(name, 298)});
	assert_failed(&s, answer, CQL_FAILURE_CLUSTER, TD_MISMATCH, "belongs to the cluster");
	td_buf_done(&body);
}

static void test_no_name_of_a_cluster_is_a_fault_of_the_server(void **state)
{
	(void)state;
	struct scene s;
	to_cluster(&s, (struct cql_handshake_config){.wants_lz4 = false});
	assert_failed(&s,
		FRAME(CQL_OP_RESULT, "\0\0\0\2\0\0\0\1\0\0\0\1\0\6"
				     "system\0\5local\0\x0c"
				     "cluster_name\0\x0d\0\0\0\0"),
		CQL_FAILURE_SERVER, TD_CORRUPT, "does not tell the name");
	to_cluster(&s, (struct cql_handshake_config){.wants_lz4 = false});
	assert_failed(&s, KEYSPACE, CQL_FAILURE_SERVER, TD_CORRUPT, "does not tell the name");
}

/* ---- what the server says itself */

/* Where an error comes in answer to STARTUP. */
static void test_errors_have_their_classes(void **state)
{
	(void)state;
	static const struct {
		int32_t code;
		const char *words;
		enum cql_failure failure;
		enum td_status status;
	} rows[] = {
		{CQL_ERROR_PROTOCOL, "Invalid or unsupported protocol version (5); supported",
			CQL_FAILURE_VERSION, TD_MISMATCH},
		{CQL_ERROR_PROTOCOL,
			"Beta version of the protocol used (5/v5-beta), but USE_BETA flag "
			"is unset",
			CQL_FAILURE_VERSION, TD_MISMATCH},
		{CQL_ERROR_PROTOCOL, "Unknown compression algorithm: zip", CQL_FAILURE_SERVER,
			TD_UNAVAILABLE},
		{CQL_ERROR_AUTHENTICATION, "Provided username ana and/or password are incorrect",
			CQL_FAILURE_AUTH, TD_DENIED},
		{CQL_ERROR_AUTHENTICATION, "Unable to perform authentication: Cannot achieve",
			CQL_FAILURE_AUTH_UNAVAILABLE, TD_UNAVAILABLE},
		{CQL_ERROR_UNAUTHORIZED, "User ana has no", CQL_FAILURE_AUTH, TD_DENIED},
		{CQL_ERROR_OVERLOADED, "busy", CQL_FAILURE_OVERLOADED, TD_UNAVAILABLE},
		{CQL_ERROR_BOOTSTRAPPING, "joining", CQL_FAILURE_BOOTSTRAPPING, TD_UNAVAILABLE},
		{CQL_ERROR_INVALID, "what", CQL_FAILURE_SERVER, TD_UNAVAILABLE},
		{CQL_ERROR_SERVER, "NullPointerException", CQL_FAILURE_SERVER, TD_UNAVAILABLE},
		{0x7777, "of a later server", CQL_FAILURE_SERVER, TD_UNAVAILABLE},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct scene s;
		to_startup(&s, (struct cql_handshake_config){.wants_lz4 = true});
		struct cql_frame answer = error_frame(&s.body, rows[i].code, rows[i].words);
		int native = rows[i].code;
		assert_failed(&s, answer, rows[i].failure, rows[i].status, rows[i].words);
		assert_int_equal(s.err.native, native);
	}
}

static void test_a_missing_keyspace_has_a_class_of_its_own(void **state)
{
	(void)state;
	struct scene s;
	to_cluster(&s, (struct cql_handshake_config){.keyspace = TD_SLICE("nope")});
	take_more(&s, TESTS, CQL_OP_QUERY);
	assert_failed(&s, error_frame(&s.body, CQL_ERROR_INVALID, "Keyspace 'nope' does not exist"),
		CQL_FAILURE_KEYSPACE, TD_NOTFOUND, "nope");
	to_cluster(&s, (struct cql_handshake_config){.keyspace = TD_SLICE("nope")});
	take_more(&s, TESTS, CQL_OP_QUERY);
	assert_failed(&s, FRAME(CQL_OP_RESULT, "\0\0\0\1"), CQL_FAILURE_SERVER, TD_CORRUPT,
		"does not take the keyspace");
}

/* SUPPORTED of a Cassandra 2.1, if it listed its versions. */
static void test_a_server_that_is_too_old_is_told(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, (struct cql_handshake_config){.wants_lz4 = true});
	assert_failed(&s,
		FRAME(CQL_OP_SUPPORTED, "\0\1\0\x11"
					"PROTOCOL_VERSIONS\0\1\0\4"
					"3/v3"),
		CQL_FAILURE_VERSION, TD_MISMATCH, "2.2");
}

static void test_a_password_that_cannot_be_sent_is_denied(void **state)
{
	(void)state;
	struct scene s;
	to_startup(&s, (struct cql_handshake_config){.username = TD_SLICE("ana")});
	assert_failed(&s, AUTHENTICATE, CQL_FAILURE_AUTH, TD_DENIED, "");
}

static void test_a_password_is_remembered_that_nobody_asked_for(void **state)
{
	(void)state;
	struct scene s;
	to_cluster(&s, (struct cql_handshake_config){
			       .username = TD_SLICE("ana"), .password = TD_SLICE("secret")});
	assert_int_equal(take(&s, TESTS), CQL_STEP_READY);
	assert_true(s.h.password_not_asked);
	finish(&s);
}

/* ---- */

static const enum cql_opcode opcodes[] = {CQL_OP_READY, CQL_OP_AUTHENTICATE, CQL_OP_SUPPORTED,
	CQL_OP_RESULT, CQL_OP_EVENT, CQL_OP_AUTH_CHALLENGE, CQL_OP_AUTH_SUCCESS};

/* To where `step` answers were taken. */
static void to_step(struct scene *s, size_t step)
{
	begin(s, (struct cql_handshake_config){.wants_events = true,
			 .username = TD_SLICE("ana"),
			 .password = TD_SLICE("secret"),
			 .keyspace = TD_SLICE("ks")});
	const struct cql_frame answers[] = {SUPPORTED, AUTHENTICATE, SUCCESS, TESTS, KEYSPACE};
	for (size_t i = 0; i < step; i++)
		assert_int_equal(take(s, answers[i]), CQL_STEP_MORE);
}

static void test_an_answer_to_another_question_ends_it(void **state)
{
	(void)state;
	static const enum cql_opcode right[] = {CQL_OP_SUPPORTED, CQL_OP_AUTHENTICATE,
		CQL_OP_AUTH_SUCCESS, CQL_OP_RESULT, CQL_OP_RESULT, CQL_OP_READY};
	for (size_t step = 0; step < TD_ARRAY_LEN(right); step++)
		for (size_t i = 0; i < TD_ARRAY_LEN(opcodes); i++) {
			struct scene s;
			if (opcodes[i] == right[step] || (step == 1 && opcodes[i] == CQL_OP_READY))
				continue;
			to_step(&s, step);
			assert_failed(&s, frame_of(opcodes[i], TD_SLICE("")), CQL_FAILURE_SERVER,
				TD_CORRUPT, "during the handshake");
		}
}

/* Each answer cut anywhere: a failure with a reason, or (where what follows does not
 * matter) as the whole one. The bytes are a block of their own, so that a read behind them
 * is seen. */
static void test_a_cut_answer_is_a_failure(void **state)
{
	(void)state;
	const struct cql_frame answers[] = {SUPPORTED, AUTHENTICATE, SUCCESS, TESTS, KEYSPACE};
	for (size_t step = 0; step < TD_ARRAY_LEN(answers); step++)
		for (size_t len = 0; len < answers[step].body.len; len++) {
			struct scene s;
			char *bytes = td_alloc(len);
			assert_non_null(bytes);
			memcpy(bytes, answers[step].body.ptr, len);
			to_step(&s, step);
			enum cql_step got = take(
				&s, frame_of(answers[step].header.opcode, td_slice(bytes, len)));
			bool may_go_on = answers[step].header.opcode == CQL_OP_AUTH_SUCCESS;
			assert_true(got == CQL_STEP_FAILED || may_go_on);
			assert_true(may_go_on ||
				    (s.h.failure == CQL_FAILURE_SERVER &&
					    s.err.code == TD_CORRUPT && s.err.text[0] != '\0'));
			finish(&s);
			td_free(bytes);
		}
}

static void test_classes_have_names_and_words(void **state)
{
	(void)state;
	assert_string_equal(cql_failure_name(CQL_FAILURE_TLS_REFUSED), "TLS_REFUSED");
	assert_string_equal(cql_failure_words(CQL_FAILURE_KEYSPACE), "the keyspace is missing");
	assert_true(cql_failure_is_setting(CQL_FAILURE_AUTH));
	assert_false(cql_failure_is_setting(CQL_FAILURE_AUTH_UNAVAILABLE));
	assert_false(cql_failure_is_setting(CQL_FAILURE_LOST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_step_follows_the_one_before),
		cmocka_unit_test(test_what_is_not_wanted_is_left_out),
		cmocka_unit_test(test_another_cluster_is_refused_by_name),
		cmocka_unit_test(test_a_long_name_of_a_cluster_is_cut),
		cmocka_unit_test(test_no_name_of_a_cluster_is_a_fault_of_the_server),
		cmocka_unit_test(test_errors_have_their_classes),
		cmocka_unit_test(test_a_missing_keyspace_has_a_class_of_its_own),
		cmocka_unit_test(test_a_server_that_is_too_old_is_told),
		cmocka_unit_test(test_a_password_that_cannot_be_sent_is_denied),
		cmocka_unit_test(test_a_password_is_remembered_that_nobody_asked_for),
		cmocka_unit_test(test_an_answer_to_another_question_ends_it),
		cmocka_unit_test(test_a_cut_answer_is_a_failure),
		cmocka_unit_test(test_classes_have_names_and_words),
	};
	return cmocka_run_group_tests_name("cql/client/handshake", tests, NULL, NULL);
}
