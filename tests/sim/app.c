/* app.c: the application, an adversary: it answers early, late and never, in any order, from
 * any thread, to clients that are there, and to those that are not. */
#include <stdlib.h>

#include "../../csrc/io/sim/stream.h"
#include "toying.h"

/* The slot of REC, and whether it serves REC still. Exact, because no other thread runs between
 * this look and the lock that the call after it takes. */
static bool app__is_live(world_t *world, const rec_t *rec, const slot_t **slot)
{
    *slot = table_find(&world->engine->table, rec->token);
    return *slot != NULL && (*slot)->token == rec->token;
}

/* Whether a call that ends REC now is the first to do so. */
static bool app__ends_first(world_t *world, const rec_t *rec, bool flushing_too)
{
    const slot_t *slot;
    return app__is_live(world, rec, &slot) && !slot->session.ending.known &&
           (slot->state == SLOT_OPEN || (flushing_too && slot->state == SLOT_FLUSHING));
}

/* What a call on REC must come to when its slot does not serve it. */
static void app__check_call(world_t *world, const rec_t *rec, bool live, token_t token_before,
                            call_t result, const char *call)
{
    if (live) {
        if (result == CALL_STALE) {
            world_fail(world, "%s on client %u: stale, and it is there", call,
                       (unsigned)rec->number);
        }
        return;
    }
    world->totals->stale_calls++;
    call_t expected = token_before == TOKEN_NONE ? CALL_CLOSED : CALL_STALE;
    if (result != expected) {
        world_fail(world, "%s on client %u, which is gone, came to %d instead of %d", call,
                   (unsigned)rec->number, (int)result, (int)expected);
    }
}

static void app__end(world_t *world, rec_t *rec, batch_t *batch)
{
    const slot_t *slot;
    bool live = app__is_live(world, rec, &slot);
    token_t token = slot->token;
    static const reason_t reasons[] = {REASON_LOCAL_CLOSE, REASON_LOCAL_CLOSE, REASON_REFUSED,
                                       REASON_REPLACED};
    reason_t reason = reasons[rng_below(&world->rng, sizeof reasons / sizeof reasons[0])];
    rec->meddled = true;
    if (app__ends_first(world, rec, false)) {
        rec->ends = true;
        rec->reason = reason;
    }
    world->naming.other = TOKEN_NONE;
    call_t result = engine_end(world->engine, rec->token, reason, batch);
    app__check_call(world, rec, live, token, result, "engine_end");
}

static void app__abort(world_t *world, rec_t *rec)
{
    const slot_t *slot;
    bool live = app__is_live(world, rec, &slot);
    token_t token = slot->token;
    bool raised = rng_below(&world->rng, 3) == 0;
    rec->meddled = true;
    reason_t reason = raised ? REASON_CALLBACK_ERROR : REASON_LOCAL_ABORT;
    if (app__ends_first(world, rec, true)) {
        rec->ends = true;
        rec->reason = reason;
    }
    rec->is_reset |= !raised && live && (slot->state == SLOT_OPEN || slot->state == SLOT_FLUSHING);
    call_t result = engine_abort(world->engine, rec->token, reason, !raised);
    app__check_call(world, rec, live, token, result, "engine_abort");
}

static void app__write_eof(world_t *world, rec_t *rec, batch_t *batch)
{
    const slot_t *slot;
    bool live = app__is_live(world, rec, &slot);
    token_t token = slot->token;
    rec->eof_written |= live && slot->state == SLOT_OPEN;
    call_t result = engine_write_eof(world->engine, rec->token, batch);
    app__check_call(world, rec, live, token, result, "engine_write_eof");
}

