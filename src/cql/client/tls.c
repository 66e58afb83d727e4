#include "cql/client/tls.h"

#include "base/alloc.h"
#include "cql/client/openssl_library.h"
#include "cql/protocol/frame.h"
#include "work/lock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE     256
#define WRITE_AT_ONCE 65536 /* so that OpenSSL's own buffer stays small */
#define ALERT_RECORD  0x15  /* RFC 8446 section 5.1 */
#define SHAKE_RECORD  0x16

/* What tells a file from what it was. */
struct look {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec written, changed;
};

enum {
	CA_FILE,
	CERT_FILE,
	KEY_FILE,
	FILE_COUNT,
};

struct cql_tls {
	enum cql_tls_mode mode;
	char *paths[FILE_COUNT]; /* NULL: not set */
	struct td_lock lock;
	SSL_CTX *context;              /* guarded by lock */
	struct look looks[FILE_COUNT]; /* guarded by lock: of the files before they were read */
};

struct cql_tls_session {
	SSL *ssl;
	BIO *in, *out; /* ssl's */
	bool is_checked;
	bool has_heard; /* the first byte was looked at */
	enum cql_failure failure;
	char name[NAME_SIZE];
};

/* ---- the files */

/* OpenSSL's words for what went wrong last. */
static const char *reason(void)
{
	const char *words = ERR_reason_error_string(ERR_peek_last_error());
	return words != NULL ? words : "no reason given";
}

static enum td_status no_memory(struct td_err *err)
{
	return td_err_set(err, TD_NOMEM, "no memory for TLS");
}

