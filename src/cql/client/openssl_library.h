/* OpenSSL is loaded when the first session wants TLS: a program that never does pays nothing for
 * it, neither at its start nor in memory. Behind OpenSSL's own headers: from here on its functions
 * are those that were found. */
#ifndef TD_CQL_CLIENT_OPENSSL_LIBRARY_H
#define TD_CQL_CLIENT_OPENSSL_LIBRARY_H

#include "base/err.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/*    result, name, parameters: what we use, and what macros of OpenSSL's headers use for us */
#define OPENSSL_FUNCTION_MAP(X)                                                               \
	X(long, BIO_ctrl, (BIO * b, int c, long l, void *p))                                  \
	X(size_t, BIO_ctrl_pending, (BIO * b))                                                \
	X(int, BIO_free, (BIO * b))                                                           \
	X(BIO *, BIO_new, (const BIO_METHOD *m))                                              \
	X(int, BIO_read, (BIO * b, void *d, int n))                                           \
	X(const BIO_METHOD *, BIO_s_mem, (void))                                              \
	X(int, BIO_write, (BIO * b, const void *d, int n))                                    \
	X(void, ERR_clear_error, (void))                                                      \
	X(unsigned long, ERR_peek_last_error, (void))                                         \
	X(const char *, ERR_reason_error_string, (unsigned long e))                           \
	X(long, SSL_ctrl, (SSL * s, int o, long l, void *p))                                  \
	X(long, SSL_CTX_ctrl, (SSL_CTX * c, int o, long l, void *p))                          \
	X(void, SSL_CTX_free, (SSL_CTX * c))                                                  \
	X(X509_VERIFY_PARAM *, SSL_CTX_get0_param, (SSL_CTX * c))                             \
	X(int, SSL_CTX_load_verify_file, (SSL_CTX * c, const char *f))                        \
	X(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *m))                                      \
	X(void, SSL_CTX_set_default_passwd_cb, (SSL_CTX * c, pem_password_cb * p))            \
	X(int, SSL_CTX_set_default_verify_paths, (SSL_CTX * c))                               \
	X(uint64_t, SSL_CTX_set_options, (SSL_CTX * c, uint64_t o))                           \
	X(void, SSL_CTX_set_verify, (SSL_CTX * c, int m, SSL_verify_cb v))                    \
	X(int, SSL_CTX_use_certificate_chain_file, (SSL_CTX * c, const char *f))              \
	X(int, SSL_CTX_use_PrivateKey_file, (SSL_CTX * c, const char *f, int t))              \
	X(int, SSL_do_handshake, (SSL * s))                                                   \
	X(void, SSL_free, (SSL * s))                                                          \
	X(X509_VERIFY_PARAM *, SSL_get0_param, (SSL * s))                                     \
	X(int, SSL_get_error, (const SSL *s, int r))                                          \
	X(long, SSL_get_verify_result, (const SSL *s))                                        \
	X(int, SSL_is_init_finished, (const SSL *s))                                          \
	X(SSL *, SSL_new, (SSL_CTX * c))                                                      \
	X(int, SSL_read_ex, (SSL * s, void *d, size_t n, size_t *r))                          \
	X(void, SSL_set_bio, (SSL * s, BIO * r, BIO * w))                                     \
	X(void, SSL_set_connect_state, (SSL * s))                                             \
	X(int, SSL_shutdown, (SSL * s))                                                       \
	X(int, SSL_write_ex, (SSL * s, const void *d, size_t n, size_t *r))                   \
	X(const SSL_METHOD *, TLS_client_method, (void))                                      \
	X(const char *, X509_verify_cert_error_string, (long e))                              \
	X(int, X509_VERIFY_PARAM_set1_host, (X509_VERIFY_PARAM * p, const char *n, size_t l)) \
	X(int, X509_VERIFY_PARAM_set1_ip,                                                     \
		(X509_VERIFY_PARAM * p, const unsigned char *i, size_t l))                    \
	X(int, X509_VERIFY_PARAM_set_flags, (X509_VERIFY_PARAM * p, unsigned long f))         \
	X(void, X509_VERIFY_PARAM_set_hostflags, (X509_VERIFY_PARAM * p, unsigned int f))

