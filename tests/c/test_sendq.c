/* test_sendq.c: bytes leave a send queue once, in order, and their owners are released once. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tally.h"
#include "../../csrc/engine/bytes/sendq.h"
#include "../../csrc/engine/bytes/shared.h"

static tally_t tally;
static slab_t pages;

static void report(bool ok, const char *name)
{
    tally_check(&tally, ok, name);
}

static void push(sendq_t *queue, const char *text, bool last)
{
    sendbuf_t *buf = sendbuf_copy(text, strlen(text));
    if (buf == NULL) {
        exit(2);
    }
    buf->last = last;
    sendq_push(queue, buf);
}

static void clear(sendq_t *queue)
{
    sendq_t done;
    sendq_init(&done);
    sendq_clear(queue, &done);
}

/* The same, where something is pinned that needs no release. */
static void clear_owned(sendq_t *queue)
{
    sendq_t done;
    sendq_init(&done);
    sendq_clear(queue, &done);
    while (done.head != NULL) {
        sendbuf_t *buf = done.head;
        done.head = buf->next;
        free(buf);
    }
}

/* What gather describes, as text, up to LIMIT bytes. */
static bool gathers(const sendq_t *queue, uint32_t max, uint32_t limit, const char *expected)
{
    char text[64] = "";
    size_t len = 0;
    io_buf_t bufs[8];
    uint32_t bytes;
    uint32_t count = sendq_gather(queue, bufs, max, limit, &bytes);
    for (const sendbuf_t *buf = queue->head; buf != NULL && count > 0; buf = buf->next, count--) {
        size_t left = buf->len - buf->sent;
        size_t part = left < limit - len ? left : limit - len;
        memcpy(text + len, buf->data + buf->sent, part);
        len += part;
    }
    return len == bytes && len == strlen(expected) && memcmp(text, expected, len) == 0;
}

static void test_gather_and_consume(void)
{
    sendq_t queue;
    sendq_t done;
    sendq_init(&queue);
    sendq_init(&done);
    push(&queue, "abc", true);
    push(&queue, "de", true);
    push(&queue, "fgh", true);
    report(queue.bytes == 8 && gathers(&queue, 8, 100, "abcdefgh"), "all of it");
    report(gathers(&queue, 2, 100, "abcde"), "at most so many buffers");
    report(gathers(&queue, 8, 4, "abcd"), "at most so many bytes");
    sendq_consume(&queue, 0, &done);
    report(queue.bytes == 8 && gathers(&queue, 8, 100, "abcdefgh"), "nothing was taken");
    sendq_consume(&queue, 4, &done);
    report(queue.bytes == 4 && gathers(&queue, 8, 100, "efgh"), "a part was taken");
    sendq_consume(&queue, 1, &done);
    report(queue.bytes == 3 && gathers(&queue, 8, 100, "fgh"), "up to a border");
    sendq_consume(&queue, 3, &done);
    report(queue.bytes == 0 && sendq_is_empty(&queue) && queue.tail == NULL, "the rest");
    report(sendq_is_empty(&done), "copies are no one's to release");
}

static void test_owners(void)
{
    static const char data[] = "pinned bytes";
    int owner[2];
    sendq_t queue;
    sendq_t done;
    sendq_init(&queue);
    sendq_init(&done);
    for (int i = 0; i < 2; i++) {
        sendbuf_t *buf = sendbuf_pin(data, sizeof data, &owner[i]);
        if (buf == NULL) {
            exit(2);
        }
        sendq_push(&queue, buf);
    }
    sendq_consume(&queue, sizeof data + 1, &done);
    report(done.head != NULL && done.head->owner == &owner[0] && done.head->next == NULL,
           "an owner is handed on when its last byte is sent");
    sendq_clear(&queue, &done);
    report(done.head->next != NULL && done.head->next->owner == &owner[1], "or thrown away");
    while (done.head != NULL) {
        sendbuf_t *buf = done.head;
        done.head = buf->next;
        free(buf);
    }
}

static void test_append(void)
{
    sendq_t queue;
    sendq_t more;
    sendq_init(&queue);
    sendq_init(&more);
    sendq_append(&queue, &more, &pages);
    report(sendq_is_empty(&queue), "nothing to nothing");
    push(&more, "ab", true);
    sendq_append(&queue, &more, &pages);
    push(&more, "cd", true);
    sendq_append(&queue, &more, &pages);
    report(sendq_is_empty(&more) && queue.bytes == 4 && gathers(&queue, 8, 9, "abcd"), "in order");
    clear(&queue);
}

/* Reads the message at CURSOR, which is to be TEXT. */
static bool reads(sendq_cursor_t *cursor, const char *text)
{
    char read[64];
    size_t len = cursor->buf == NULL ? sizeof read + 1 : sendq_message_len(cursor);
    if (len != strlen(text)) {
        return false;
    }
    sendq_read(cursor, read);
    return memcmp(read, text, len) == 0;
}

