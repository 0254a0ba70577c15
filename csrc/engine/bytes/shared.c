/* shared.c: one message for many send queues. */
#include "shared.h"

#include <stdlib.h>
#include <string.h>

#include "../../base/check.h"
#include "../../base/copy.h"

static sendrun_t *make_run(shared_t *message)
{
    sendrun_t *run = malloc(sizeof *run);
    if (run == NULL) {
        return NULL;
    }
    run->message = message;
    atomic_u64_store(&run->left, SENDRUN_BUFS);
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
    for (size_t made = 0; made < count; made += SENDRUN_BUFS) {
        sendrun_t *run = make_run(message);
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
    sendrun_t *run = message->runs;
    CHECK(run != NULL);
    sendbuf_t *buf = &run->bufs[message->taken++];
    *buf = message->whole;
    buf->run = run;
    if (message->taken == SENDRUN_BUFS) {
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

void shared_close(shared_t *message, sendq_t *done)
{
    uint32_t taken = message->taken;
    sendrun_t *run = message->runs;
    while (run != NULL) {
        sendrun_t *next = run->next;
        (void)sendrun_finish(run, SENDRUN_BUFS - taken); /* never the end: the maker still counts */
        taken = 0;
        run = next;
    }
    if (atomic_u64_add(&message->left, (uint64_t)-1) == 0) {
        sendq_release(&message->whole, done);
    }
}
