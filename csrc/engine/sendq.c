#include "sendq.h"

#include <stdlib.h>
#include <string.h>

#include "../base/check.h"
#include "shared.h"

sendbuf_t *sendbuf_copy(const void *data, size_t len)
{
    sendbuf_t *buf = malloc(sizeof *buf + len);
    if (buf == NULL) {
        return NULL;
    }
    char *bytes = (char *)(buf + 1);
    if (len > 0) {
        memcpy(bytes, data, len);
    }
    *buf = (sendbuf_t){.data = bytes, .len = len};
    return buf;
}

sendbuf_t *sendbuf_pin(const void *data, size_t len, void *owner)
{
    sendbuf_t *buf = malloc(sizeof *buf);
    if (buf != NULL) {
        *buf = (sendbuf_t){.owner = owner, .data = data, .len = len};
    }
    return buf;
}

void sendq_init(sendq_t *queue)
{
    *queue = (sendq_t){0};
}

void sendq_push(sendq_t *queue, sendbuf_t *buf)
{
    buf->next = NULL;
    if (queue->tail == NULL) {
        queue->head = buf;
    } else {
        queue->tail->next = buf;
    }
    queue->tail = buf;
    queue->bytes += buf->len - buf->sent;
}

void sendq_append(sendq_t *to, sendq_t *from)
{
    if (from->head == NULL) {
        return;
    }
    if (to->tail == NULL) {
        to->head = from->head;
    } else {
        to->tail->next = from->head;
    }
    to->tail = from->tail;
    to->bytes += from->bytes;
    sendq_init(from);
}

uint32_t sendq_gather(const sendq_t *queue, io_buf_t *bufs, uint32_t max, uint32_t limit,
                      uint32_t *bytes)
{
    uint32_t count = 0;
    *bytes = 0;
    for (const sendbuf_t *buf = queue->head; buf != NULL && count < max && limit > 0;
         buf = buf->next) {
        size_t left = buf->len - buf->sent;
        uint32_t len = left < limit ? (uint32_t)left : limit;
        bufs[count++] = io_buf(buf->data + buf->sent, len);
        limit -= len;
        *bytes += len;
    }
    return count;
}

const sendbuf_t *sendq_untouched(const sendq_t *queue, uint64_t attempted, bool *partial)
{
    const sendbuf_t *first = queue->head; /* of the message that is looked at */
    bool touched = queue->begun;
    *partial = false;
    for (const sendbuf_t *buf = first; buf != NULL; buf = buf->next) {
        touched = touched || attempted > 0 || buf->sent > 0;
        size_t left = buf->len - buf->sent;
        attempted -= attempted < left ? attempted : left;
        if (!buf->last) {
            continue;
        }
        if (!touched) {
            return first;
        }
        *partial = true;
        first = buf->next;
        touched = false;
    }
    return first;
}

void sendq_release(sendbuf_t *buf, sendq_t *done)
{
    if (buf->owner == NULL) {
        free(buf);
    } else {
        buf->sent = buf->len;
        sendq_push(done, buf);
    }
}

static void finish_head(sendq_t *queue, sendq_t *done)
{
    sendbuf_t *buf = queue->head;
    queue->begun = !buf->last;
    queue->head = buf->next;
    if (queue->head == NULL) {
        queue->tail = NULL;
    }
    if (buf->run != NULL) {
        buf = shared_finish(buf);
    }
    if (buf != NULL) {
        sendq_release(buf, done);
    }
}

void sendq_consume(sendq_t *queue, uint64_t sent, sendq_t *done)
{
    CHECK(sent <= queue->bytes);
    queue->bytes -= sent;
    while (queue->head != NULL) {
        sendbuf_t *buf = queue->head;
        size_t left = buf->len - buf->sent;
        if (sent < left) {
            buf->sent += (size_t)sent;
            return;
        }
        sent -= left;
        finish_head(queue, done);
    }
}

void sendq_clear(sendq_t *queue, sendq_t *done)
{
    sendq_consume(queue, queue->bytes, done);
}
