/* The other side is OpenSSL's server in the same thread: what one writes is given to the other, in
 * pieces of any length. */
#include "fault_alloc.h"
#include "td_test.h"
#include "tls_maker.h"

#include "base/alloc.h"
#include "cql/client/tls.h"

#include <string.h>
#include <unistd.h>

#define NAMES "DNS:db1.example,DNS:*.many.example,IP:127.0.0.1,IP:::1"

/* ---- certificates that all tests share */

static struct {
	struct temp_dir dir;
	struct tls_pair ca, node, other_ca, user;
} all;

static int make_all(void **state)
{
	(void)state;
	temp_dir_make(&all.dir);
	tls_make(&all.ca, &(struct tls_wish){.common_name = "authority"});
	tls_make(&all.other_ca, &(struct tls_wish){.common_name = "another"});
	tls_make(&all.node,
		&(struct tls_wish){.signer = &all.ca, .common_name = "cn", .alt_names = NAMES});
	tls_make(&all.user, &(struct tls_wish){.signer = &all.ca, .common_name = "user"});
	tls_write_cert(&all.ca, &all.dir, "ca.pem");
	tls_write_cert(&all.other_ca, &all.dir, "other.pem");
	tls_write_cert(&all.node, &all.dir, "node.pem");
	tls_write_cert(&all.user, &all.dir, "user.pem");
	tls_write_key(&all.user, NULL, &all.dir, "user.key");
	return 0;
}

static int end_all(void **state)
{
	(void)state;
	tls_done(&all.ca);
	tls_done(&all.other_ca);
	tls_done(&all.node);
	tls_done(&all.user);
	temp_dir_remove(&all.dir);
	return 0;
}

static const char *in_dir(const char *name)
{
	return temp_dir_path(&all.dir, name);
}

/* ---- the two sides */

struct scene {
	struct cql_tls *tls;
	struct cql_tls_session *session;
	SSL_CTX *context;
	SSL *server;
	BIO *to_server, *from_server;
	struct td_buf out; /* of the client, not given to the server yet */
	struct td_err err;
	size_t piece; /* bytes that are given at once */
	bool is_over, is_server_over;
};

static void begin_server(struct scene *s, SSL_CTX *context)
{
	s->context = context;
	s->server = SSL_new(context);
	s->to_server = BIO_new(BIO_s_mem());
	s->from_server = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(s->to_server, -1);
	SSL_set_bio(s->server, s->to_server, s->from_server);
	SSL_set_accept_state(s->server);
}

static void begin_with(
	struct scene *s, const struct cql_tls_config *config, const char *name, SSL_CTX *server)
{
	*s = (struct scene){.piece = 100000};
	begin_server(s, server);
	assert_int_equal(cql_tls_create(config, &s->tls, &s->err), TD_OK);
	assert_int_equal(cql_tls_session_new(s->tls, name, &s->session, &s->err), TD_OK);
}

static void begin(struct scene *s, enum cql_tls_mode mode, const char *ca, const char *name,
	const struct tls_pair *node)
{
	const struct cql_tls_config config = {
		.mode = mode, .ca_file = ca != NULL ? in_dir(ca) : NULL};
	begin_with(s, &config, name, tls_server(node, NULL));
}

static void finish(struct scene *s)
{
	cql_tls_session_free(s->session);
	cql_tls_destroy(s->tls);
	SSL_free(s->server);
	SSL_CTX_free(s->context);
	td_buf_done(&s->out);
}

/* What the client has to send goes to the server, who goes on with it. */
static void run_server(struct scene *s)
{
	assert_false(s->out.failed);
	for (size_t at = 0; at < s->out.len;) {
		size_t left = s->out.len - at, len = left < s->piece ? left : s->piece;
		assert_int_equal(BIO_write(s->to_server, s->out.ptr + at, (int)len), len);
		at += len;
		if (!s->is_server_over)
			s->is_server_over = SSL_do_handshake(s->server) == 1;
	}
	td_buf_reset(&s->out);
}

