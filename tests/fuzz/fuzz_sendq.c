/* fuzz_sendq.c: send queues do as a model does that keeps all bytes of a queue in one string. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "memory.h"
#include "sendq.h"
#include "shared.h"
#include "slab.h"
#include "../../csrc/base/check.h"

#define QUEUES       3u
#define BYTES_MAX    (1u << 16) /* that one queue gets */
#define MESSAGES_MAX 2048u
#define PARTS_MAX    4u
#define BUFS_MAX     16u

/* Bytes of the application that some queues have by reference. They are freed when the engine hands
 * them back, so that a sanitizer notices a queue that still reads them. */
typedef struct {
    char *data;
    uint32_t holders; /* as the model knows them */
} owner_t;

/* Up to END, the model's queue has bytes of OWNER. */
typedef struct {
    owner_t *owner;
    size_t end;
} pin_t;

typedef struct {
    char bytes[BYTES_MAX]; /* all that were ever queued */
    size_t ends[MESSAGES_MAX];
    size_t edges[MESSAGES_MAX * PARTS_MAX]; /* where parts of messages end */
    pin_t pins[MESSAGES_MAX * PARTS_MAX];
    size_t len;
    size_t messages;
    size_t parts;
    size_t pinned;
    size_t released; /* of these, as many are finished */
    size_t taken;    /* so many bytes have been consumed */
} model_t;

typedef struct {
    sendq_t queue;
    model_t model;
    io_buf_t gathered[BUFS_MAX]; /* what the system has at this moment */
    uint32_t bufs;
} pair_t;

static pair_t pairs[QUEUES];
static slab_t pages;
static uint32_t owners; /* that the engine has not handed back */
static uint32_t held;   /* the model's number */
static uint32_t noise;

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void fill(char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        noise = noise * 1664525u + 1013904223u;
        bytes[i] = (char)(noise >> 24);
    }
}

static owner_t *make_owner(size_t len)
{
    owner_t *owner = memory_take(sizeof *owner);
    *owner = (owner_t){.data = memory_take(len)};
    fill(owner->data, len);
    owners++;
    return owner;
}

static void free_owner(owner_t *owner)
{
    CHECK(owner->holders == 0);
    owners--;
    free(owner->data);
    free(owner);
}

/* Frees what a call has finished; it must be what the model has finished. */
static void free_done(sendq_t *done)
{
    CHECK(done->bytes == 0);
    while (done->head != NULL) {
        sendbuf_t *buf = done->head;
        done->head = buf->next;
        free_owner(buf->owner);
        free(buf);
    }
}

static bool has_room(const model_t *model, size_t len)
{
    return len <= BYTES_MAX - model->len && model->messages < MESSAGES_MAX - PARTS_MAX;
}

/* Bytes that are part of a message, by reference where OWNER is given. */
static void model_add(model_t *model, const char *data, size_t len, owner_t *owner)
{
    memcpy(model->bytes + model->len, data, len);
    model->len += len;
    model->edges[model->parts++] = model->len;
    if (owner != NULL) {
        model->pins[model->pinned++] = (pin_t){owner, model->len};
        held += owner->holders++ == 0;
    }
}

static void model_clear(model_t *model)
{
    model->len = model->messages = model->parts = model->taken = 0;
    model->pinned = model->released = 0;
}

static void model_end(model_t *model)
{
    model->ends[model->messages++] = model->len;
}

static void model_take(model_t *model, size_t len)
{
    model->taken += len;
    while (model->released < model->pinned && model->pins[model->released].end <= model->taken) {
        held -= --model->pins[model->released++].owner->holders == 0;
    }
}

/* As the queue describes it, what BUFS hold is what the model has at its front. */
static void check_bufs(const model_t *model, const io_buf_t *bufs, uint32_t count, size_t bytes)
{
    size_t at = model->taken;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(bufs[i].iov_len <= bytes);
        CHECK(memcmp(model->bytes + at, bufs[i].iov_base, bufs[i].iov_len) == 0);
        at += bufs[i].iov_len;
        bytes -= bufs[i].iov_len;
    }
    CHECK(bytes == 0);
}

static size_t total(const io_buf_t *bufs, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += bufs[i].iov_len;
    }
    return bytes;
}

static void check_pair(const pair_t *pair)
{
    const sendq_t *queue = &pair->queue;
    CHECK(queue->bytes == pair->model.len - pair->model.taken);
    CHECK(sendq_is_empty(queue) == (queue->bytes == 0));
    CHECK((queue->tail == NULL) == (queue->head == NULL));
    /* What has been gathered stays where it is, whatever is queued behind it. */
    check_bufs(&pair->model, pair->gathered, pair->bufs, total(pair->gathered, pair->bufs));
}

