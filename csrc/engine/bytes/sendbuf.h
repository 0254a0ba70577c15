/* sendbuf.h: a piece of what is to be sent, and whom its bytes belong to.
 *
 * A sendbuf owns its bytes: either they stand behind it (a copy), or OWNER keeps
 * them alive (a pinned object of the application), or it is one of many that share
 * a message (shared.h). The engine never looks at OWNER; it hands finished buffers to
 * whoever may release it, and then frees them with free(). */
#ifndef IOCPREUSE_ENGINE_SENDBUF_H
#define IOCPREUSE_ENGINE_SENDBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../base/atomics.h"

typedef struct sendbuf {
    struct sendbuf *next;
    struct sendrun *run;     /* where it belongs: to a shared message, */
    struct sendq_page *page; /* is the page's own: many messages; or (NULL) it stands alone */
    void *owner;             /* NULL = the bytes are a copy */
    const char *data;
    size_t len;
    size_t sent;
    bool last; /* ends a message: what one send() queued */
} sendbuf_t;

/* Sendbufs of one shared message, made and freed together. */
#define SENDRUN_BUFS 8u

typedef struct sendrun {
    struct sendrun *next;   /* the maker's: of those that have some to take */
    struct shared *message; /* shared.h */
    atomic_u64_t left;      /* bufs that are not finished; the last one frees the run */
    sendbuf_t bufs[SENDRUN_BUFS];
} sendrun_t;

/* What all runs of a shared message have in common. */
typedef struct shared {
    sendbuf_t whole;   /* first: what is released at the end, and the message with it */
    atomic_u64_t left; /* runs there are, and 1 for the maker */
    sendrun_t *runs;
    uint32_t taken; /* of the first run */
} shared_t;

/* A copy of LEN bytes, or with an OWNER a reference to them. NULL = no memory. */
sendbuf_t *sendbuf_copy(const void *data, size_t len);
sendbuf_t *sendbuf_pin(const void *data, size_t len, void *owner);

/* COUNT bufs of RUN are finished. Returns what is to be released instead of them: NULL, as long as
 * the message has others. */
sendbuf_t *sendrun_finish(sendrun_t *run, uint32_t count);

#endif