static void app__info(world_t *world, rec_t *rec)
{
    const slot_t *slot;
    session_info_t info;
    bool live = app__is_live(world, rec, &slot);
    token_t token = slot->token;
    uint64_t heard = rec->heard;
    call_t result = engine_info(world->engine, rec->token, &info);
    app__check_call(world, rec, live, token, result, "engine_info");
    uint32_t rtt_us;
    live = app__is_live(world, rec, &slot);
    token = slot->token;
    app__check_call(world, rec, live, token, engine_rtt(world->engine, rec->token, &rtt_us),
                    "engine_rtt");
    if (result == CALL_OK && (info.bytes_received < heard || info.bytes_sent > rec->accepted)) {
        world_fail(world, "engine_info miscounts");
    }
}

static void app__pause_reading(world_t *world, rec_t *rec, bool paused)
{
    const slot_t *slot;
    bool live = app__is_live(world, rec, &slot);
    token_t token = slot->token;
    rec->meddled = true;
    if (live && slot->session.read_paused && !paused) {
        rec->resumed_ns = io_now_ns(world->io);
    }
    call_t result = engine_pause_reading(world->engine, rec->token, paused);
    app__check_call(world, rec, live, token, result, "engine_pause_reading");
}

/* Anything that an application may do to a session, wise or not. */
static void app__act(world_t *world, rec_t *rec, batch_t *batch)
{
    bool ends = rng_chance(&world->rng, world->config.odds_end);
    uint32_t choice = ends ? 40 + rng_below(&world->rng, 14) : rng_below(&world->rng, 40);
    if (choice < 32) {
        sending_try(world, rec, batch);
    } else if (choice < 34) {
        naming_login(world, rec, batch);
    } else if (choice < 36) {
        app__info(world, rec);
    } else if (choice < 37) {
        app__pause_reading(world, rec, true);
    } else if (choice < 40) {
        app__pause_reading(world, rec, false);
    } else if (choice < 46) {
        app__end(world, rec, batch);
    } else if (choice < 48) {
        app__end(world, rec, batch);
        app__end(world, rec, NULL);
    } else if (choice < 51) {
        app__write_eof(world, rec, batch);
    } else if (choice < 53) {
        app__abort(world, rec);
    } else {
        app__end(world, rec, batch);
        app__abort(world, rec);
    }
}

/* No two callbacks of one session run at once, and none is settled while it runs. */
static void app__enter(world_t *world, rec_t *rec, const event_t *event)
{
    if (rec->in_call || !world->held[event->slot->index]) {
        world_fail(world, "client %u: two callbacks at once", (unsigned)rec->number);
    }
    rec->in_call = true;
}

static void app__maybe_act(world_t *world, rec_t *rec, batch_t *batch)
{
    if (rng_chance(&world->rng, world->config.odds_act)) {
        app__act(world, rec, batch);
    }
    /* And to somebody else, who may be long gone. */
    if (rng_below(&world->rng, 8) == 0) {
        uint32_t back = rng_below(&world->rng, world->recs_count < 24 ? world->recs_count : 24);
        app__act(world, &world->recs[world->recs_count - 1 - back], batch);
    }
    (void)broadcasting_try(world, batch);
    requesting_try(world, rec, batch);
    (void)naming_try(world, batch);
}

static rec_t *app__open(world_t *world, const event_t *event)
{
    const slot_t *slot = event->slot;
    const rec_t *last = world->recs_count == 0 ? NULL : &world->recs[world->recs_count - 1];
    if (*event->user != NULL) {
        world_fail(world, "a new session has another one's user pointer");
    }
    if (slot->token != event->token || token_index(event->token) != slot->index) {
        world_fail(world, "an event has another token than its slot");
    }
    uint64_t generation = event->token >> TOKEN_INDEX_BITS;
    if (generation == 0 || generation > atomic_u64_load(&world->generation)) {
        world_fail(world, "a token out of thin air");
    }
    for (uint32_t i = 0; last != NULL && i < 64 && i < world->recs_count; i++) {
        if (last[-(int32_t)i].token == event->token) {
            world_fail(world, "a token is given out twice, or opened twice");
        }
    }
    rec_t *rec = &world->recs[world->recs_count++];
    *rec = (rec_t){.token = event->token};
    rec->conn = sim_conn_of(world->io, slot->sock);
    world->rec_of_conn[rec->conn] = world->recs_count;
    rec->number = sim_number_of(&slot->session.peer);
    if (rec->number != sim_client_number(world->io, rec->conn)) {
        world_fail(world, "a session with another client's address");
    }
    world->totals->sessions++;
    *event->user = (void *)(uintptr_t)world->recs_count;
    sim_trace(world->io, "open", rec->number, event->token);
    return rec;
}