static size_t draw_len(draw_t *draw)
{
    static const uint16_t borders[] = {511, 512, 513, 1000, 3900, 4000, 4096, 5000};
    uint32_t byte = draw_byte(draw);
    return byte < 224 ? byte % 112 + 1 : borders[byte % 8];
}

/* A sendbuf with bytes of its own, or pinned ones; NULL where memory is short. */
static sendbuf_t *make_buf(size_t len, bool pinned)
{
    if (pinned) {
        owner_t *owner = make_owner(len);
        sendbuf_t *buf = sendbuf_pin(owner->data, len, owner);
        if (buf == NULL) {
            free_owner(owner);
        }
        return buf;
    }
    char *data = memory_take(len);
    fill(data, len);
    sendbuf_t *buf = sendbuf_copy(data, len);
    free(data);
    return buf;
}

/* Puts a message of one to four parts behind CHAIN. False where memory is short. */
static bool chain_message(sendq_t *chain, draw_t *draw)
{
    uint32_t parts = draw_byte(draw) % PARTS_MAX + 1;
    uint32_t pinned = draw_byte(draw);
    for (uint32_t i = 0; i < parts; i++) {
        sendbuf_t *buf = make_buf(draw_len(draw), (pinned >> i & 1) != 0);
        if (buf == NULL) {
            return false;
        }
        buf->last = i + 1 == parts;
        sendq_push(chain, buf);
    }
    return true;
}

static void append(pair_t *pair, draw_t *draw)
{
    sendq_t chain;
    sendq_t done;
    sendq_init(&chain);
    sendq_init(&done);
    bool good = true;
    for (uint32_t left = draw_byte(draw) % 3 + 1; good && left > 0; left--) {
        good = chain_message(&chain, draw);
    }
    if (!good || !has_room(&pair->model, chain.bytes)) {
        sendq_clear(&chain, &done);
        free_done(&done);
        return;
    }
    for (const sendbuf_t *buf = chain.head; buf != NULL; buf = buf->next) {
        model_add(&pair->model, buf->data, buf->len, buf->owner);
        if (buf->last) {
            model_end(&pair->model);
        }
    }
    sendq_append(&pair->queue, &chain, &pages);
    CHECK(sendq_is_empty(&chain) && chain.tail == NULL && chain.bytes == 0);
}

/* A small message joins the queue's page, or a copy of it is put behind the queue. */
static void put(pair_t *pair, const char *data, size_t len, bool join)
{
    if (!has_room(&pair->model, len)) {
        return;
    }
    bool alone = sendq_is_empty(&pair->queue);
    bool taken = join ? sendq_join(&pair->queue, data, len, &pages)
                      : sendq_put(&pair->queue, data, len, &pages);
    CHECK(!(join && alone && taken));
    CHECK(join || taken || memory_has_failed());
    if (taken) {
        model_add(&pair->model, data, len, NULL);
        model_end(&pair->model);
    }
}

static void put_one(pair_t *pair, draw_t *draw, bool join)
{
    size_t len = draw_len(draw);
    char *data = memory_take(len);
    fill(data, len);
    put(pair, data, len, join);
    free(data);
}

/* Enough messages of about one size to fill a page, and the one behind it. */
static void put_many(pair_t *pair, draw_t *draw)
{
    size_t len = draw_len(draw);
    char *data = memory_take(len + UINT8_MAX);
    fill(data, len + UINT8_MAX);
    for (uint32_t left = draw_byte(draw); left > 0; left--) {
        put(pair, data + left - 1, len + (left & 1), true);
    }
    free(data);
}

/* One message for some of the queues. */
static void broadcast(draw_t *draw)
{
    uint32_t to = draw_byte(draw);
    size_t len = draw_len(draw);
    owner_t *owner = make_owner(len);
    bool pinned = (to & 8) != 0;
    sendq_t done;
    sendq_init(&done);
    shared_t *message = shared_new(owner->data, len, pinned ? owner : NULL, QUEUES + (to >> 4));
    CHECK(message != NULL || memory_has_failed());
    for (uint32_t i = 0; i < QUEUES && message != NULL; i++) {
        if ((to >> i & 1) != 0 && has_room(&pairs[i].model, len)) {
            CHECK(shared_len(message) == len);
            shared_put(message, &pairs[i].queue, &pages);
            bool refers = pairs[i].queue.tail->run != NULL;
            model_add(&pairs[i].model, owner->data, len, pinned && refers ? owner : NULL);
            model_end(&pairs[i].model);
        }
    }
    if (message != NULL) {
        shared_close(message, &done);
    }
    if (message == NULL || !pinned) {
        free_owner(owner); /* which is the caller's then */
    }
    free_done(&done);
}

/* So many bytes from the front of a queue, at most MOST: none, to where a part ends, or to
 * anywhere.
 */
