/* shared.h: one message for many send queues: its bytes stand once, however many wait for them.
 *
 * Every queue that has it by itself gets a sendbuf of its own, which tells how far that one has
 * come. They are all made beforehand, so that a broadcast fails as a whole or not at all, and in
 * runs of a few: a thousand receivers do not take a thousand allocations, and one that never reads
 * keeps a run, not a thousand. Whoever finishes the last of them frees the message, or hands on its
 * owner. */
#ifndef IOCPREUSE_ENGINE_SHARED_H
#define IOCPREUSE_ENGINE_SHARED_H

#include "sendq.h"

/* A message of LEN bytes for up to COUNT queues: a copy, or with an OWNER a reference to them.
 * NULL = no memory. The thread that makes it is the only one to take from it and to close it. */
shared_t *shared_new(const void *data, size_t len, void *owner, size_t count);

size_t shared_len(const shared_t *message);

/* Puts it behind what waits in TO: as a copy in a page where that is small, or as shared_take's. */
void shared_put(shared_t *message, sendq_t *to, slab_t *pages);

/* The next queue's sendbuf, a whole message; not more often than COUNT. */
sendbuf_t *shared_take(shared_t *message);

/* No more are taken. If all that were are finished, its owner goes to DONE. */
void shared_close(shared_t *message, sendq_t *done);

#endif