/* The session of an event that is not its first. */
static rec_t *app__find(world_t *world, const event_t *event)
{
    uintptr_t place = (uintptr_t)*event->user;
    if (place == 0 || place > world->recs_count) {
        world_fail(world, "an event of kind %d before its session's open", (int)event->kind);
    }
    rec_t *rec = &world->recs[place - 1];
    if (rec->token != event->token) {
        world_fail(world, "an event with another session's user pointer");
    }
    if (rec->closed) {
        world_fail(world, "an event of kind %d after its session's end", (int)event->kind);
    }
    return rec;
}

static void app__check_data(world_t *world, const rec_t *rec)
{
    if (stream_match(stream_of_client(rec->number), rec->heard + rec->message_skip, rec->message,
                     rec->message_len) != rec->message_len) {
        world_fail(world, "client %u's data is not what it wrote, at position %u",
                   (unsigned)rec->number, (unsigned)rec->heard);
    }
}

static message_t app__expect(world_t *world, const rec_t *rec)
{
    return messages_next(recutting_framing(world, rec), stream_of_client(rec->number), rec->heard,
                         toying_written(world, rec->conn));
}

/* Takes the next message of an event: it is the next of the stream, and the session may have it. */
static bool app__hear(world_t *world, rec_t *rec, event_t *event)
{
    const slot_t *slot = event->slot;
    if (!engine_next_message(world->engine, event, &rec->message, &rec->message_len)) {
        bool over = event->turn_ns != 0 && io_now_ns(world->io) >= event->turn_ns;
        bool login = (slot->pending & PENDING_LOGIN) != 0;
        if (slot->state == SLOT_OPEN && !slot->session.read_paused && !over && !login &&
            check_has_input(&slot->session)) {
            world_fail(world, "client %u's stream is not cut to its end", (unsigned)rec->number);
        }
        return false;
    }
    if (slot->state != SLOT_OPEN || slot->session.read_paused ||
        (slot->pending & PENDING_LOGIN) != 0) {
        world_fail(world, "client %u's message comes when it must not", (unsigned)rec->number);
    }
    if (rec->eof_heard) {
        world_fail(world, "data after the end of file");
    }
    message_t expected = app__expect(world, rec);
    bool plain = recutting_framing(world, rec)->kind == FRAMING_NONE;
    if (plain) {
        expected = (message_t){FRAME_MESSAGE, 0, rec->message_len, rec->message_len};
    }
    if (expected.end != FRAME_MESSAGE || expected.len != rec->message_len ||
        (plain && rec->message_len > world->config.engine.read_size)) {
        world_fail(world, "client %u's message is cut wrong", (unsigned)rec->number);
    }
    rec->message_skip = expected.skip;
    rec->message_size = expected.size;
    app__check_data(world, rec);
    return true;
}

