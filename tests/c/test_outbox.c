/* test_outbox.c: sealed bytes on their way, and what of the queue is out with them. */
#include <string.h>

#include "../../csrc/engine/bytes/outbox.h"
#include "tally.h"

#define ROOM 16u

static tally_t tally;

static void report(bool ok, const char *name)
{
    tally_check(&tally, ok, name);
}

static void put(outbox_t *outbox, slab_t *slab, const char *bytes, uint32_t plain)
{
    (void)outbox_put(outbox, slab, NULL, bytes, strlen(bytes));
    if (plain > 0) {
        outbox_end_record(outbox, plain);
    }
}

/* All of it as the stack would get it. */
static bool is(const outbox_t *outbox, const char *expected)
{
    io_buf_t bufs[8];
    char all[128];
    uint32_t len = 0;
    uint32_t count = outbox_gather(outbox, bufs, 8);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(all + len, io_buf_data(&bufs[i]), io_buf_len(&bufs[i]));
        len += io_buf_len(&bufs[i]);
    }
    return len == strlen(expected) && memcmp(all, expected, len) == 0;
}

static uint64_t behind;

static uint64_t consume(outbox_t *outbox, slab_t *slab, uint64_t sent)
{
    return outbox_consume(outbox, slab, NULL, sent, &behind);
}

static void test_records(slab_t *slab)
{
    outbox_t outbox = {0};
    put(&outbox, slab, "abcd", 2);
    put(&outbox, slab, "efgh", 3);
    report(is(&outbox, "abcdefgh") && outbox.plain == 5, "two records, in order");
    report(outbox_touched(&outbox) == 0, "nothing is touched before it is sent");
    report(consume(&outbox, slab, 3) == 0, "a part of a record is nothing");
    report(is(&outbox, "defgh") && outbox_touched(&outbox) == 2, "but its bytes are touched");
    report(consume(&outbox, slab, 1) == 2, "a whole one is its bytes");
    report(outbox_touched(&outbox) == 0 && outbox.plain == 3, "and the next is whole");
    report(consume(&outbox, slab, 4) == 3 && outbox_is_empty(&outbox), "all is out");
}

static void test_long(slab_t *slab)
{
    outbox_t outbox = {0};
    put(&outbox, slab, "0123456789abcdef0123456789abcdef0123", 30);
    put(&outbox, slab, "xyz", 1);
    io_buf_t bufs[8];
    report(outbox_gather(&outbox, bufs, 8) == 4 && outbox_gather(&outbox, bufs, 2) == 2,
           "a record that is longer than a chunk has several");
    report(consume(&outbox, slab, ROOM) == 0 && outbox_touched(&outbox) == 30,
           "it is touched when its first chunk is out");
    report(consume(&outbox, slab, 37 - ROOM) == 30, "and out with its last");
    report(outbox_touched(&outbox) == 1 && is(&outbox, "yz"), "then the next is touched");
    outbox_clear(&outbox, slab, NULL);
    report(outbox_is_empty(&outbox) && outbox.plain == 0, "cleared");
}

static void test_append(slab_t *slab)
{
    outbox_t outbox = {0};
    outbox_t more = {0};
    outbox_append(&outbox, &more);
    report(outbox_is_empty(&outbox), "nothing behind nothing");
    put(&more, slab, "greeting", 0);
    outbox_append(&outbox, &more);
    put(&more, slab, "one", 1);
    put(&more, slab, "two", 2);
    outbox_append(&outbox, &more);
    report(outbox_is_empty(&more) && more.plain == 0, "what is moved is gone");
    report(is(&outbox, "greetingonetwo") && outbox.plain == 3, "and stands behind");
    put(&more, slab, "key", 0);
    outbox_append(&outbox, &more);
    report(consume(&outbox, slab, 9) == 0 && outbox_touched(&outbox) == 1,
           "what carries nothing is sent as well");
    report(behind == 9, "and is behind");
    report(consume(&outbox, slab, 7) == 3 && behind == 2, "and so is what follows the last");
    outbox_clear(&outbox, slab, NULL);
    put(&outbox, slab, "again", 4);
    report(is(&outbox, "again") && outbox_touched(&outbox) == 0, "a box is as new");
    outbox_clear(&outbox, slab, NULL);
}

int main(void)
{
    slab_t slab;
    slab_init(&slab, SLAB_CHUNKS, sizeof(chunk_t) + ROOM, UINT32_MAX);
    test_records(&slab);
    test_long(&slab);
    test_append(&slab);
    report(atomic_u64_load(&slab.taken) == 0, "no chunk is left");
    slab_destroy(&slab);
    return tally_close(&tally);
}