/* Whether the untouched rest begins with the message TEXT ("" = there is none). */
static bool untouched(sendq_t *queue, uint64_t attempted, const char *text, bool partial)
{
    bool found_partial;
    sendq_cursor_t cursor = sendq_untouched(queue, attempted, &found_partial);
    bool same = text[0] == '\0' ? cursor.buf == NULL : reads(&cursor, text);
    return same && found_partial == partial;
}

static void test_untouched(void)
{
    sendq_t queue;
    sendq_t done;
    sendq_init(&queue);
    sendq_init(&done);
    report(untouched(&queue, 0, "", false), "an empty queue has no messages");
    push(&queue, "a1", false);
    push(&queue, "a2", true);
    push(&queue, "b", true);
    push(&queue, "c", true);
    report(untouched(&queue, 0, "a1a2", false), "nothing has begun");
    report(untouched(&queue, 1, "b", true), "a byte of the first was attempted");
    report(untouched(&queue, 4, "b", true), "all of the first was attempted");
    report(untouched(&queue, 5, "c", true), "and the second");
    report(untouched(&queue, 6, "", true), "all was attempted");
    sendq_consume(&queue, 2, &done);
    report(untouched(&queue, 0, "b", true), "a buffer of the first message is gone");
    sendq_consume(&queue, 2, &done);
    report(untouched(&queue, 0, "b", false), "the first message is gone as a whole");
    clear(&queue);
}

/* A small message, as engine_send queues it. */
static void append(sendq_t *queue, const char *text)
{
    sendq_t chain;
    sendq_init(&chain);
    push(&chain, text, true);
    sendq_append(queue, &chain, &pages);
}

static uint32_t pieces(const sendq_t *queue, uint32_t limit, uint32_t *bytes)
{
    io_buf_t bufs[64];
    return sendq_gather(queue, bufs, 64, limit, bytes);
}

/* Whether the untouched messages of QUEUE are FIRST, FIRST + 1, ... up to COUNT. */
static bool counts_up(const sendq_t *queue, int first, int count)
{
    bool partial;
    sendq_cursor_t cursor = sendq_untouched(queue, 0, &partial);
    for (; first < count; first++) {
        char text[16];
        (void)snprintf(text, sizeof text, "<%d>", first);
        if (!reads(&cursor, text)) {
            return false;
        }
    }
    return cursor.buf == NULL;
}

static void append_numbers(sendq_t *queue, int first, int count)
{
    for (int i = first; i < count; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "<%d>", i);
        append(queue, text);
    }
}

/* Small messages leave in few pieces, and stay messages. */
static void test_pages(void)
{
    sendq_t queue;
    sendq_t done;
    uint32_t bytes;
    sendq_init(&queue);
    sendq_init(&done);
    append_numbers(&queue, 0, 3);
    report(pieces(&queue, 100, &bytes) == 2 && bytes == 9, "those behind the first are one piece");
    report(untouched(&queue, 0, "<0>", false), "none has begun");
    report(untouched(&queue, 4, "<2>", true), "two have");
    report(pieces(&queue, 7, &bytes) == 2 && bytes == 7, "a piece can be cut anywhere");
    const char *data = queue.head->next->data;
    sendq_consume(&queue, 4, &done);
    report(untouched(&queue, 0, "<2>", true) && pieces(&queue, 100, &bytes) == 1 && bytes == 5,
           "what was sent in part goes on from there");
    append_numbers(&queue, 3, 2000);
    report(counts_up(&queue, 2, 2000) && queue.head->data == data, "more follow, and none moves");
    uint32_t count = pieces(&queue, 1u << 20, &bytes);
    report(count > 2 && count < 20 && bytes == queue.bytes, "pages of them");
    sendq_consume(&queue, queue.bytes - 6, &done);
    report(counts_up(&queue, 1999, 2000), "up to the last");
    sendq_consume(&queue, 6, &done);
    report(sendq_is_empty(&queue) && atomic_u64_load(&pages.taken) == 0 && sendq_is_empty(&done),
           "nothing is kept");
    append_numbers(&queue, 0, 2);
    clear(&queue);
    report(atomic_u64_load(&pages.taken) == 0, "nor when it is thrown away");
}

static void test_what_is_not_moved(void)
{
    static const char data[600];
    int owner;
    uint32_t bytes;
    sendq_t queue;
    sendq_t chain;
    sendq_t done;
    sendq_init(&queue);
    sendq_init(&chain);
    sendq_init(&done);
    append(&queue, "first");
    sendq_push(&chain, sendbuf_pin(data, 3, &owner));
    chain.tail->last = true;
    sendq_append(&queue, &chain, &pages);
    report(queue.tail->owner == &owner && queue.tail->data == data, "pinned bytes");
    sendq_push(&chain, sendbuf_copy(data, sizeof data));
    chain.tail->last = true;
    sendq_append(&queue, &chain, &pages);
    report(queue.tail->page == NULL, "many");
    push(&chain, "one", false);
    push(&chain, "message", true);
    sendq_append(&queue, &chain, &pages);
    report(queue.tail->page == NULL && pieces(&queue, 1000, &bytes) >= 4, "one in several parts");
    append(&queue, "small");
    report(queue.tail->page != NULL && sendq_is_empty(&chain), "but one that is small");
    report(sendq_put(&queue, "put", 3, &pages) && queue.tail->len == 8,
           "also from where it stands");
    report(sendq_put(&queue, data, sizeof data, &pages) && queue.tail->page == NULL, "or much");
    clear_owned(&queue);
}