static uint32_t draw_reach(const pair_t *pair, draw_t *draw, size_t most)
{
    const model_t *model = &pair->model;
    uint32_t choice = draw_byte(draw);
    if (choice % 4 < 2) {
        return choice % 4 == 0 ? 0 : draw_up_to(draw, most);
    }
    size_t behind = choice / 4; /* so many parts behind the first that is there */
    for (size_t i = 0; i < model->parts; i++) {
        if (model->edges[i] > model->taken && behind-- == 0) {
            size_t reach = model->edges[i] - model->taken;
            return (uint32_t)(reach < most ? reach : most);
        }
    }
    return 0;
}

static void gather(pair_t *pair, draw_t *draw)
{
    uint32_t max = draw_byte(draw) % BUFS_MAX + 1;
    uint32_t limit = draw_reach(pair, draw, BYTES_MAX);
    uint32_t bytes;
    pair->bufs = sendq_gather(&pair->queue, pair->gathered, max, limit, &bytes);
    CHECK(pair->bufs <= max && bytes <= limit);
    check_bufs(&pair->model, pair->gathered, pair->bufs, bytes);
    bool all = bytes == limit || bytes == pair->queue.bytes;
    CHECK(all || pair->bufs == max); /* no less than may be */
}

static void consume(pair_t *pair, size_t len)
{
    sendq_t done;
    sendq_init(&done);
    pair->bufs = 0;
    model_take(&pair->model, len);
    if (len == pair->queue.bytes) {
        sendq_clear(&pair->queue, &done);
        free_done(&done);
        model_clear(&pair->model);
    } else {
        sendq_consume(&pair->queue, len, &done);
        free_done(&done);
    }
}

/* What has been attempted in part, and the messages behind it. */
static void untouched(const pair_t *pair, uint32_t attempted)
{
    const model_t *model = &pair->model;
    size_t reach = model->taken + attempted;
    bool expected = false;
    bool partial;
    sendq_cursor_t cursor = sendq_untouched(&pair->queue, attempted, &partial);
    size_t start = 0;
    for (size_t i = 0; i < model->messages; i++) {
        size_t len = model->ends[i] - start;
        if (start >= reach) {
            CHECK(cursor.buf != NULL && sendq_message_len(&cursor) == len);
            char *message = memory_take(len);
            sendq_read(&cursor, message);
            CHECK(memcmp(message, model->bytes + start, len) == 0);
            free(message);
        } else {
            expected = expected || model->ends[i] > model->taken;
        }
        start = model->ends[i];
    }
    CHECK(cursor.buf == NULL && partial == expected);
}

static void release(draw_t *draw)
{
    sendq_t done;
    sendq_init(&done);
    uint32_t byte = draw_byte(draw);
    sendbuf_t *buf = make_buf(byte / 2 + 1, (byte & 1) != 0);
    if (buf != NULL) {
        sendq_release(buf, &done);
    }
    free_done(&done);
}

static void step(draw_t *draw)
{
    uint32_t byte = draw_byte(draw);
    pair_t *pair = &pairs[byte / 16 % QUEUES];
    memory_fails_at(byte >= 224 ? draw_byte(draw) % 8 : 0);
    switch (byte % 16) {
    case 0:
    case 1:
        append(pair, draw);
        break;
    case 2:
    case 3:
        put_one(pair, draw, true);
        break;
    case 4:
        put_many(pair, draw);
        break;
    case 5:
        put_one(pair, draw, false);
        break;
    case 6:
    case 7:
        broadcast(draw);
        break;
    case 8:
    case 9:
        gather(pair, draw);
        break;
    case 10: /* as much as the system takes of what was gathered */
        consume(pair, draw_reach(pair, draw, total(pair->gathered, pair->bufs)));
        break;
    case 11:
        consume(pair, draw_reach(pair, draw, pair->queue.bytes));
        break;
    case 12:
    case 13:
        untouched(pair, draw_reach(pair, draw, pair->queue.bytes));
        break;
    case 14:
        consume(pair, pair->queue.bytes);
        break;
    default:
        release(draw);
        break;
    }
    (void)memory_has_failed();
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    draw_t draw = {input, size};
    slab_init(&pages, SLAB_PAGES, SENDQ_PAGE_BYTES, SLAB_KEEP_MAX);
    noise = 1;
    for (uint32_t i = 0; i < QUEUES; i++) {
        model_clear(&pairs[i].model);
        sendq_init(&pairs[i].queue);
        pairs[i].bufs = 0;
    }
    while (draw.left > 0) {
        step(&draw);
        for (uint32_t i = 0; i < QUEUES; i++) {
            check_pair(&pairs[i]);
        }
        CHECK(owners == held);
    }
    for (uint32_t i = 0; i < QUEUES; i++) {
        consume(&pairs[i], pairs[i].queue.bytes);
    }
    CHECK(owners == 0 && held == 0 && atomic_u64_load(&pages.taken) == 0);
    slab_destroy(&pages);
    return 0;
}