static bool app__reason_may_be(world_t *world, const rec_t *rec, const ending_t *ending)
{
    if (rec->ends) {
        return ending->reason == rec->reason;
    }
    switch (ending->reason) {
    case REASON_WRITE_OVERFLOW:
        return rec->may_overflow;
    case REASON_PEER_EOF:
        return toying_has_ended(world, rec->conn);
    case REASON_TRUNCATED:
        return toying_is_cut_off(world, rec->conn);
    case REASON_TLS_ERROR:
        return toying_is_on(world) && toying_is_bad(world, rec->conn);
    case REASON_PEER_RESET:
    case REASON_NETWORK:
        return ending->has_status;
    case REASON_SHUTDOWN:
        return world->stop_asked;
    case REASON_FRAME_ERROR:
        return app__expect(world, rec).end == ending->fault &&
               (ending->fault != FRAME_CUT_OFF || toying_has_ended(world, rec->conn));
    case REASON_FIRST_BYTE_TIMEOUT:
    case REASON_LOGIN_TIMEOUT:
    case REASON_IDLE_TIMEOUT:
    case REASON_MESSAGE_TIMEOUT:
        return world->timed_out[token_index(rec->token)] == rec->token; /* silence.c has seen it */
    default:
        return false; /* nobody asked for it */
    }
}

/* An aborted connection is never recycled, nor one whose client has not said good-bye. */
void app_check_recycled(world_t *world, const slot_t *slot)
{
    const rec_t *rec = NULL;
    for (uint32_t i = world->recs_count; i > 0 && rec == NULL; i--) {
        rec = world->recs[i - 1].token == slot->token ? &world->recs[i - 1] : NULL;
    }
    if (rec == NULL || !rec->closed) {
        world_fail(world, "slot %u is recycled before its session's end", slot->index);
    }
    if (rec->is_reset || !sim_conn_has_fin(world->io, rec->conn)) {
        world_fail(world, "client %u's socket is recycled, which it must not be",
                   (unsigned)rec->number);
    }
}

/* The messages from CURSOR on are the client's from AT on, to the end. */
static void app__check_messages(world_t *world, rec_t *rec, sendq_cursor_t cursor, uint64_t at)
{
    uint32_t cast = rec->cast_first;
    bool same = true;
    while (cursor.buf != NULL && same) {
        size_t len = sendq_message_len(&cursor);
        char *message = malloc(len);
        if (message == NULL) {
            break; /* nobody could be handed it */
        }
        sendq_read(&cursor, message);
        same = broadcasting_match(world, rec->conn, at, message, len) == len;
        free(message);
        at += len;
    }
    rec->cast_first = cast; /* the client has not come that far */
    if (!same) {
        world_fail(world, "what client %u is said to lack was never sent to it",
                   (unsigned)rec->number);
    }
}

/* What is handed on as unsent, message by message, has not reached the client in part. */
static void app__check_unsent(world_t *world, rec_t *rec, const session_t *session)
{
    bool partial;
    uint64_t untouched = 0;
    sendq_cursor_t first = sendq_untouched(&session->out, session->send_len, &partial);
    if (first.buf != NULL && first.buf->sent > first.start) {
        world_fail(world, "a message that has begun is said to be unsent");
    }
    size_t skipped = first.start;
    for (const sendbuf_t *buf = first.buf; buf != NULL; buf = buf->next) {
        untouched += buf->len - skipped;
        skipped = 0;
    }
    if (rec->sending) {
        return; /* nobody knows how much of that has been accepted */
    }
    if (rec->accepted - untouched < toying_taken(world, rec->conn)) {
        world_fail(world, "client %u has bytes of a message that is said to be unsent",
                   (unsigned)rec->number);
    }
    app__check_messages(world, rec, first, rec->accepted - untouched);
}

static void app__closed(world_t *world, rec_t *rec, const event_t *event)
{
    const ending_t *ending = &event->slot->session.ending;
    rec->closed = true;
    world->ends[ending->reason]++;
    *event->user = NULL;
    if (!ending->known || !app__reason_may_be(world, rec, ending)) {
        world_fail(world, "client %u ended for reason %d, its own was %d (%d)",
                   (unsigned)rec->number, (int)ending->reason, (int)rec->reason, rec->ends);
    }
    patience_check_unsent(world, rec, event->slot);
    const session_t *session = &event->slot->session;
    bool let_be = session->send_failed && !rec->meddled && !session->reset && /* by write_limit */
                  !world->stop_asked && world->timed_out[event->slot->index] != rec->token;
    if (let_be && (session->cut || toying_has_lost(world, session, rec))) {
        world_fail(world, "client %u could not be answered, and its message is lost",
                   (unsigned)rec->number);
    }
    app__check_unsent(world, rec, &event->slot->session);
    naming_leave(world, event);
    requesting_lose(world, rec, event);
    toying_close(world, event);
    sim_trace(world->io, "closed", rec->number, ending->reason);
}