/* One piece of what the server has to send; false: it has nothing. */
static bool feed(struct scene *s)
{
	char bytes[20000];
	size_t len = s->piece < sizeof(bytes) ? s->piece : sizeof(bytes);
	int got = BIO_read(s->from_server, bytes, (int)len);
	if (got <= 0)
		return false;
	assert_int_equal(cql_tls_feed(s->session, td_slice(bytes, (size_t)got)), TD_OK);
	return true;
}

/* The handshake, as far as it comes. */
static enum cql_tls_step shake(struct scene *s)
{
	enum cql_tls_step step = cql_tls_shake(s->session, &s->out, &s->err);
	do {
		run_server(s);
		while (step == CQL_TLS_MORE && feed(s))
			step = cql_tls_shake(s->session, &s->out, &s->err);
	} while (step == CQL_TLS_MORE && s->out.len > 0);
	run_server(s);
	return step;
}

static void assert_shaken(struct scene *s)
{
	assert_int_equal(shake(s), CQL_TLS_DONE);
	assert_true(s->is_server_over);
}

static void assert_refused(struct scene *s, const char *words)
{
	assert_int_equal(shake(s), CQL_TLS_FAILED);
	assert_int_equal(cql_tls_failure(s->session), CQL_FAILURE_TLS_REFUSED);
	assert_int_equal(s->err.code, TD_DENIED);
	assert_non_null(strstr(s->err.text, words));
	assert_false(s->is_server_over);
	finish(s);
}

/* ---- bytes */

static void send_both_ways(struct scene *s, const char *bytes, char *got, size_t size)
{
	size_t len = 0, have = 0;
	struct td_slice plain = td_slice(bytes, size);
	assert_int_equal(cql_tls_write(s->session, plain, &s->out, &s->err), TD_OK);
	run_server(s);
	while (have < size && SSL_read_ex(s->server, got + have, size - have, &len) == 1)
		have += len;
	assert_int_equal(have, size);
	assert_memory_equal(got, bytes, size);
	memset(got, 0, size);
	assert_int_equal(SSL_write_ex(s->server, bytes, size, &len), 1);
	have = 0;
	while (feed(s))
		for (;;) {
			enum cql_tls_step step = cql_tls_read(
				s->session, got + have, size - have + 1, &len, &s->out, &s->err);
			if (step == CQL_TLS_MORE)
				break;
			assert_int_equal(step, CQL_TLS_DONE);
			have += len;
		}
	assert_int_equal(have, size);
	assert_memory_equal(got, bytes, size);
}

/* The handshake and what follows, in pieces of any length. */
static void test_bytes_arrive_whole_in_whatever_pieces(void **state)
{
	(void)state;
	static const size_t pieces[] = {1, 2, 3, 5, 64, 1000, 20000};
	const size_t size = 150000;
	char *bytes = td_alloc(size), *got = td_alloc(size + 1);
	assert_non_null(bytes);
	assert_non_null(got);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 31 + i / 251);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct scene s;
		begin(&s, CQL_TLS_VERIFY_FULL, "ca.pem", "db1.example", &all.node);
		s.piece = pieces[i];
		assert_shaken(&s);
		send_both_ways(&s, bytes, got, i < 3 ? 3000 : size);
		assert_string_equal(SSL_get_version(s.server), "TLSv1.3");
		finish(&s);
	}
	td_free(bytes);
	td_free(got);
}

static void test_the_end_is_told_both_ways(void **state)
{
	(void)state;
	struct scene s;
	char byte;
	size_t len;
	begin(&s, CQL_TLS_REQUIRE, NULL, "db1.example", &all.node);
	assert_shaken(&s);
	cql_tls_say_goodbye(s.session, &s.out);
	run_server(&s);
	assert_int_equal(SSL_read_ex(s.server, &byte, 1, &len), 0);
	assert_int_equal(SSL_get_error(s.server, 0), SSL_ERROR_ZERO_RETURN);
	(void)SSL_shutdown(s.server);
	while (feed(&s))
		;
	assert_int_equal(cql_tls_read(s.session, &byte, 1, &len, &s.out, &s.err), CQL_TLS_CLOSED);
	finish(&s);
}

