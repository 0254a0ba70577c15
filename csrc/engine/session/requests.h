/* requests.h: the open requests of a session: what its client has asked, and nobody has answered.
 *
 * A request has one owner, the session that gets the answer, and stands in that one's list for as
 * long as it is open. It ends once: answered, or aborted. The caller of all but requests_init holds
 * the engine's requests_lock, a leaf, under which these lists and all that is in a request changes;
 * nothing is allocated or freed here: requests are the layer above's memory. */
#ifndef IOCPREUSE_ENGINE_REQUESTS_H
#define IOCPREUSE_ENGINE_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../base/atomics.h"
#include "../bytes/sendq.h"
#include "../life/token.h"

typedef enum {
    REQUEST_OPEN,     /* or not begun */
    REQUEST_ANSWERED, /* the answer is in its owner's send queue, or was */
    REQUEST_ABORTED   /* nobody gets an answer any more */
} request_state_t;

typedef struct request {
    struct request *prev;
    struct request *next;
    struct requests *list; /* its owner's; NULL = it is not open */
    atomic_u64_t owner;    /* token_t, the last one's when it is not open any more */
    atomic_u32_t state;    /* request_state_t; read without the lock */
    sendq_t kept;          /* an answer that came while its owner was going: for the next owner */
    bool has_kept;         /* which may be one of no bytes */
    bool passed;           /* it is answered with that, and no reply has said so yet */
} request_t;

/* A session's. All zero = none. */
typedef struct requests {
    request_t *first; /* the one that was begun or handed over first */
    request_t *last;
    bool told; /* they are being told as lost: none comes, and none is handed away, until each is
                * passed on */
} requests_t;

void request_init(request_t *request);

/* REQUEST, which is in no list, is open, and of OWNER, whose list it enters. */
void requests_add(requests_t *list, request_t *request, token_t owner);

/* REQUEST leaves its list, and is in STATE; OPEN only if it enters another at once. */
void requests_remove(request_t *request, request_state_t state);

/* Whether REQUEST is open, and of OWNER. */
bool request_is_of(request_t *request, token_t owner);

static inline request_state_t request_state(request_t *request)
{
    return (request_state_t)atomic_u32_load(&request->state);
}

#endif