bool app_begin(world_t *world, event_t *event, batch_t *batch)
{
    rec_t *rec = event->kind == EVENT_OPEN ? app__open(world, event) : app__find(world, event);
    if (event->kind == EVENT_DATA && !app__hear(world, rec, event)) {
        return false;
    }
    world->totals->events++;
    app__enter(world, rec, event);
    switch (event->kind) {
    case EVENT_FILTER: /* toying_hear has heard these */
    case EVENT_FAILED:
    case EVENT_OPEN:
    case EVENT_DATA:
        break;
    case EVENT_LOGIN:
        if (rec->logins++ >= rec->logins_asked) {
            world_fail(world, "a login that nobody asked for");
        }
        break;
    case EVENT_EOF:
        if (rec->eof_heard || rec->heard != toying_written(world, rec->conn)) {
            world_fail(world, "client %u: an end of file at position %u", (unsigned)rec->number,
                       (unsigned)rec->heard);
        }
        rec->eof_heard = true;
        event->keep = rng_below(&world->rng, 3) == 0;
        break;
    case EVENT_DRAIN:
        if (rec->drains++ >= rec->fulls && !rec->sending) {
            world_fail(world, "a drain event for a queue that was not full");
        }
        break;
    case EVENT_CLOSED:
        app__closed(world, rec, event);
        break;
    }
    app__maybe_act(world, rec, batch);
    return true;
}

void app_end(world_t *world, event_t *event, batch_t *batch)
{
    uintptr_t place = (uintptr_t)*event->user;
    if (!world->held[event->slot->index]) {
        world_fail(world, "slot %u: an event is settled while its callback runs",
                   event->slot->index);
    }
    if (event->kind == EVENT_FILTER || event->kind == EVENT_FAILED) {
        return;
    }
    if (event->kind == EVENT_CLOSED) {
        requesting_pass_on(world, event, batch);
        return;
    }
    if (place == 0 || event->slot->token != event->token) {
        world_fail(world, "a session was gone before its callback ended");
    }
    rec_t *rec = &world->recs[place - 1];
    rec->in_call = false;
    if (event->kind == EVENT_DATA) {
        app__check_data(world, rec);
        lending_take(world, event, rec->message);
        rec->heard += rec->message_size;
        world->totals->bytes_from_clients += rec->message_size;
    }
    recutting_try(world, rec, event);
    app__maybe_act(world, rec, batch);
}

/* Takes no more clients for a while. */
static void app__pause(world_t *world)
{
    world->paused = !world->paused;
    world->resumed_ns = io_now_ns(world->io);
    sim_trace(world->io, "pause", world->paused, 0);
    engine_pause(world->engine, world->paused);
}

bool app_intrude(world_t *world)
{
    uint32_t whim = rng_below(&world->rng, 1024);
    if (whim < (world->paused ? 32 : 1)) {
        app__pause(world);
        return true;
    }
    if (world->recs_count == 0 || whim >= world->config.whims) {
        return false;
    }
    if (broadcasting_try(world, NULL) || requesting_intrude(world) || naming_try(world, NULL)) {
        return true;
    }
    uint32_t span = rng_below(&world->rng, 4) == 0 ? SESSIONS_MAX : 12;
    uint32_t back = rng_below(&world->rng, world->recs_count < span ? world->recs_count : span);
    rec_t *rec = &world->recs[world->recs_count - 1 - back];
    sim_trace(world->io, "intrude", rec->number, 0);
    app__act(world, rec, NULL);
    return true;
}
