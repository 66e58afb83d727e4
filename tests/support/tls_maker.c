#include "tls_maker.h"

#include "td_test.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define HOUR_S 3600

static void add_extension(X509 *cert, X509 *issuer, int id, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, id, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void set_names(X509 *cert, X509 *issuer, const struct tls_wish *wish)
{
	X509_NAME *name = X509_get_subject_name(cert);
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
				 (const unsigned char *)wish->common_name, -1, -1, 0),
		1);
	assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(issuer)), 1);
	if (wish->signer == NULL)
		add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
	if (wish->alt_names != NULL)
		add_extension(cert, issuer, NID_subject_alt_name, wish->alt_names);
}

void tls_make(struct tls_pair *pair, const struct tls_wish *wish)
{
	static long serial;
	bool is_usual = wish->from_s == 0 && wish->to_s == 0;
	pair->key = EVP_EC_gen("P-256");
	pair->cert = X509_new();
	assert_non_null(pair->key);
	assert_non_null(pair->cert);
	X509 *issuer = wish->signer != NULL ? wish->signer->cert : pair->cert;
	assert_int_equal(X509_set_version(pair->cert, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(pair->cert), ++serial), 1);
	X509_gmtime_adj(X509_getm_notBefore(pair->cert), is_usual ? -HOUR_S : wish->from_s);
	X509_gmtime_adj(X509_getm_notAfter(pair->cert), is_usual ? HOUR_S : wish->to_s);
	assert_int_equal(X509_set_pubkey(pair->cert, pair->key), 1);
	set_names(pair->cert, issuer, wish);
	EVP_PKEY *key = wish->signer != NULL ? wish->signer->key : pair->key;
	assert_true(X509_sign(pair->cert, key, EVP_sha256()) > 0);
}

void tls_done(struct tls_pair *pair)
{
	EVP_PKEY_free(pair->key);
	X509_free(pair->cert);
}

static void write_pem(BIO *pem, const struct temp_dir *dir, const char *name)
{
	char *bytes = NULL;
	long len = BIO_get_mem_data(pem, &bytes);
	assert_true(len > 0);
	temp_dir_write(dir, name, bytes, (size_t)len);
	BIO_free(pem);
}

void tls_write_cert(const struct tls_pair *pair, const struct temp_dir *dir, const char *name)
{
	BIO *pem = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(pem, pair->cert), 1);
	write_pem(pem, dir, name);
}

void tls_write_key(const struct tls_pair *pair, const char *password, const struct temp_dir *dir,
	const char *name)
{
	BIO *pem = BIO_new(BIO_s_mem());
	const EVP_CIPHER *cipher = password != NULL ? EVP_aes_256_cbc() : NULL;
	int len = password != NULL ? (int)strlen(password) : 0;
	assert_int_equal(
		PEM_write_bio_PKCS8PrivateKey(pem, pair->key, cipher, password, len, NULL, NULL),
		1);
	write_pem(pem, dir, name);
}

SSL_CTX *tls_server(const struct tls_pair *pair, const struct tls_pair *client_signer)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	assert_non_null(context);
	assert_int_equal(SSL_CTX_use_certificate(context, pair->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, pair->key), 1);
	if (client_signer != NULL) {
		X509_STORE *store = SSL_CTX_get_cert_store(context);
		assert_int_equal(X509_STORE_add_cert(store, client_signer->cert), 1);
		SSL_CTX_set_verify(
			context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	return context;
}
