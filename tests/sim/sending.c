/* sending.c: the application's sends: marked bytes, copied or pinned, few and many. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/io/sim/stream.h"
#include "world.h"

#define PIECES_MAX 4u

void *sending_own(world_t *world, uint32_t len, char **bytes)
{
    uint32_t place = 0;
    while (place < world->pins_top && world->pins[place].bytes != NULL) {
        place++;
    }
    if (place == PINS_MAX) {
        return NULL;
    }
    *bytes = malloc(len + 1);
    if (*bytes == NULL) {
        return NULL;
    }
    world->pins[place] = (pin_t){*bytes, len};
    world->pins_live++;
    world->pins_top = place == world->pins_top ? place + 1 : world->pins_top;
    return (void *)(uintptr_t)(place + 1);
}

void sending_disown(world_t *world, const void *owner, const char *bytes)
{
    uintptr_t place = (uintptr_t)owner - 1;
    if (place >= world->pins_top || world->pins[place].bytes == NULL ||
        world->pins[place].bytes != bytes) {
        world_fail(world, "a pinned buffer is released twice");
    }
    memset(world->pins[place].bytes, 0xDD, world->pins[place].len);
    free(world->pins[place].bytes);
    world->pins[place].bytes = NULL;
    world->pins_live--;
}

static sendbuf_t *sending__pin(world_t *world, uint64_t number, uint64_t position, uint32_t len)
{
    char *bytes;
    void *owner = sending_own(world, len, &bytes);
    if (owner == NULL) {
        return NULL;
    }
    stream_fill(stream_of_server(number), position, bytes, len);
    sendbuf_t *buf = sendbuf_pin(bytes, len, owner);
    if (buf == NULL) {
        sending_disown(world, owner, bytes);
    }
    return buf;
}

void sending_release(world_t *world, sendq_t *done)
{
    while (done->head != NULL) {
        sendbuf_t *buf = done->head;
        done->head = buf->next;
        if (buf->owner != NULL) {
            sending_disown(world, buf->owner, buf->data);
        }
        free(buf);
    }
    sendq_init(done);
}

void sending_lacked(world_t *world, const slot_t *slot, size_t len)
{
    uintptr_t place = (uintptr_t)slot->session.user;
    if (place != 0) {
        world->recs[place - 1].accepted -= len;
    }
}

static uint32_t sending__length(world_t *world)
{
    switch (rng_below(&world->rng, 16)) {
    case 0:
        return 0;
    case 1:
        return 1 + rng_below(&world->rng, SCRATCH_SIZE);
    case 2:
    case 3:
        return 1 + rng_below(&world->rng, 512);
    default:
        return 1 + rng_below(&world->rng, 32);
    }
}

/* False where memory is short; what was made is in CHAIN all the same. */
static bool sending__make(world_t *world, const rec_t *rec, sendq_t *chain)
{
    uint32_t pieces = rng_below(&world->rng, 4) == 0 ? 1 + rng_below(&world->rng, PIECES_MAX) : 1;
    if (rng_below(&world->rng, 256) == 0) {
        pieces = IO_SEND_BUFS_MAX + 8; /* more than one send can gather */
    }
    uint64_t position = rec->accepted;
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t len = pieces > PIECES_MAX ? 1 : sending__length(world);
        if (len == 0) {
            continue; /* as the layer above does */
        }
        sendbuf_t *buf;
        if (rng_below(&world->rng, 3) == 0) {
            buf = sending__pin(world, rec->number, position, len);
        } else {
            stream_fill(stream_of_server(rec->number), position, world->scratch, len);
            buf = sendbuf_copy(world->scratch, len);
        }
        if (buf == NULL) {
            return false;
        }
        sendq_push(chain, buf);
        position += len;
    }
    if (chain->tail != NULL) {
        chain->tail->last = true;
    }
    return true;
}

/* OVER: the session's end, or its end of file, came before the call. */
static void sending__check(world_t *world, rec_t *rec, uint64_t bytes, const sendq_t *chain,
                           call_t result, bool over)
{
    bool taken = result == CALL_OK || result == CALL_FULL;
    if (taken != (chain->bytes != bytes || (bytes == 0 && taken)) ||
        (taken && chain->head != NULL)) {
        world_fail(world, "engine_send came to %d, and left %u of %u bytes", (int)result,
                   (unsigned)chain->bytes, (unsigned)bytes);
    }
    if (taken && over) {
        world_fail(world, "engine_send took bytes for client %u after its end",
                   (unsigned)rec->number);
    }
    if (result == CALL_EOF && !rec->eof_written) {
        world_fail(world, "engine_send says EOF before any");
    }
    rec->fulls += result == CALL_FULL;
}

/* Sends CHAIN; where it is one message of one copy, now and then by the shorter way. */
static call_t sending__send(world_t *world, const rec_t *rec, sendq_t *chain, batch_t *batch)
{
    const sendbuf_t *only = chain->head;
    bool copy = only != NULL && only == chain->tail && only->owner == NULL;
    if (!copy || rng_below(&world->rng, 2) == 0) {
        return engine_send(world->engine, rec->token, chain, batch);
    }
    call_t result = engine_send_copy(world->engine, rec->token, only->data, only->len, batch);
    if (result == CALL_OK || result == CALL_FULL) {
        sending_release(world, chain);
    }
    return result;
}

void sending_try(world_t *world, rec_t *rec, batch_t *batch)
{
    sendq_t chain;
    if (rec->sending) {
        return; /* the bytes of two threads would come in no certain order */
    }
    rec->sending = true;
    sendq_init(&chain);
    if (sending__make(world, rec, &chain)) {
        const slot_t *slot = table_find(&world->engine->table, rec->token);
        token_t token = slot->token;
        bool live = token == rec->token;
        bool first = live && slot->state == SLOT_OPEN && !slot->session.ending.known;
        uint64_t bytes = chain.bytes;
        world->totals->sends++;
        world->stale_sends += !live;
        rec->accepted += bytes; /* before: another thread may see the session's end first */
        bool held = batch != NULL && slot->dirty == batch;
        if (first && bytes + slot->session.out.bytes > world->config.engine.write_limit &&
            !slot->session.fin_wanted) {
            rec->may_overflow = held;
            rec->ends = !held;
            rec->reason = REASON_WRITE_OVERFLOW;
        }
        bool over = rec->closed || rec->eof_written;
        call_t result = sending__send(world, rec, &chain, batch);
        if (result != CALL_OK && result != CALL_FULL && result != CALL_NO_MEMORY) {
            rec->accepted -= bytes;
        }
        rec->may_overflow &= result == CALL_OVERFLOW || !first;
        if (!live && result != (token == TOKEN_NONE ? CALL_CLOSED : CALL_STALE)) {
            world_fail(world, "a send to client %u, which is gone, came to %d",
                       (unsigned)rec->number, (int)result);
        }
        sending__check(world, rec, bytes, &chain, result, over);
    }
    sending_release(world, &chain);
    rec->sending = false;
}
