/* asking.h: requests of clients, answered, handed over and passed on by several threads at once. */
#ifndef IOCPREUSE_TESTS_ASKING_H
#define IOCPREUSE_TESTS_ASKING_H

#include "../../csrc/engine/engine.h"

#define ASK_RING 64u

typedef struct {
    atomic_ptr_t ring[ASK_RING]; /* requests that somebody may take to work on */
    atomic_u64_t next;
    atomic_u64_t begun;
    atomic_u64_t sent;   /* answered by their replies, */
    atomic_u64_t passed; /* and those whose answer had waited */
    atomic_u64_t aborted;
    atomic_u64_t handed;
    atomic_u64_t wrong; /* replies that came to what cannot be: must stay 0 */
} asking_t;

/* A client has asked. */
void asking_begin(asking_t *asking, engine_t *engine, token_t token);

/* Takes one of them, and answers it with LEN bytes, or hands it to TO. */
void asking_work(asking_t *asking, engine_t *engine, token_t to, const void *answer, size_t len);

/* The client of EVENT has gone: HEIR takes its requests over. */
void asking_lose(asking_t *asking, engine_t *engine, const event_t *event, token_t heir,
                 batch_t *batch);

/* All threads have ended: forgets the rest. */
void asking_end(asking_t *asking);

#endif