struct openssl_functions {
#define OPENSSL_FIELD(result, name, parameters) result(*name) parameters;
	OPENSSL_FUNCTION_MAP(OPENSSL_FIELD)
#undef OPENSSL_FIELD
};

/* Read-only once openssl_library_load() has been here. */
extern struct openssl_functions openssl_functions;

/* Before any of them is called. Any thread. TD_UNAVAILABLE: OpenSSL is not installed, or is another
 * version. */
enum td_status openssl_library_load(struct td_err *err) TD_MUST_CHECK;

#ifndef OPENSSL_LIBRARY_ITSELF
#define BIO_ctrl                           openssl_functions.BIO_ctrl
#define BIO_ctrl_pending                   openssl_functions.BIO_ctrl_pending
#define BIO_free                           openssl_functions.BIO_free
#define BIO_new                            openssl_functions.BIO_new
#define BIO_read                           openssl_functions.BIO_read
#define BIO_s_mem                          openssl_functions.BIO_s_mem
#define BIO_write                          openssl_functions.BIO_write
#define ERR_clear_error                    openssl_functions.ERR_clear_error
#define ERR_peek_last_error                openssl_functions.ERR_peek_last_error
#define ERR_reason_error_string            openssl_functions.ERR_reason_error_string
#define SSL_ctrl                           openssl_functions.SSL_ctrl
#define SSL_CTX_ctrl                       openssl_functions.SSL_CTX_ctrl
#define SSL_CTX_free                       openssl_functions.SSL_CTX_free
#define SSL_CTX_get0_param                 openssl_functions.SSL_CTX_get0_param
#define SSL_CTX_load_verify_file           openssl_functions.SSL_CTX_load_verify_file
#define SSL_CTX_new                        openssl_functions.SSL_CTX_new
#define SSL_CTX_set_default_passwd_cb      openssl_functions.SSL_CTX_set_default_passwd_cb
#define SSL_CTX_set_default_verify_paths   openssl_functions.SSL_CTX_set_default_verify_paths
#define SSL_CTX_set_options                openssl_functions.SSL_CTX_set_options
#define SSL_CTX_set_verify                 openssl_functions.SSL_CTX_set_verify
#define SSL_CTX_use_certificate_chain_file openssl_functions.SSL_CTX_use_certificate_chain_file
#define SSL_CTX_use_PrivateKey_file        openssl_functions.SSL_CTX_use_PrivateKey_file
#define SSL_do_handshake                   openssl_functions.SSL_do_handshake
#define SSL_free                           openssl_functions.SSL_free
#define SSL_get0_param                     openssl_functions.SSL_get0_param
#define SSL_get_error                      openssl_functions.SSL_get_error
#define SSL_get_verify_result              openssl_functions.SSL_get_verify_result
#define SSL_is_init_finished               openssl_functions.SSL_is_init_finished
#define SSL_new                            openssl_functions.SSL_new
#define SSL_read_ex                        openssl_functions.SSL_read_ex
#define SSL_set_bio                        openssl_functions.SSL_set_bio
#define SSL_set_connect_state              openssl_functions.SSL_set_connect_state
#define SSL_shutdown                       openssl_functions.SSL_shutdown
#define SSL_write_ex                       openssl_functions.SSL_write_ex
#define TLS_client_method                  openssl_functions.TLS_client_method
#define X509_verify_cert_error_string      openssl_functions.X509_verify_cert_error_string
#define X509_VERIFY_PARAM_set1_host        openssl_functions.X509_VERIFY_PARAM_set1_host
#define X509_VERIFY_PARAM_set1_ip          openssl_functions.X509_VERIFY_PARAM_set1_ip
#define X509_VERIFY_PARAM_set_flags        openssl_functions.X509_VERIFY_PARAM_set_flags
#define X509_VERIFY_PARAM_set_hostflags    openssl_functions.X509_VERIFY_PARAM_set_hostflags
#endif

#endif