/* A bit that was flipped on the way. */
static void test_a_changed_byte_ends_it(void **state)
{
	(void)state;
	struct scene s;
	char bytes[1000];
	size_t len;
	begin(&s, CQL_TLS_REQUIRE, NULL, "db1.example", &all.node);
	assert_shaken(&s);
	while (feed(&s)) /* tickets */
		;
	assert_int_equal(cql_tls_read(s.session, bytes, 1, &len, &s.out, &s.err), CQL_TLS_MORE);
	assert_int_equal(SSL_write(s.server, "hello", 5), 5);
	int got = BIO_read(s.from_server, bytes, sizeof(bytes));
	assert_true(got > 5);
	bytes[got - 1] ^= 1;
	assert_int_equal(cql_tls_feed(s.session, td_slice(bytes, (size_t)got)), TD_OK);
	assert_int_equal(cql_tls_read(s.session, bytes, 100, &len, &s.out, &s.err), CQL_TLS_FAILED);
	assert_int_equal(cql_tls_failure(s.session), CQL_FAILURE_TLS_REFUSED);
	assert_true(s.out.len > 0); /* an alert */
	assert_int_equal(
		cql_tls_write(s.session, TD_SLICE("more"), &s.out, &s.err), TD_UNAVAILABLE);
	finish(&s);
}

/* ---- certificates and names */

static void test_names_and_addresses_are_held_against_the_certificate(void **state)
{
	(void)state;
	static const struct {
		const char *name, *told; /* told to the server */
	} good[] = {{"db1.example", "db1.example"}, {"DB1.example", "DB1.example"},
		{"db1.example.", "db1.example"}, {"a.many.example", "a.many.example"},
		{"127.0.0.1", NULL}, {"::1", NULL}, {"0:0:0:0:0:0:0:1", NULL}};
	static const char *const bad[] = {"db2.example", "cn", "many.example", "a.b.many.example",
		"127.0.0.2", "::2", "xdb1.example", "db1.example.com"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct scene s;
		begin(&s, CQL_TLS_VERIFY_FULL, "ca.pem", good[i].name, &all.node);
		assert_shaken(&s);
		const char *told = SSL_get_servername(s.server, TLSEXT_NAMETYPE_host_name);
		if (good[i].told == NULL)
			assert_null(told);
		else
			assert_string_equal(told, good[i].told);
		finish(&s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct scene s;
		begin(&s, CQL_TLS_VERIFY_FULL, "ca.pem", bad[i], &all.node);
		assert_refused(&s, bad[i]);
		begin(&s, CQL_TLS_VERIFY_CA, "ca.pem", bad[i], &all.node);
		assert_shaken(&s);
		finish(&s);
	}
}

/* The common name is no name of a host, even where there is nothing else. */
static void test_only_the_alternative_names_count(void **state)
{
	(void)state;
	struct scene s;
	struct tls_pair bare;
	tls_make(&bare, &(struct tls_wish){.signer = &all.ca, .common_name = "db1.example"});
	begin(&s, CQL_TLS_VERIFY_FULL, "ca.pem", "db1.example", &bare);
	assert_refused(&s, "subjectAltName");
	tls_done(&bare);
}

static void test_an_unknown_authority_is_refused(void **state)
{
	(void)state;
	struct scene s;
	static const enum cql_tls_mode modes[] = {CQL_TLS_VERIFY_CA, CQL_TLS_VERIFY_FULL};
	for (size_t i = 0; i < 2; i++) {
		begin(&s, modes[i], "other.pem", "db1.example", &all.node);
		assert_refused(&s, "must be among those that are trusted");
		begin(&s, modes[i], NULL, "db1.example", &all.node);
		assert_refused(&s, "must be among those that are trusted");
	}
	begin(&s, CQL_TLS_REQUIRE, "other.pem", "db2.example", &all.node);
	assert_shaken(&s);
	finish(&s);
}

/* Also without its authority. */
static void test_a_certificate_of_the_file_is_trusted_as_it_is(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, CQL_TLS_VERIFY_FULL, "node.pem", "127.0.0.1", &all.node);
	assert_shaken(&s);
	finish(&s);
}

