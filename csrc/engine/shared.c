#include "shared.h"

#include <stdlib.h>
#include <string.h>

#include "../base/atomics.h"
#include "../base/check.h"
#include "../base/copy.h"

/* Sendbufs made, and freed, together. */
#define RUN_BUFS 8u

typedef struct shared_run {
    struct shared_run *next; /* the maker's: of those that have some to take */
    shared_t *message;
    atomic_u64_t left; /* bufs that are not finished; the last one frees the run */
    sendbuf_t bufs[RUN_BUFS];
} shared_run_t;

struct shared {
    sendbuf_t whole;   /* first: what is released at the end, and the message with it */
    atomic_u64_t left; /* runs there are, and 1 for the maker */
    shared_run_t *runs;
    uint32_t taken; /* of the first run */
};

static shared_run_t *make_run(shared_t *message)
{
    shared_run_t *run = malloc(sizeof *run);
    if (run == NULL) {
        return NULL;
    }
    run->message = message;
    atomic_u64_store(&run->left, RUN_BUFS);
    return run;
}

shared_t *shared_new(const void *data, size_t len, void *owner, size_t count)
{
    size_t copied = owner == NULL ? len : 0;
    shared_t *message = malloc(sizeof *message + copied);
    if (message == NULL) {
        return NULL;
    }
    memset(message, 0, sizeof *message);
    if (copied > 0) {
        copy_bytes(message + 1, data, copied);
        data = message + 1;
    }
    message->whole = (sendbuf_t){.owner = owner, .data = data, .len = len, .last = true};
    atomic_u64_store(&message->left, 1);
    for (size_t made = 0; made < count; made += RUN_BUFS) {
        shared_run_t *run = make_run(message);
        if (run == NULL) {
            message->whole.owner = NULL; /* it stays the caller's */
            sendq_t none;
            sendq_init(&none);
            shared_close(message, &none);
            return NULL;
        }
        run->next = message->runs;
        message->runs = run;
        atomic_u64_add(&message->left, 1);
    }
    return message;
}

size_t shared_len(const shared_t *message)
{
    return message->whole.len;
}

sendbuf_t *shared_take(shared_t *message)
{
    shared_run_t *run = message->runs;
    CHECK(run != NULL);
    sendbuf_t *buf = &run->bufs[message->taken++];
    *buf = message->whole;
    buf->run = run;
    if (message->taken == RUN_BUFS) {
        message->runs = run->next;
        message->taken = 0;
    }
    return buf;
}

void shared_put(shared_t *message, sendq_t *to, slab_t *pages)
{
    if (!sendq_join(to, message->whole.data, message->whole.len, pages)) {
        sendq_push(to, shared_take(message));
    }
}

/* COUNT bufs of RUN are finished. What is to be released then, or NULL. */
static sendbuf_t *leave(shared_run_t *run, uint32_t count)
{
    shared_t *message = run->message;
    if (atomic_u64_add(&run->left, 0 - (uint64_t)count) > 0) {
        return NULL;
    }
    free(run);
    return atomic_u64_add(&message->left, (uint64_t)-1) > 0 ? NULL : &message->whole;
}

sendbuf_t *shared_finish(sendbuf_t *buf)
{
    return leave(buf->run, 1);
}

void shared_close(shared_t *message, sendq_t *done)
{
    uint32_t taken = message->taken;
    shared_run_t *run = message->runs;
    while (run != NULL) {
        shared_run_t *next = run->next;
        (void)leave(run, RUN_BUFS - taken); /* never the end: the maker still counts */
        taken = 0;
        run = next;
    }
    if (atomic_u64_add(&message->left, (uint64_t)-1) == 0) {
        sendq_release(&message->whole, done);
    }
}
