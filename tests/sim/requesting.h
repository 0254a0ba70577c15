/* requesting.h: the application's requests, as the world knows them. */
#ifndef IOCPREUSE_TESTS_SIM_REQUESTING_H
#define IOCPREUSE_TESTS_SIM_REQUESTING_H

#include <stdbool.h>
#include <stdint.h>

#include "../../csrc/engine/engine.h"
#include "../../csrc/io/sim/rng.h"

#define ASKS_MAX 512u

/* An answer: the first LEN bytes of the stream MARK, in a chain that begins with HEAD. */
typedef struct {
    uint64_t mark;
    const sendbuf_t *head;
    uint64_t len;
} answer_t;

typedef enum { ASK_FREE, ASK_OPEN, ASK_ANSWERED, ASK_ABORTED } ask_state_t;

/* A request, as the application knows it. */
typedef struct {
    ask_state_t state;
    token_t owner;
    uint32_t busy; /* threads that are in a call on it */
    bool told;     /* its client has gone, and this is being told */
    bool passing;  /* and it is about to be aborted */
    bool has_kept;
    bool passed;      /* what was kept has been sent, and no reply has said so */
    bool told_passed; /* one has */
    answer_t answer;  /* of the reply that is under way, */
    answer_t kept;    /* and of the one that waits */
    request_t request;
} ask_t;

typedef struct {
    rng_t rng;     /* its own: worlds without it go on as they did */
    uint32_t odds; /* of 1024 */
    uint32_t last; /* the newest */
    uint32_t answers;
    call_t *admitted; /* of the call that is under way: whether a queue takes an answer */
    ask_t *replying;  /* what it replies to; NULL = it is no reply */
    ask_t asks[ASKS_MAX];
} requesting_t;

#endif