static void test_dates_are_looked_at(void **state)
{
	(void)state;
	static const struct {
		long from_s, to_s;
		const char *words;
	} rows[] = {{-7200, -3600, "expired: renew it"}, {3600, 7200, "not yet valid: renew it"}};
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		struct tls_pair old;
		tls_make(&old, &(struct tls_wish){.signer = &all.ca,
				       .common_name = "old",
				       .alt_names = NAMES,
				       .from_s = rows[i].from_s,
				       .to_s = rows[i].to_s});
		begin(&s, CQL_TLS_VERIFY_FULL, "ca.pem", "db1.example", &old);
		assert_refused(&s, rows[i].words);
		tls_done(&old);
	}
}

/* TLS 1.1 is not spoken. */
static void test_an_old_protocol_is_refused(void **state)
{
	(void)state;
	struct scene s;
	SSL_CTX *server = tls_server(&all.node, NULL);
	SSL_CTX_set_security_level(server, 0);
	assert_int_equal(SSL_CTX_set_min_proto_version(server, TLS1_VERSION), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION), 1);
	const struct cql_tls_config config = {.mode = CQL_TLS_REQUIRE};
	begin_with(&s, &config, "db1.example", server);
	assert_refused(&s, "TLS 1.2 or 1.3");
	server = tls_server(&all.node, NULL);
	assert_int_equal(SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION), 1);
	begin_with(&s, &config, "db1.example", server);
	assert_shaken(&s);
	assert_string_equal(SSL_get_version(s.server), "TLSv1.2");
	finish(&s);
}

/* ---- what is no TLS */

