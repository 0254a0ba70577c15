/* outbox.c: sealed bytes on their way to the stack. */
#include "outbox.h"

#include <string.h>

#include "../../base/check.h"

static char *bytes_of(const chunk_t *chunk)
{
    return (char *)(uintptr_t)(chunk + 1);
}

static chunk_t *begin_chunk(outbox_t *outbox, slab_t *slab, pockets_t *pockets)
{
    chunk_t *chunk = pockets_take(pockets, slab);
    if (chunk == NULL) {
        return NULL;
    }
    *chunk = (chunk_t){0};
    if (outbox->tail == NULL) {
        outbox->head = chunk;
    } else {
        outbox->tail->next = chunk;
    }
    outbox->tail = chunk;
    outbox->ended = false;
    return chunk;
}

bool outbox_put(outbox_t *outbox, slab_t *slab, pockets_t *pockets, const void *data, size_t len)
{
    size_t room_max = slab->size - sizeof(chunk_t);
    const char *from = data;
    while (len > 0) {
        chunk_t *chunk = outbox->tail;
        if (chunk == NULL || outbox->ended || chunk->len == room_max) {
            chunk = begin_chunk(outbox, slab, pockets);
        }
        if (chunk == NULL) {
            return false;
        }
        size_t room = room_max - chunk->len;
        size_t part = len < room ? len : room;
        memcpy(bytes_of(chunk) + chunk->len, from, part);
        chunk->len += (uint32_t)part;
        from += part;
        len -= part;
    }
    return true;
}

void outbox_end_record(outbox_t *outbox, uint32_t plain)
{
    CHECK(outbox->tail != NULL && !outbox->ended);
    outbox->tail->plain = plain;
    outbox->plain += plain;
    outbox->ended = true;
}

void outbox_append(outbox_t *to, outbox_t *from)
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
    to->plain += from->plain;
    to->ended = true; /* whoever seals next has a box of his own */
    *from = (outbox_t){0};
}

uint32_t outbox_gather(const outbox_t *outbox, io_buf_t *bufs, uint32_t max)
{
    uint32_t count = 0;
    for (const chunk_t *chunk = outbox->head; chunk != NULL && count < max; chunk = chunk->next) {
        bufs[count++] = io_buf(bytes_of(chunk) + chunk->sent, chunk->len - chunk->sent);
    }
    return count;
}

static uint32_t finish_head(outbox_t *outbox, slab_t *slab, pockets_t *pockets)
{
    chunk_t *chunk = outbox->head;
    uint32_t plain = chunk->plain;
    outbox->begun = plain == 0 && chunk->next != NULL;
    outbox->plain -= plain;
    outbox->head = chunk->next;
    if (outbox->head == NULL) {
        outbox->tail = NULL;
        outbox->ended = false;
    }
    pockets_give(pockets, slab, chunk);
    return plain;
}

uint64_t outbox_consume(outbox_t *outbox, slab_t *slab, pockets_t *pockets, uint64_t sent,
                        uint64_t *behind)
{
    uint64_t plain = 0;
    *behind = 0;
    while (sent > 0) {
        chunk_t *chunk = outbox->head;
        CHECK(chunk != NULL);
        uint32_t left = chunk->len - chunk->sent;
        if (sent < left) {
            chunk->sent += (uint32_t)sent;
            *behind += sent;
            return plain;
        }
        sent -= left;
        *behind = chunk->plain > 0 ? 0 : *behind + left;
        plain += finish_head(outbox, slab, pockets);
    }
    return plain;
}

uint64_t outbox_touched(const outbox_t *outbox)
{
    const chunk_t *chunk = outbox->head;
    if (chunk == NULL || (chunk->sent == 0 && !outbox->begun)) {
        return 0;
    }
    while (chunk->plain == 0 && chunk->next != NULL) {
        chunk = chunk->next;
    }
    return chunk->plain;
}

void outbox_clear(outbox_t *outbox, slab_t *slab, pockets_t *pockets)
{
    while (outbox->head != NULL) {
        (void)finish_head(outbox, slab, pockets);
    }
    *outbox = (outbox_t){0};
}
