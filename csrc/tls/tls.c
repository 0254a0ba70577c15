/* tls.c: TLS as a filter. */
#include "tls.h"

#include <string.h>

/* A record's plain bytes, and the largest sealed one. */
#define CHUNK_SIZE ((uint32_t)sizeof(chunk_t) + TLS_RECORD_MAX + TLS_RECORD_MORE)

static const char *const names[] = {
#define NAME(type, name, arguments) #name,
    LIBSSL_FUNCTIONS(NAME)
#undef NAME
};

#define NAMES_COUNT (sizeof names / sizeof names[0])

static const size_t places[] = {
#define PLACE(type, name, arguments) offsetof(libssl_t, name),
    LIBSSL_FUNCTIONS(PLACE)
#undef PLACE
};

const char *tls_library_name(size_t index)
{
    return index < NAMES_COUNT ? names[index] : NULL;
}

void tls_library_set(tls_library_t *library, size_t index, void *function)
{
    memcpy((char *)&library->calls + places[index], &function, sizeof function);
}

static tls_t *tls_of(const libssl_t *calls, BIO *bio)
{
    tls_t *tls = calls->BIO_get_data(bio);
    return tls == NULL || tls->step == NULL ? NULL : tls;
}

/* The library that a BIO's functions call: they get nothing but the BIO. Set once, before the first
 * of them is made, and the same for all. */
static const libssl_t *bio_calls;

static int bio_read(BIO *bio, char *out, int len)
{
    bio_calls->BIO_clear_flags(bio, LIBSSL_RETRY_ALL);
    tls_t *tls = tls_of(bio_calls, bio);
    uint32_t left = tls == NULL ? 0 : tls->step->in_len;
    if (left == 0 || len <= 0) {
        bio_calls->BIO_set_flags(bio, LIBSSL_RETRY_READ);
        return -1;
    }
    uint32_t part = left < (uint32_t)len ? left : (uint32_t)len;
    memcpy(out, tls->step->in, part);
    tls->step->in += part;
    tls->step->in_len -= part;
    return (int)part;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    bio_calls->BIO_clear_flags(bio, LIBSSL_RETRY_ALL);
    tls_t *tls = tls_of(bio_calls, bio);
    if (tls == NULL) {
        bio_calls->BIO_set_flags(bio, LIBSSL_RETRY_WRITE);
        return -1;
    }
    if (!filter_put(tls->step, data, (size_t)len)) {
        tls->starved = true;
        return -1;
    }
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == LIBSSL_CTRL_FLUSH;
}

bool tls_library_open(tls_library_t *library)
{
    const libssl_t *calls = &library->calls;
    int type = calls->BIO_get_new_index();
    library->method =
        type < 0 ? NULL : calls->BIO_meth_new(type | LIBSSL_TYPE_SOURCE_SINK, "iocpreuse");
    bio_calls = calls;
    return library->method != NULL && calls->BIO_meth_set_write(library->method, bio_write) == 1 &&
           calls->BIO_meth_set_read(library->method, bio_read) == 1 &&
           calls->BIO_meth_set_ctrl(library->method, bio_ctrl) == 1;
}

bool tls_attach(tls_t *tls, const tls_library_t *library, SSL *ssl)
{
    const libssl_t *calls = &library->calls;
    *tls = (tls_t){.library = library, .ssl = ssl};
    tls->bio = calls->BIO_new(library->method);
    if (tls->bio == NULL) {
        return false;
    }
    calls->BIO_set_data(tls->bio, tls);
    calls->BIO_set_init(tls->bio, 1);
    calls->SSL_set_bio(ssl, tls->bio, tls->bio); /* which owns it now */
    return true;
}

void tls_detach(tls_t *tls)
{
    tls->library->calls.BIO_set_data(tls->bio, NULL);
}

static const libssl_t *enter(tls_t *tls, step_t *step)
{
    const libssl_t *calls = &tls->library->calls;
    tls->step = step;
    tls->starved = false;
    calls->ERR_clear_error(); /* of this thread, which others may have left something in */
    return calls;
}

/* Keeps what OpenSSL says of the failure. */
static void keep_error(tls_t *tls)
{
    const libssl_t *calls = &tls->library->calls;
    tls_error_t *error = &tls->error;
    error->code = calls->ERR_get_error();
    if (error->code != 0) {
        error->library = calls->ERR_lib_error_string(error->code);
        error->reason = calls->ERR_reason_error_string(error->code);
    }
    error->verify = calls->SSL_get_verify_result(tls->ssl);
    calls->ERR_clear_error();
}

/* What a call that came to VALUE, which is none, means. */
static filter_result_t judge(tls_t *tls, int value)
{
    int error = tls->library->calls.SSL_get_error(tls->ssl, value);
    if (tls->starved) {
        return FILTER_NO_MEMORY;
    }
    if (error == LIBSSL_ERROR_WANT_READ) {
        return FILTER_GOES_ON;
    }
    if (error == LIBSSL_ERROR_ZERO_RETURN) {
        return FILTER_END;
    }
    keep_error(tls);
    return FILTER_FAILED;
}

static filter_result_t leave(tls_t *tls, filter_result_t result)
{
    tls->step = NULL;
    return tls->starved ? FILTER_NO_MEMORY : result;
}

static filter_result_t tls_open(void *self, step_t *step)
{
    tls_t *tls = self;
    const libssl_t *calls = enter(tls, step);
    int value = calls->SSL_do_handshake(tls->ssl);
    filter_result_t result = value == 1 ? FILTER_OPENED : judge(tls, value);
    /* A peer that says goodbye now has not said anything. */
    return leave(tls, result == FILTER_END ? FILTER_FAILED : result);
}

static filter_result_t tls_feed(void *self, step_t *step)
{
    tls_t *tls = self;
    const libssl_t *calls = enter(tls, step);
    filter_result_t result = FILTER_GOES_ON;
    while (step->len < step->room) {
        int value =
            calls->SSL_read(tls->ssl, step->plain + step->len, (int)(step->room - step->len));
        if (value <= 0) {
            result = judge(tls, value);
            break;
        }
        step->len += (uint32_t)value;
    }
    step->more = result == FILTER_GOES_ON && calls->SSL_pending(tls->ssl) > 0;
    return leave(tls, result);
}

static filter_result_t tls_seal(void *self, step_t *step)
{
    tls_t *tls = self;
    const libssl_t *calls = enter(tls, step);
    int value = calls->SSL_write(tls->ssl, step->data, (int)step->data_len);
    filter_result_t result = FILTER_GOES_ON;
    if (value != (int)step->data_len) {
        result = judge(tls, value);
        result = result == FILTER_NO_MEMORY ? result : FILTER_FAILED;
    }
    return leave(tls, result);
}

static filter_result_t tls_shut(void *self, step_t *step)
{
    tls_t *tls = self;
    const libssl_t *calls = enter(tls, step);
    (void)calls->SSL_shutdown(tls->ssl);
    calls->ERR_clear_error();
    return leave(tls, FILTER_GOES_ON);
}

const filter_type_t tls_filter = {TLS_RECORD_MAX, CHUNK_SIZE, tls_open,
                                  tls_feed,       tls_seal,   tls_shut};
