/* Keys and certificates of the test's own (P-256, made in a millisecond), and a server that has
 * them. All of it asserts that it worked. */
#ifndef TD_TESTS_SUPPORT_TLS_MAKER_H
#define TD_TESTS_SUPPORT_TLS_MAKER_H

#include "temp_dir.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

struct tls_pair {
	EVP_PKEY *key;
	X509 *cert;
};

struct tls_wish {
	const struct tls_pair *signer; /* NULL: it signs itself, and may sign others */
	const char *common_name;
	const char *alt_names; /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
	long from_s, to_s;     /* seconds from now; both 0: an hour before to an hour after */
};

void tls_make(struct tls_pair *pair, const struct tls_wish *wish);
void tls_done(struct tls_pair *pair);

/* The certificate, or the key (with a password where that is not NULL), as PEM. */
void tls_write_cert(const struct tls_pair *pair, const struct temp_dir *dir, const char *name);
void tls_write_key(const struct tls_pair *pair, const char *password, const struct temp_dir *dir,
	const char *name);

/* What a server shows; `client_signer`: whose certificates it wants of clients, or NULL. Give it to
 * SSL_CTX_free(). */
SSL_CTX *tls_server(const struct tls_pair *pair, const struct tls_pair *client_signer);

#endif
