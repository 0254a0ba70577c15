/* asking.c: what the layer above does with requests: each has its memory, with references. */
#include "asking.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../csrc/base/list.h"

typedef struct {
    request_t request;
    atomic_u64_t references; /* the engine's while it is open, and those of who works on it */
} ask_t;

static void let_go(ask_t *ask)
{
    if (atomic_u64_add(&ask->references, (uint64_t)-1) == 0) {
        free(ask);
    }
}

/* Gives ASK to whoever takes it next; what stood there is forgotten. */
static void put(asking_t *asking, ask_t *ask)
{
    uint64_t at = atomic_u64_add(&asking->next, 1) % ASK_RING;
    ask_t *before = atomic_ptr_exchange(&asking->ring[at], ask);
    if (before != NULL) {
        let_go(before);
    }
}

void asking_begin(asking_t *asking, engine_t *engine, token_t token)
{
    ask_t *ask = calloc(1, sizeof *ask);
    if (ask == NULL) {
        return;
    }
    request_init(&ask->request);
    atomic_u64_store(&ask->references, 3);
    if (engine_begin_request(engine, token, &ask->request) != CALL_OK) {
        free(ask);
        return;
    }
    atomic_u64_add(&asking->begun, 1);
    put(asking, ask);
    put(asking, ask); /* two may answer it */
}

static void release(sendq_t *chain)
{
    sendq_t none;
    sendq_init(&none);
    sendq_clear(chain, &none);
}

static void answer_it(asking_t *asking, engine_t *engine, ask_t *ask, const void *answer,
                      size_t len)
{
    sendq_t chain;
    sendq_init(&chain);
    sendbuf_t *buf = sendbuf_copy(answer, len);
    if (buf == NULL) {
        return;
    }
    buf->last = true;
    sendq_push(&chain, buf);
    call_t why;
    token_t owner;
    reply_t reply = engine_reply(engine, &ask->request, &chain, NULL, &why, &owner);
    release(&chain);
    if (reply == REPLY_SENT) {
        atomic_u64_add(&asking->sent, 1);
        let_go(ask);
    } else if (reply == REPLY_DISOWNED || reply == REPLY_MOVED) {
        atomic_u64_add(&asking->wrong, 1);
    }
}

static void hand_over(asking_t *asking, engine_t *engine, ask_t *ask, token_t to)
{
    handover_t handover = engine_hand_over(engine, &ask->request, to, NULL);
    atomic_u64_add(&asking->handed, handover != HANDOVER_NONE);
    if (handover == HANDOVER_ANSWERED) {
        atomic_u64_add(&asking->passed, 1);
        let_go(ask);
    }
}

void asking_work(asking_t *asking, engine_t *engine, token_t to, const void *answer, size_t len)
{
    uint64_t at = atomic_u64_add(&asking->next, 7) % ASK_RING;
    ask_t *ask = atomic_ptr_exchange(&asking->ring[at], NULL);
    if (ask == NULL) {
        return;
    }
    if (to != TOKEN_NONE && at % 2 == 0) {
        hand_over(asking, engine, ask, to);
        put(asking, ask);
        return;
    }
    answer_it(asking, engine, ask, answer, len);
    let_go(ask);
}

void asking_lose(asking_t *asking, engine_t *engine, const event_t *event, token_t heir,
                 batch_t *batch)
{
    (void)engine_lose_requests(engine, event);
    request_t *request;
    while ((request = engine_lost_request(event)) != NULL) {
        sendq_t kept;
        handover_t handover = engine_pass_on(engine, request, heir, batch, &kept);
        release(&kept);
        atomic_u64_add(&asking->aborted, handover == HANDOVER_NONE);
        atomic_u64_add(&asking->passed, handover == HANDOVER_ANSWERED);
        if (handover != HANDOVER_OPEN) {
            let_go(LIST_ENTRY(request, ask_t, request));
        }
    }
}

void asking_end(asking_t *asking)
{
    for (uint32_t i = 0; i < ASK_RING; i++) {
        ask_t *ask = atomic_ptr_exchange(&asking->ring[i], NULL);
        if (ask != NULL) {
            let_go(ask);
        }
    }
}
