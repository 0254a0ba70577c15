/* toy_counts.h: what happens in worlds with a filter, and is counted. */
#ifndef IOCPREUSE_TESTS_SIM_TOY_COUNTS_H
#define IOCPREUSE_TESTS_SIM_TOY_COUNTS_H

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

#endif
