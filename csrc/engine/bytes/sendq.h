/* sendq.h: what a session has queued to send, in order: a chain of sendbufs.
 *
 * Small messages that wait behind others are moved together, in pages: a page is one sendbuf, and
 * leaves as one piece, but knows where each of its messages ends. */
#ifndef IOCPREUSE_ENGINE_SENDQ_H
#define IOCPREUSE_ENGINE_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../io/io.h"
#include "sendbuf.h"
#include "slab.h"

/* The size of PAGES' buffers. */
#define SENDQ_PAGE_BYTES 4096u

/* A chain of sendbufs in order; also how finished ones are handed on. */
typedef struct {
    sendbuf_t *head;
    sendbuf_t *tail;
    uint64_t bytes; /* not yet sent */
    bool begun;     /* buffers of the first message have been finished already */
} sendq_t;

void sendq_init(sendq_t *queue);
void sendq_push(sendq_t *queue, sendbuf_t *buf);

/* A message of a queue, or (BUF is NULL) its end. */
typedef struct {
    const sendbuf_t *buf; /* where it begins */
    size_t start;         /* in a page, so many bytes behind the page's first, */
    uint32_t index;       /* and behind so many other messages */
} sendq_cursor_t;

/* The first message of which not a byte is among the first ATTEMPTED ones; PARTIAL tells whether
 * there are others, which the peer may have in part. */
sendq_cursor_t sendq_untouched(const sendq_t *queue, uint64_t attempted, bool *partial);

/* The length of the message at CURSOR. */
size_t sendq_message_len(const sendq_cursor_t *cursor);

/* Copies it to OUT, and goes on to the next. */
void sendq_read(sendq_cursor_t *cursor, char *out);

/* Moves all of FROM, whole messages, behind TO; FROM is empty then. What has been gathered
 * from TO before stays where it is. PAGES is where pages come from. */
void sendq_append(sendq_t *to, sendq_t *from, slab_t *pages);

/* Copies a message of LEN bytes, DATA's, to the page at TO's end. False where that is not worth it
 * (it is long, or the first), or cannot be. */
bool sendq_join(sendq_t *to, const void *data, size_t len, slab_t *pages);

/* Puts a message of LEN bytes, a copy of DATA's, behind TO. False = no memory. */
bool sendq_put(sendq_t *to, const void *data, size_t len, slab_t *pages);

/* Describes the first bytes of the queue in BUFS, up to MAX of them and LIMIT bytes.
 * Returns how many were filled in, and in BYTES how many bytes they hold. */
uint32_t sendq_gather(const sendq_t *queue, io_buf_t *bufs, uint32_t max, uint32_t limit,
                      uint32_t *bytes);

/* Takes SENT bytes off the front; finished buffers go to DONE (pinned) or are freed (copies). */
void sendq_consume(sendq_t *queue, uint64_t sent, sendq_t *done);

/* Releases BUF, which stands alone and is in no queue: to DONE where it is pinned. */
void sendq_release(sendbuf_t *buf, sendq_t *done);

/* Takes everything off, as sendq_consume does. */
void sendq_clear(sendq_t *queue, sendq_t *done);

static inline bool sendq_is_empty(const sendq_t *queue)
{
    return queue->head == NULL;
}

#endif