static void test_a_server_without_tls_is_named(void **state)
{
	(void)state;
	const struct {
		struct td_slice bytes;
		enum cql_failure failure;
		const char *words;
	} rows[] = {
		{TD_SLICE("\x85\0\0\0\0\0\0\0\x02"), CQL_FAILURE_TLS_MISSING, "does not speak TLS"},
		{TD_SLICE("\x84"), CQL_FAILURE_TLS_MISSING, "does not speak TLS"},
		{TD_SLICE("HTTP/1.1 400 Bad Request\r\n"), CQL_FAILURE_NOT_CQL, "HTTP"},
		{TD_SLICE("SSH-2.0-OpenSSH"), CQL_FAILURE_NOT_CQL, "SSH"},
		{TD_SLICE("\x07"), CQL_FAILURE_NOT_CQL, "07"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene s;
		begin(&s, CQL_TLS_REQUIRE, NULL, "db1.example", &all.node);
		assert_int_equal(cql_tls_shake(s.session, &s.out, &s.err), CQL_TLS_MORE);
		assert_int_equal(cql_tls_feed(s.session, rows[i].bytes), TD_OK);
		assert_int_equal(cql_tls_shake(s.session, &s.out, &s.err), CQL_TLS_FAILED);
		assert_int_equal(cql_tls_failure(s.session), rows[i].failure);
		assert_non_null(strstr(s.err.text, rows[i].words));
		finish(&s);
	}
}

/* ---- our own certificate */

static const char *client_name(const struct scene *s)
{
	static char name[64];
	X509 *cert = SSL_get0_peer_certificate(s->server);
	assert_non_null(cert);
	assert_true(X509_NAME_get_text_by_NID(
			    X509_get_subject_name(cert), NID_commonName, name, sizeof(name)) > 0);
	return name;
}

static void test_a_certificate_of_ours_is_shown(void **state)
{
	(void)state;
	struct scene s;
	char byte;
	size_t len;
	const struct cql_tls_config config = {.mode = CQL_TLS_VERIFY_FULL,
		.ca_file = in_dir("ca.pem"),
		.cert_file = in_dir("user.pem"),
		.key_file = in_dir("user.key")};
	begin_with(&s, &config, "db1.example", tls_server(&all.node, &all.ca));
	assert_shaken(&s);
	assert_string_equal(client_name(&s), "user");
	finish(&s);
	/* In TLS 1.3 the refusal comes when the client thinks that all is well. */
	const struct cql_tls_config without = {.mode = CQL_TLS_REQUIRE};
	begin_with(&s, &without, "db1.example", tls_server(&all.node, &all.ca));
	assert_int_equal(shake(&s), CQL_TLS_DONE);
	assert_true(feed(&s));
	assert_int_equal(cql_tls_read(s.session, &byte, 1, &len, &s.out, &s.err), CQL_TLS_FAILED);
	assert_int_equal(cql_tls_failure(s.session), CQL_FAILURE_TLS_REFUSED);
	assert_non_null(strstr(s.err.text, "a certificate of ours"));
	finish(&s);
}

static void shake_again(struct scene *s)
{
	cql_tls_session_free(s->session);
	s->session = NULL;
	assert_int_equal(cql_tls_session_new(s->tls, "db1.example", &s->session, &s->err), TD_OK);
	SSL_free(s->server);
	s->is_server_over = false;
	begin_server(s, s->context);
	assert_shaken(s);
}

/* New files for new sessions; what cannot be used changes nothing. */
static void test_files_that_changed_are_read_again(void **state)
{
	(void)state;
	struct scene s;
	struct tls_pair next;
	tls_make(&next, &(struct tls_wish){.signer = &all.ca, .common_name = "next"});
	tls_write_cert(&all.user, &all.dir, "now.pem");
	tls_write_key(&all.user, NULL, &all.dir, "now.key");
	const struct cql_tls_config config = {.mode = CQL_TLS_VERIFY_FULL,
		.ca_file = in_dir("ca.pem"),
		.cert_file = in_dir("now.pem"),
		.key_file = in_dir("now.key")};
	begin_with(&s, &config, "db1.example", tls_server(&all.node, &all.ca));
	assert_int_equal(cql_tls_refresh(s.tls, &s.err), TD_OK);
	tls_write_cert(&next, &all.dir, "now.pem"); /* and not its key yet */
	assert_int_equal(cql_tls_refresh(s.tls, &s.err), TD_INVALID);
	assert_non_null(strstr(s.err.text, "does not belong"));
	shake_again(&s);
	assert_string_equal(client_name(&s), "user");
	tls_write_key(&next, NULL, &all.dir, "now.key");
	assert_int_equal(cql_tls_refresh(s.tls, &s.err), TD_OK);
	shake_again(&s);
	assert_string_equal(client_name(&s), "next");
	assert_int_equal(remove(in_dir("now.key")), 0);
	assert_int_equal(cql_tls_refresh(s.tls, &s.err), TD_IO);
	shake_again(&s);
	assert_string_equal(client_name(&s), "next");
	finish(&s);
	tls_done(&next);
}

/* ---- files that cannot be used */

static void assert_no_files(
	struct cql_tls_config config, enum td_status status, const char *path, const char *words)
{
	struct cql_tls *tls = NULL;
	struct td_err err = TD_ERR_INIT;
	assert_int_equal(cql_tls_create(&config, &tls, &err), status);
	assert_null(tls);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, words));
	assert_null(strstr(err.text, "swordfish"));
}

static void test_files_that_cannot_be_used_are_named(void **state)
{
	(void)state;
	const char *cert = in_dir("user.pem"), *key = in_dir("user.key"), *ca = in_dir("ca.pem");
	temp_dir_write_text(&all.dir, "bad.pem", "-----BEGIN CERTIFICATE-----\nswordfish\n");
	assert_no_files((struct cql_tls_config){.ca_file = "/no/such.pem"}, TD_IO, "/no/such.pem",
		"No such file");
	assert_no_files((struct cql_tls_config){.ca_file = all.dir.path}, TD_INVALID, all.dir.path,
		"must be PEM");
	assert_no_files((struct cql_tls_config){.ca_file = in_dir("bad.pem")}, TD_INVALID,
		"bad.pem", "must be PEM");
	assert_no_files((struct cql_tls_config){.ca_file = key}, TD_INVALID, key, "must be PEM");
	assert_no_files((struct cql_tls_config){.cert_file = in_dir("bad.pem"), .key_file = key},
		TD_INVALID, "bad.pem", "must be PEM");
	assert_no_files((struct cql_tls_config){.cert_file = "/no/cert.pem", .key_file = key},
		TD_IO, "/no/cert.pem", "No such file");
	assert_no_files((struct cql_tls_config){.cert_file = cert, .key_file = "/no/user.key"},
		TD_IO, "/no/user.key", "No such file");
	assert_no_files((struct cql_tls_config){.cert_file = cert, .key_file = cert}, TD_INVALID,
		cert, "BEGIN PRIVATE KEY");
	assert_no_files((struct cql_tls_config){.cert_file = ca, .key_file = key}, TD_INVALID, ca,
		"does not belong");
	assert_no_files((struct cql_tls_config){.cert_file = cert}, TD_INVALID, "", "go together");
	assert_no_files((struct cql_tls_config){.key_file = key}, TD_INVALID, "", "go together");
}

