/* toy_counts.h: what a world with a filter knows of its clients, and what is counted. */
#ifndef IOCPREUSE_TESTS_SIM_TOY_COUNTS_H
#define IOCPREUSE_TESTS_SIM_TOY_COUNTS_H

#include "../../csrc/engine/life/token.h"
#include "../../csrc/io/sim/rng.h"

/* What is counted, and happens in the default seeds. */
#define TOY_COUNTS(X)                                                                              \
    X(opened)         /* handshakes that were done */                                              \
    X(eager)          /* by clients that did not wait for our part */                              \
    X(failed)         /* sessions that never opened, */                                            \
    X(failed_timeout) /* because of their deadline, */                                             \
    X(failed_garbage) /* and because of what came */                                               \
    X(seals)          /* records sealed, */                                                        \
    X(seals_more)     /* and behind others of the same flush */                                    \
    X(chunks_more)    /* steps whose output filled a chunk */                                      \
    X(kept_back)      /* feeds that ran out of room */                                             \
    X(rekeys)         /* answers in the middle of a feed */                                        \
    X(alerts)         /* told to a client that had opened */                                       \
    X(goodbyes)       /* of ours that clients got, */                                              \
    X(goodbyes_heard) /* and of theirs */                                                          \
    X(after_goodbye)  /* bytes that came behind one */                                             \
    X(truncated)      /* sessions that ended without one */                                        \
    X(places_full)    /* clients that waited for a place */

typedef enum {
#define TOY_ENUM(name) TOY_##name,
    TOY_COUNTS(TOY_ENUM)
#undef TOY_ENUM
        TOY_COUNT
} toy_count_t;

struct toy_client;

/* Clients with a filter, by their numbers. */
typedef struct {
    rng_t rng; /* its own: worlds without it go on as they did */
    struct toy_client **clients;
    uint64_t count;
    uint64_t room;
    uint64_t failures; /* sessions that never opened */
    token_t *failed;   /* the last of them on each slot */
} toying_t;

#endif
