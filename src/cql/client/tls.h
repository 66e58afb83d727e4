/* TLS for connections to nodes, by OpenSSL (docs/adr/0010). A session is a filter between bytes of
 * a socket and plain bytes: it opens no socket and waits for nothing, so the loop stays the only
 * one that does. TLS 1.2 at least. */
#ifndef TD_CQL_CLIENT_TLS_H
#define TD_CQL_CLIENT_TLS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "cql/client/failure.h"

#include <stddef.h>

enum cql_tls_mode {
	CQL_TLS_REQUIRE,     /* encrypted; whoever answers is believed */
	CQL_TLS_VERIFY_CA,   /* the certificate is signed by an authority that we know, … */
	CQL_TLS_VERIFY_FULL, /* … and made out to the name that was asked for */
};

/* All files are PEM. */
struct cql_tls_config {
	enum cql_tls_mode mode;
	const char *ca_file;   /* certificates that are trusted; NULL: those of the system */
	const char *cert_file; /* ours, for servers that ask for one, with those between it and its
				  authority behind it; NULL: none */
	const char *key_file;  /* its key, without a password; NULL where cert_file is */
};

/* What all connections to a cluster share. */
struct cql_tls;

/* Reads the files; `config` is copied. Give it to cql_tls_destroy(). Errors name the file and what
 * to do, never what is in it.
 *   TD_INVALID  a file that holds no certificate or key, a key of another certificate, or with a
 *               password, one of cert_file and key_file without the other
 *   TD_IO       a file that cannot be read
 *   TD_UNAVAILABLE  OpenSSL's library is not there
 *   TD_NOMEM */
enum td_status cql_tls_create(const struct cql_tls_config *config, struct cql_tls **ret_tls,
	struct td_err *err) TD_MUST_CHECK;

/* NULL is fine. Sessions that are open go on. */
void cql_tls_destroy(struct cql_tls *tls);

/* Reads the files again if one of them has changed; sessions that are opened later have what they
 * hold now. Any thread. TD_OK, also where nothing has changed; else as cql_tls_create(), and all
 * stays as it was. */
enum td_status cql_tls_refresh(struct cql_tls *tls, struct td_err *err) TD_MUST_CHECK;

/* One connection's. One thread at a time. */
struct cql_tls_session;

/* `name`: a host's name, which the server is told (SNI), or a numeric address; the certificate's
 * subjectAltName must have it where the mode is CQL_TLS_VERIFY_FULL. Copied. Any thread. Give it
 * to cql_tls_session_free().
 *   TD_INVALID  a name of more than 255 bytes, or none
 *   TD_NOMEM */
enum td_status cql_tls_session_new(struct cql_tls *tls, const char *name,
	struct cql_tls_session **ret_session, struct td_err *err) TD_MUST_CHECK;
void cql_tls_session_free(struct cql_tls_session *session);

enum cql_tls_step {
	CQL_TLS_MORE,   /* nothing now: more must come from the server first */
	CQL_TLS_DONE,   /* as the function says */
	CQL_TLS_CLOSED, /* the server says that nothing follows */
	CQL_TLS_FAILED, /* *err and cql_tls_failure() say why; send what is in `out`, then close */
};

/* What came from the socket. TD_NOMEM. */
enum td_status cql_tls_feed(struct cql_tls_session *session, struct td_slice bytes) TD_MUST_CHECK;

/* The next step of the handshake, also the first, before anything came; what is to be sent comes
 * behind `out`. CQL_TLS_DONE: it is over. */
enum cql_tls_step cql_tls_shake(
	struct cql_tls_session *session, struct td_buf *out, struct td_err *err) TD_MUST_CHECK;

/* Plain bytes of what was fed, until CQL_TLS_MORE. CQL_TLS_DONE: *ret_len of them, at least one,
 * are at `to`. Something may have to be sent, too. */
enum cql_tls_step cql_tls_read(struct cql_tls_session *session, char *to, size_t size,
	size_t *ret_len, struct td_buf *out, struct td_err *err) TD_MUST_CHECK;

/* Encrypts behind `out`. TD_UNAVAILABLE: the session has failed; TD_NOMEM. */
enum td_status cql_tls_write(struct cql_tls_session *session, struct td_slice plain,
	struct td_buf *out, struct td_err *err) TD_MUST_CHECK;

/* Tells the server that nothing follows. */
void cql_tls_say_goodbye(struct cql_tls_session *session, struct td_buf *out);

/* After CQL_TLS_FAILED: TLS_REFUSED, TLS_MISSING (it speaks CQL without TLS), NOT_CQL, NOMEM. */
enum cql_failure cql_tls_failure(const struct cql_tls_session *session);

#endif
