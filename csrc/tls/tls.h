/* tls.h: TLS as a filter: an SSL object of the interpreter's, driven without the interpreter.
 *
 * The SSL object was made by Python's ssl module, which goes on owning it, and has all of its
 * callbacks. It reads from the step that is under way, and writes to it. */
#ifndef IOCPREUSE_TLS_TLS_H
#define IOCPREUSE_TLS_TLS_H

#include "../engine/bytes/filter.h"
#include "libssl.h"

/* Plain bytes of one record, and what the sealed one has more, at most. */
#define TLS_RECORD_MAX  16384u
#define TLS_RECORD_MORE 512u

/* What OpenSSL has said of a failure. Its texts are its own, and constant. */
typedef struct {
    unsigned long code;  /* 0 = it has said nothing */
    const char *library; /* or NULL */
    const char *reason;
    long verify; /* what was wrong with the peer's certificate; 0 = nothing, or it has none */
} tls_error_t;

/* OpenSSL, as the process has it, and what is made of it once. */
typedef struct {
    libssl_t calls;
    BIO_METHOD *method;
} tls_library_t;

typedef struct {
    const tls_library_t *library;
    SSL *ssl;
    BIO *bio;
    step_t *step; /* that is under way, or NULL */
    bool starved; /* it had no memory for what was to be put in it */
    tls_error_t error;
} tls_t;

/* Where the function at INDEX of LIBSSL_FUNCTIONS goes, and its name; NULL behind the last. */
const char *tls_library_name(size_t index);
void tls_library_set(tls_library_t *library, size_t index, void *function);

/* When all are set. False = no memory. */
bool tls_library_open(tls_library_t *library);

/* Drives SSL, which has done nothing yet, until tls_detach. False = no memory. */
bool tls_attach(tls_t *tls, const tls_library_t *library, SSL *ssl);

/* SSL is left without anything to read or write. */
void tls_detach(tls_t *tls);

/* The filter. SELF is a tls_t. */
extern const filter_type_t tls_filter;

#endif