static shared_t *share(void *owner, size_t count)
{
    shared_t *message = shared_new("shared", 6, owner, count);
    if (message == NULL) {
        exit(2);
    }
    return message;
}

/* What is in DONE is freed; whether it was OWNER's, once (NULL = nothing was there). */
static bool releases(sendq_t *done, const void *owner)
{
    sendbuf_t *buf = done->head;
    bool good = owner == NULL ? buf == NULL
                              : buf != NULL && buf->next == NULL && buf->owner == owner &&
                                    memcmp(buf->data, "shared", 6) == 0;
    free(buf);
    sendq_init(done);
    return good;
}

/* A message for COUNT queues, of which TAKEN get it. */
static void test_shared(size_t count, size_t taken)
{
    int owner;
    sendq_t queues[40];
    sendq_t done;
    sendq_init(&done);
    shared_t *message = share(&owner, count);
    for (size_t i = 0; i < taken; i++) {
        sendq_init(&queues[i]);
        push(&queues[i], "own", true);
        sendq_push(&queues[i], shared_take(message));
        push(&queues[i], ".", true);
    }
    bool good = true;
    for (size_t i = 0; i < taken; i++) {
        good = good && queues[i].bytes == 10 && gathers(&queues[i], 8, 99, "ownshared.");
    }
    report(good, "every queue has it in its place");
    if (taken > 1) {
        sendq_consume(&queues[0], 5, &done);
        report(gathers(&queues[0], 8, 99, "ared.") && gathers(&queues[1], 8, 99, "ownshared."),
               "each comes as far as it comes");
    }
    shared_close(message, &done);
    report(releases(&done, taken == 0 ? &owner : NULL), "the maker lets go");
    for (size_t i = 0; i < taken; i++) {
        sendq_clear(&queues[i], &done);
        good = good && releases(&done, i + 1 == taken ? &owner : NULL);
    }
    report(good, "the last one hands its owner on");
}

static void test_shared_while_it_is_made(void)
{
    int owner;
    sendq_t queue;
    sendq_t done;
    sendq_init(&queue);
    sendq_init(&done);
    shared_t *message = share(&owner, 20);
    for (int i = 0; i < 20; i++) {
        sendq_push(&queue, shared_take(message));
        sendq_clear(&queue, &done);
    }
    report(releases(&done, NULL), "it stays while more may be taken");
    shared_close(message, &done);
    report(releases(&done, &owner), "and goes with its maker");
    message = share(NULL, 3);
    sendq_push(&queue, shared_take(message));
    shared_close(message, &done);
    report(gathers(&queue, 8, 99, "shared"), "a copy stands behind it");
    sendq_clear(&queue, &done);
    report(releases(&done, NULL), "and is no one's to release");
}

static void test_shared_is_copied_where_others_wait(void)
{
    int owner;
    sendq_t queues[2];
    sendq_t done;
    sendq_init(&done);
    shared_t *message = share(&owner, 2);
    sendq_init(&queues[0]);
    sendq_init(&queues[1]);
    push(&queues[1], "own", true);
    shared_put(message, &queues[0], &pages);
    shared_put(message, &queues[1], &pages);
    shared_close(message, &done);
    report(queues[0].tail->page == NULL && queues[1].tail->page != NULL, "in a page, if anywhere");
    report(gathers(&queues[0], 8, 99, "shared") && gathers(&queues[1], 8, 99, "ownshared"),
           "both have it");
    sendq_clear(&queues[0], &done);
    report(releases(&done, &owner), "the one that has no copy hands the owner on");
    report(untouched(&queues[1], 3, "shared", true), "the copy is a message");
    clear(&queues[1]);
}

static void test_shared_is_one_message(void)
{
    sendq_t queue;
    sendq_t done;
    sendq_init(&queue);
    sendq_init(&done);
    shared_t *message = share(NULL, 1);
    push(&queue, "a", true);
    sendq_push(&queue, shared_take(message));
    push(&queue, "b", true);
    shared_close(message, &done);
    report(untouched(&queue, 0, "a", false), "it has not begun");
    report(untouched(&queue, 1, "shared", true), "nor has it here");
    report(untouched(&queue, 2, "b", true), "but here");
    clear(&queue);
}

int main(void)
{
    slab_init(&pages, SLAB_PAGES, SENDQ_PAGE_BYTES, UINT32_MAX);
    test_pages();
    test_what_is_not_moved();
    test_shared(0, 0);
    test_shared(1, 1);
    test_shared(7, 0);
    test_shared(8, 8);
    test_shared(40, 33);
    test_shared_while_it_is_made();
    test_shared_is_copied_where_others_wait();
    test_shared_is_one_message();
    test_gather_and_consume();
    test_owners();
    test_append();
    test_untouched();
    slab_destroy(&pages);
    return tally_close(&tally);
}