static struct look look_at(const char *path)
{
	struct stat st;
	if (path == NULL || stat(path, &st) != 0)
		return (struct look){.inode = 0};
	return (struct look){st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct look *a, const struct look *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       is_same_time(a->written, b->written) && is_same_time(a->changed, b->changed);
}

/* OpenSSL does not say which file, and seldom why. */
static enum td_status check_readable(const char *path, const char *what, struct td_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return td_err_errno(err, TD_IO, errno, "cannot read %s %s", what, path);
	(void)close(fd);
	return TD_OK;
}

static enum td_status load_authorities(SSL_CTX *context, const char *path, struct td_err *err)
{
	if (path == NULL) {
		if (SSL_CTX_set_default_verify_paths(context) != 1)
			return no_memory(err);
		return TD_OK;
	}
	enum td_status status = check_readable(path, "the file of trusted certificates", err);
	if (status == TD_OK && SSL_CTX_load_verify_file(context, path) != 1)
		status = td_err_set(err, TD_INVALID,
			"the file of trusted certificates %s holds none that can be read (%s): it "
			"must be PEM (-----BEGIN CERTIFICATE-----)",
			path, reason());
	return status;
}

static enum td_status load_cert(SSL_CTX *context, const char *path, struct td_err *err)
{
	enum td_status status = check_readable(path, "the certificate", err);
	if (status == TD_OK && SSL_CTX_use_certificate_chain_file(context, path) != 1)
		status = td_err_set(err, TD_INVALID,
			"the certificate %s cannot be used (%s): it must be PEM (-----BEGIN "
			"CERTIFICATE-----)",
			path, reason());
	return status;
}

static enum td_status load_key(
	SSL_CTX *context, const char *path, const char *cert_path, struct td_err *err)
{
	enum td_status status = check_readable(path, "the key", err);
	if (status != TD_OK)
		return status;
	if (SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1)
		return TD_OK;
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return td_err_set(err, TD_INVALID,
			"the key %s does not belong to the certificate %s", path, cert_path);
	return td_err_set(err, TD_INVALID,
		"the key %s cannot be used (%s): it must be PEM (-----BEGIN PRIVATE KEY-----), "
		"without a password",
		path, reason());
}

/* Without it OpenSSL would ask on the terminal. */
static int give_no_password(char *to, int size, int writing, void *ctx)
{
	(void)to, (void)size, (void)writing, (void)ctx;
	return -1;
}

static enum td_status load(const struct cql_tls *tls, SSL_CTX *context, struct td_err *err)
{
	bool checks = tls->mode != CQL_TLS_REQUIRE;
	SSL_CTX_set_verify(context, checks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_default_passwd_cb(context, give_no_password);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
	/* What stands in the file is trusted, be it a root or not: so a node's own certificate
	 * will do. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
		return no_memory(err);
	enum td_status status = load_authorities(context, tls->paths[CA_FILE], err);
	if (status == TD_OK && tls->paths[CERT_FILE] != NULL)
		status = load_cert(context, tls->paths[CERT_FILE], err);
	if (status == TD_OK && tls->paths[KEY_FILE] != NULL)
		status = load_key(context, tls->paths[KEY_FILE], tls->paths[CERT_FILE], err);
	return status;
}

/* Reads the files anew. The looks are taken before: what changes meanwhile is read again. */
static enum td_status read_files(const struct cql_tls *tls, SSL_CTX **ret_context,
	struct look looks[FILE_COUNT], struct td_err *err)
{
	ERR_clear_error();
	for (size_t i = 0; i < FILE_COUNT; i++)
		looks[i] = look_at(tls->paths[i]);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	enum td_status status = context != NULL ? load(tls, context, err) : no_memory(err);
	ERR_clear_error();
	if (status == TD_OK)
		*ret_context = context;
	else
		SSL_CTX_free(context);
	return status;
}

static enum td_status copy_paths(
	struct cql_tls *tls, const struct cql_tls_config *config, struct td_err *err)
{
	const char *const paths[FILE_COUNT] = {
		config->ca_file, config->cert_file, config->key_file};
	if ((config->cert_file == NULL) != (config->key_file == NULL))
		return td_err_set(err, TD_INVALID,
			"a certificate and its key go together: set both files or neither");
	for (size_t i = 0; i < FILE_COUNT; i++) {
		tls->paths[i] = paths[i] != NULL ? td_strdup(paths[i]) : NULL;
		if (paths[i] != NULL && tls->paths[i] == NULL)
			return no_memory(err);
	}
	return TD_OK;
}

enum td_status cql_tls_create(
	const struct cql_tls_config *config, struct cql_tls **ret_tls, struct td_err *err)
{
	enum td_status status = openssl_library_load(err);
	if (status != TD_OK)
		return status;
	struct cql_tls *tls = td_alloc_zero(sizeof(*tls));
	if (tls == NULL)
		return no_memory(err);
	tls->mode = config->mode;
	td_lock_init(&tls->lock);
	status = copy_paths(tls, config, err);
	if (status == TD_OK)
		status = read_files(tls, &tls->context, tls->looks, err);
	if (status == TD_OK)
		*ret_tls = tls;
	else
		cql_tls_destroy(tls);
	return status;
}

void cql_tls_destroy(struct cql_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	td_lock_done(&tls->lock);
	for (size_t i = 0; i < FILE_COUNT; i++)
		td_free(tls->paths[i]);
	td_free(tls);
}

static bool has_changed(struct cql_tls *tls)
{
	bool changed = false;
	td_lock_take(&tls->lock);
	for (size_t i = 0; i < FILE_COUNT; i++) {
		struct look now = look_at(tls->paths[i]);
		changed = changed || !is_same(&now, &tls->looks[i]);
	}
	td_lock_give(&tls->lock);
	return changed;
}

enum td_status cql_tls_refresh(struct cql_tls *tls, struct td_err *err)
{
	SSL_CTX *context = NULL;
	struct look looks[FILE_COUNT];
	if (!has_changed(tls))
		return TD_OK;
	enum td_status status = read_files(tls, &context, looks, err);
	if (status != TD_OK)
		return status;
	td_lock_take(&tls->lock);
	SSL_CTX *before = tls->context;
	tls->context = context;
	memcpy(tls->looks, looks, sizeof(looks));
	td_lock_give(&tls->lock);
	SSL_CTX_free(before);
	return TD_OK;
}

/* ---- a session */

/* The server is told names, not numeric addresses (RFC 6066 section 3); only the subjectAltName
 * counts (RFC 9525 section 6). */
static bool set_name(struct cql_tls_session *s, bool is_full)
{
	unsigned char address[16];
	size_t len = 0;
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
	if (inet_pton(AF_INET, s->name, address) == 1)
		len = 4;
	else if (inet_pton(AF_INET6, s->name, address) == 1)
		len = 16;
	if (len == 0 && SSL_set_tlsext_host_name(s->ssl, s->name) != 1)
		return false;
	if (!is_full)
		return true;
	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return len != 0 ? X509_VERIFY_PARAM_set1_ip(param, address, len) == 1
			: X509_VERIFY_PARAM_set1_host(param, s->name, 0) == 1;
}

static bool set_up(struct cql_tls_session *s, struct cql_tls *tls)
{
	td_lock_take(&tls->lock);
	s->ssl = SSL_new(tls->context);
	td_lock_give(&tls->lock);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	if (s->ssl == NULL || s->in == NULL || s->out == NULL) {
		BIO_free(s->in);
		BIO_free(s->out);
		return false;
	}
	BIO_set_mem_eof_return(s->in, -1); /* empty: more may come */
	SSL_set_bio(s->ssl, s->in, s->out);
	SSL_set_connect_state(s->ssl);
	return set_name(s, tls->mode == CQL_TLS_VERIFY_FULL);
}

enum td_status cql_tls_session_new(struct cql_tls *tls, const char *name,
	struct cql_tls_session **ret_session, struct td_err *err)
{
	size_t len = strlen(name);
	if (len > 1 && name[len - 1] == '.') /* "db1.example." is db1.example */
		len--;
	if (len == 0 || len >= NAME_SIZE)
		return td_err_set(err, TD_INVALID,
			"a host's name of %zu bytes cannot be held against a certificate", len);
	struct cql_tls_session *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return no_memory(err);
	memcpy(s->name, name, len);
	s->is_checked = tls->mode != CQL_TLS_REQUIRE;
	bool is_made = set_up(s, tls);
	ERR_clear_error();
	if (!is_made) {
		cql_tls_session_free(s);
		return no_memory(err);
	}
	*ret_session = s;
	return TD_OK;
}

void cql_tls_session_free(struct cql_tls_session *session)
{
	if (session == NULL)
		return;
	SSL_free(session->ssl); /* and its BIOs */
	td_free(session);
}

enum cql_failure cql_tls_failure(const struct cql_tls_session *session)
{
	return session->failure;
}

/* ---- what is told when it fails */

static enum cql_tls_step fail(struct cql_tls_session *s, enum cql_failure failure)
{
	s->failure = failure;
	return CQL_TLS_FAILED;
}

static const char *advice_on_certificate(long code)
{
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return ": renew it, or set this machine's clock";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return ": the certificate of its authority must be among those that are trusted";
	default:
		return "";
	}
}

static void tell_certificate(const struct cql_tls_session *s, struct td_err *err)
{
	long code = SSL_get_verify_result(s->ssl);
	if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH)
		(void)td_err_set(err, TD_DENIED,
			"the server's certificate is refused: it is not made out to %s (%s): its "
			"subjectAltName must have that, or the node be called by another name",
			s->name, X509_verify_cert_error_string(code));
	else
		(void)td_err_set(err, TD_DENIED, "the server's certificate is refused: %s%s",
			X509_verify_cert_error_string(code), advice_on_certificate(code));
}

/* What the server's alert is about (RFC 8446 section 6.2). */
static const char *advice_on_alert(int why)
{
	switch (why - SSL_AD_REASON_OFFSET) {
	case SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case TLS13_AD_CERTIFICATE_REQUIRED:
		return ": it may want a certificate of ours that it trusts";
	case SSL_AD_PROTOCOL_VERSION:
		return ": it must speak TLS 1.2 or 1.3";
	default:
		return "";
	}
}

/* By OpenSSL's queue of this thread. */
static enum cql_tls_step tell(struct cql_tls_session *s, struct td_err *err)
{
	int why = ERR_GET_REASON(ERR_peek_last_error());
	if (why == ERR_R_MALLOC_FAILURE) {
		(void)no_memory(err);
		return fail(s, CQL_FAILURE_NOMEM);
	}
	if (s->is_checked && why == SSL_R_CERTIFICATE_VERIFY_FAILED)
		tell_certificate(s, err);
	else
		(void)td_err_set(err, TD_DENIED, "TLS with the server failed: %s%s", reason(),
			advice_on_alert(why));
	ERR_clear_error();
	return fail(s, CQL_FAILURE_TLS_REFUSED);
}

/* True where the first bytes are none of TLS: OpenSSL would speak of versions and lengths. */
static bool is_plain(struct cql_tls_session *s, struct td_err *err)
{
	char *bytes = NULL;
	long len = BIO_get_mem_data(s->in, &bytes);
	if (s->has_heard || len <= 0)
		return false;
	s->has_heard = true;
	if (bytes[0] == ALERT_RECORD || bytes[0] == SHAKE_RECORD)
		return false;
	if (cql_header_sniff(td_slice(bytes, (size_t)len), err) != TD_OK) {
		s->failure = CQL_FAILURE_NOT_CQL;
	} else {
		(void)td_err_set(err, TD_MISMATCH,
			"the server does not speak TLS on this port: turn it on there, or off "
			"here");
		s->failure = CQL_FAILURE_TLS_MISSING;
	}
	return true;
}

/* ---- bytes */

enum td_status cql_tls_feed(struct cql_tls_session *session, struct td_slice bytes)
{
	td_assert(bytes.len <= INT_MAX);
	int len = (int)bytes.len;
	bool is_in = BIO_write(session->in, bytes.ptr, len) == len;
	ERR_clear_error();
	return is_in || len == 0 ? TD_OK : TD_NOMEM;
}

/* What is to be sent. */
static void take_out(struct cql_tls_session *s, struct td_buf *out)
{
	size_t len = BIO_ctrl_pending(s->out);
	char *to = len > 0 ? td_buf_reserve(out, len) : NULL;
	int got = to != NULL ? BIO_read(s->out, to, (int)len) : 0;
	if (got > 0)
		out->len += (size_t)got;
}

enum cql_tls_step cql_tls_shake(
	struct cql_tls_session *session, struct td_buf *out, struct td_err *err)
{
	if (is_plain(session, err))
		return CQL_TLS_FAILED;
	ERR_clear_error();
	int rc = SSL_do_handshake(session->ssl);
	take_out(session, out);
	if (rc == 1)
		return CQL_TLS_DONE;
	return SSL_get_error(session->ssl, rc) == SSL_ERROR_WANT_READ ? CQL_TLS_MORE
								      : tell(session, err);
}

enum cql_tls_step cql_tls_read(struct cql_tls_session *session, char *to, size_t size,
	size_t *ret_len, struct td_buf *out, struct td_err *err)
{
	ERR_clear_error();
	int rc = SSL_read_ex(session->ssl, to, size, ret_len);
	take_out(session, out);
	if (rc == 1)
		return CQL_TLS_DONE;
	switch (SSL_get_error(session->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return CQL_TLS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		return CQL_TLS_CLOSED;
	default:
		return tell(session, err);
	}
}

enum td_status cql_tls_write(struct cql_tls_session *session, struct td_slice plain,
	struct td_buf *out, struct td_err *err)
{
	ERR_clear_error();
	while (plain.len > 0) {
		size_t len = plain.len < WRITE_AT_ONCE ? plain.len : WRITE_AT_ONCE, written = 0;
		if (SSL_write_ex(session->ssl, plain.ptr, len, &written) != 1) {
			(void)tell(session, err);
			return session->failure == CQL_FAILURE_NOMEM ? TD_NOMEM : TD_UNAVAILABLE;
		}
		take_out(session, out);
		plain = td_slice_skip(plain, written);
	}
	return TD_OK;
}

void cql_tls_say_goodbye(struct cql_tls_session *session, struct td_buf *out)
{
	if (session->failure == CQL_FAILURE_NONE && SSL_is_init_finished(session->ssl))
		(void)SSL_shutdown(session->ssl);
	ERR_clear_error();
	take_out(session, out);
}
