/* libssl.h: what is called of the OpenSSL that the interpreter's ssl module has loaded.
 *
 * Nothing of it is linked or included: its functions are found by name in the running process. All
 * of these have been there, and as they are here, since OpenSSL 1.1.1. */
#ifndef IOCPREUSE_TLS_LIBSSL_H
#define IOCPREUSE_TLS_LIBSSL_H

#include <stddef.h>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;

#define LIBSSL_FUNCTIONS(X)                                                                        \
    X(int, SSL_do_handshake, (SSL * ssl))                                                          \
    X(int, SSL_read, (SSL * ssl, void *out, int len))                                              \
    X(int, SSL_write, (SSL * ssl, const void *data, int len))                                      \
    X(int, SSL_shutdown, (SSL * ssl))                                                              \
    X(int, SSL_pending, (const SSL *ssl))                                                          \
    X(int, SSL_get_error, (const SSL *ssl, int result))                                            \
    X(void, SSL_set_bio, (SSL * ssl, BIO * in, BIO * out))                                         \
    X(SSL_CTX *, SSL_get_SSL_CTX, (const SSL *ssl))                                                \
    X(long, SSL_get_verify_result, (const SSL *ssl))                                               \
    X(BIO_METHOD *, BIO_meth_new, (int type, const char *name))                                    \
    X(int, BIO_meth_set_write, (BIO_METHOD * method, int (*write)(BIO *, const char *, int)))      \
    X(int, BIO_meth_set_read, (BIO_METHOD * method, int (*read)(BIO *, char *, int)))              \
    X(int, BIO_meth_set_ctrl, (BIO_METHOD * method, long (*ctrl)(BIO *, int, long, void *)))       \
    X(int, BIO_get_new_index, (void))                                                              \
    X(BIO *, BIO_new, (const BIO_METHOD *method))                                                  \
    X(void, BIO_set_data, (BIO * bio, void *data))                                                 \
    X(void *, BIO_get_data, (BIO * bio))                                                           \
    X(void, BIO_set_init, (BIO * bio, int init))                                                   \
    X(void, BIO_set_flags, (BIO * bio, int flags))                                                 \
    X(void, BIO_clear_flags, (BIO * bio, int flags))                                               \
    X(unsigned long, ERR_get_error, (void))                                                        \
    X(void, ERR_clear_error, (void))                                                               \
    X(const char *, ERR_lib_error_string, (unsigned long error))                                   \
    X(const char *, ERR_reason_error_string, (unsigned long error))                                \
    X(const char *, X509_verify_cert_error_string, (long result))

/* Types and parameters cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
typedef struct {
#define LIBSSL_MEMBER(type, name, arguments) type(*name) arguments;
    LIBSSL_FUNCTIONS(LIBSSL_MEMBER)
#undef LIBSSL_MEMBER
} libssl_t;
/* NOLINTEND(bugprone-macro-parentheses) */

/* Values of SSL_get_error. */
#define LIBSSL_ERROR_SSL         1
#define LIBSSL_ERROR_WANT_READ   2
#define LIBSSL_ERROR_ZERO_RETURN 6

/* Flags of a BIO that has nothing now. */
#define LIBSSL_RETRY_READ  0x09
#define LIBSSL_RETRY_WRITE 0x0A
#define LIBSSL_RETRY_ALL   0x0F

#define LIBSSL_CTRL_FLUSH       11
#define LIBSSL_TYPE_SOURCE_SINK 0x0400

#endif