/* The right password stands ready for whoever asks on a terminal or reads standard input. */
static void test_nobody_is_asked_for_a_password(void **state)
{
	(void)state;
	int ends[2], before = dup(STDIN_FILENO);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "swordfish\n", 10), 10);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	(void)close(ends[0]);
	(void)close(ends[1]);
	tls_write_key(&all.user, "swordfish", &all.dir, "locked.key");
	assert_no_files((struct cql_tls_config){.cert_file = in_dir("user.pem"),
				.key_file = in_dir("locked.key")},
		TD_INVALID, "locked.key", "without a password");
	assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
	(void)close(before);
}

static void test_a_name_that_is_none_is_refused(void **state)
{
	(void)state;
	struct cql_tls *tls;
	struct cql_tls_session *session;
	char name[300];
	const struct cql_tls_config config = {.mode = CQL_TLS_REQUIRE};
	assert_int_equal(cql_tls_create(&config, &tls, NULL), TD_OK);
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(cql_tls_session_new(tls, name, &session, NULL), TD_INVALID);
	assert_int_equal(cql_tls_session_new(tls, "", &session, NULL), TD_INVALID);
	name[255] = '\0';
	assert_int_equal(cql_tls_session_new(tls, name, &session, NULL), TD_OK);
	cql_tls_session_free(session);
	cql_tls_destroy(tls);
}

static bool make_without_memory(void *ctx)
{
	struct cql_tls *tls;
	struct cql_tls_session *session;
	struct td_err err = TD_ERR_INIT;
	if (cql_tls_create(ctx, &tls, &err) != TD_OK) {
		assert_int_equal(err.code, TD_NOMEM);
		return false;
	}
	enum td_status status = cql_tls_session_new(tls, "db1.example", &session, &err);
	if (status == TD_OK)
		cql_tls_session_free(session);
	else
		assert_int_equal(status, TD_NOMEM);
	cql_tls_destroy(tls);
	return status == TD_OK;
}

static void test_no_memory_is_told_and_leaks_nothing(void **state)
{
	(void)state;
	struct cql_tls_config config = {.mode = CQL_TLS_VERIFY_CA,
		.ca_file = in_dir("ca.pem"),
		.cert_file = in_dir("user.pem"),
		.key_file = in_dir("user.key")};
	assert_int_equal(fault_alloc_each(make_without_memory, &config), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_arrive_whole_in_whatever_pieces),
		cmocka_unit_test(test_the_end_is_told_both_ways),
		cmocka_unit_test(test_a_changed_byte_ends_it),
		cmocka_unit_test(test_names_and_addresses_are_held_against_the_certificate),
		cmocka_unit_test(test_only_the_alternative_names_count),
		cmocka_unit_test(test_an_unknown_authority_is_refused),
		cmocka_unit_test(test_a_certificate_of_the_file_is_trusted_as_it_is),
		cmocka_unit_test(test_dates_are_looked_at),
		cmocka_unit_test(test_an_old_protocol_is_refused),
		cmocka_unit_test(test_a_server_without_tls_is_named),
		cmocka_unit_test(test_a_certificate_of_ours_is_shown),
		cmocka_unit_test(test_files_that_changed_are_read_again),
		cmocka_unit_test(test_files_that_cannot_be_used_are_named),
		cmocka_unit_test(test_nobody_is_asked_for_a_password),
		cmocka_unit_test(test_a_name_that_is_none_is_refused),
		cmocka_unit_test(test_no_memory_is_told_and_leaks_nothing),
	};
	return cmocka_run_group_tests_name("cql/client/tls", tests, make_all, end_all);
}
