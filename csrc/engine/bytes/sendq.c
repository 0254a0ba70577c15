/* sendq.c: what a session has queued to send, in order. */
#include "sendq.h"

#include <stdlib.h>
#include <string.h>

#include "../../base/check.h"

/* A message of up to so many bytes is cheaper to move than to describe to the system. */
#define SMALL_BYTES 512u

/* BUF describes all that stands behind this, one message after the other. Their lengths stand at
 * the page's end, the first one last. */
typedef struct sendq_page {
    sendbuf_t buf;
    slab_t *home;
    uint32_t count; /* messages */
} sendq_page_t;

#define ROOM_BYTES (SENDQ_PAGE_BYTES - sizeof(sendq_page_t))

static uint16_t *length_in_page(const sendq_page_t *page, uint32_t index)
{
    char *end = (char *)(uintptr_t)page + SENDQ_PAGE_BYTES;
    return (uint16_t *)(void *)end - 1 - index;
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

/* The page at QUEUE's end, with room for a message of LEN bytes; NULL = no memory. */
static sendq_page_t *find_page(sendq_t *queue, size_t len, slab_t *pages)
{
    sendq_page_t *page = queue->tail->page;
    if (page != NULL && page->buf.len + len + (page->count + 1) * sizeof(uint16_t) <= ROOM_BYTES) {
        return page;
    }
    page = slab_take(pages, false);
    if (page != NULL) {
        *page = (sendq_page_t){.home = pages};
        page->buf = (sendbuf_t){.page = page, .data = (char *)(page + 1), .last = true};
        sendq_push(queue, &page->buf);
    }
    return page;
}

bool sendq_join(sendq_t *to, const void *data, size_t len, slab_t *pages)
{
    if (to->tail == NULL || len > SMALL_BYTES) {
        return false;
    }
    sendq_page_t *page = find_page(to, len, pages);
    if (page == NULL) {
        return false;
    }
    memcpy((char *)(page + 1) + page->buf.len, data, len);
    *length_in_page(page, page->count++) = (uint16_t)len;
    page->buf.len += len;
    to->bytes += len;
    return true;
}

/* Moves MESSAGE, one whole buffer, to QUEUE's page. False where it is to stay as it is. */
static bool move_to_page(sendq_t *queue, const sendbuf_t *message, slab_t *pages)
{
    return message->last && message->owner == NULL &&
           sendq_join(queue, message->data, message->len, pages);
}

bool sendq_put(sendq_t *to, const void *data, size_t len, slab_t *pages)
{
    if (sendq_join(to, data, len, pages)) {
        return true;
    }
    sendbuf_t *buf = sendbuf_copy(data, len);
    if (buf == NULL) {
        return false;
    }
    buf->last = true;
    sendq_push(to, buf);
    return true;
}

void sendq_append(sendq_t *to, sendq_t *from, slab_t *pages)
{
    sendbuf_t *only = from->head;
    if (only == NULL) {
        return;
    }
    if (only == from->tail && move_to_page(to, only, pages)) {
        sendq_t none;
        sendq_init(&none);
        sendq_clear(from, &none);
        CHECK(sendq_is_empty(&none)); /* nobody's bytes but ours */
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
    const char *piece = NULL; /* the last of them */
    uint32_t piece_len = 0;
    *bytes = 0;
    for (const sendbuf_t *buf = queue->head; buf != NULL && count < max && limit > 0;
         buf = buf->next) {
        size_t left = buf->len - buf->sent;
        uint32_t len = left < limit ? (uint32_t)left : limit;
        const char *data = buf->data + buf->sent;
        limit -= len;
        *bytes += len;
        if (count > 0 && data == piece + piece_len) {
            piece_len += len;
        } else {
            piece = data;
            piece_len = len;
            count++;
        }
        bufs[count - 1] = io_buf(piece, piece_len);
    }
    return count;
}

/* The same within a page, of which the first REACH bytes have been attempted. */
static bool find_in_page(const sendbuf_t *buf, size_t reach, bool *partial, sendq_cursor_t *found)
{
    sendq_cursor_t at = {.buf = buf};
    for (; at.index < buf->page->count; at.index++) {
        if (at.start >= reach) {
            *found = at;
            return true;
        }
        at.start += *length_in_page(buf->page, at.index);
        *partial = *partial || at.start > buf->sent;
    }
    return false;
}

sendq_cursor_t sendq_untouched(const sendq_t *queue, uint64_t attempted, bool *partial)
{
    sendq_cursor_t first = {.buf = queue->head}; /* of the message that is looked at */
    bool touched = queue->begun;
    *partial = false;
    for (const sendbuf_t *buf = first.buf; buf != NULL; buf = buf->next) {
        size_t left = buf->len - buf->sent;
        size_t part = attempted < left ? (size_t)attempted : left;
        touched = touched || attempted > 0 || buf->sent > 0;
        attempted -= part;
        if (buf->page != NULL && touched) {
            if (find_in_page(buf, buf->sent + part, partial, &first)) {
                return first;
            }
        } else if (!buf->last) {
            continue;
        } else if (!touched) {
            return first;
        } else {
            *partial = true;
        }
        first = (sendq_cursor_t){.buf = buf->next};
        touched = false;
    }
    return first;
}

size_t sendq_message_len(const sendq_cursor_t *cursor)
{
    const sendbuf_t *buf = cursor->buf;
    if (buf->page != NULL) {
        return *length_in_page(buf->page, cursor->index);
    }
    size_t len = buf->len;
    while (!buf->last) {
        buf = buf->next;
        len += buf->len;
    }
    return len;
}

void sendq_read(sendq_cursor_t *cursor, char *out)
{
    const sendbuf_t *buf = cursor->buf;
    if (buf->page != NULL) {
        size_t len = sendq_message_len(cursor);
        memcpy(out, buf->data + cursor->start, len);
        cursor->start += len;
        cursor->index++;
        if (cursor->index < buf->page->count) {
            return;
        }
    } else {
        for (; !buf->last; buf = buf->next) {
            memcpy(out, buf->data, buf->len);
            out += buf->len;
        }
        memcpy(out, buf->data, buf->len);
    }
    *cursor = (sendq_cursor_t){.buf = buf->next};
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
    if (buf->page != NULL) {
        slab_give(buf->page->home, buf->page);
        return;
    }
    if (buf->run != NULL) {
        buf = sendrun_finish(buf->run, 1);
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
