/* session.c: one client's life on its slot, from accept to on_disconnect. */
#include "session.h"

#include "../../base/check.h"
#include "../state.h"
#include "../work/agenda.h"
#include "closing.h"
#include "filtering.h"
#include "receive.h"
#include "timeout.h"

/* What is taken from the queue for one send: enough to fill a pipe, little enough to be pinned. */
#define SEND_BYTES_MAX (1024u * 1024u)

/* Of what is still queued, the bytes that the peer may have in part, while no send is in flight. */
static uint32_t in_part(const session_t *session)
{
    return session->filter == NULL ? 0 : (uint32_t)outbox_touched(&session->filter->out);
}

/* The stack has taken BYTES off the front of the queue, or of what its front was sealed to. */
static void note_sent(engine_t *engine, slot_t *slot, uint32_t bytes, batch_t *batch)
{
    session_t *session = &slot->session;
    uint64_t plain = bytes;
    if (session->filter != NULL) {
        plain = filter_sent(session->filter, &engine->chunks, &batch->pockets, bytes);
    }
    sendq_consume(&session->out, plain, &batch->done);
    session->bytes_sent += plain;
    if (bytes > 0 && session->active_ns < batch->now_ns) {
        session->active_ns = batch->now_ns;
    }
    atomic_u64_count(&batch->bytes_sent, plain);
    if (slot->state == SLOT_FLUSHING && bytes > 0) {
        session_progress(engine, slot);
    }
    if (slot->state == SLOT_OPEN && bytes > 0) {
        timeout_sent(engine, slot, batch->now_ns);
    }
    if (slot->state == SLOT_OPEN && session->write_full &&
        session->out.bytes <= engine->options.write_low) {
        session->write_full = false;
        slot->pending |= PENDING_DRAIN;
    }
}

/* Describes what the filter has sealed. */
static uint32_t gather_sealed(session_t *session, io_buf_t *bufs)
{
    session->send_len = (uint32_t)session->filter->out.plain;
    return outbox_gather(&session->filter->out, bufs, IO_SEND_BUFS_MAX);
}

/* Hands the front of the queue to the stack. What it takes at once has no completion, if there is
 * a worker to note it. Returns whether there may be more to send now. */
static bool start_send(engine_t *engine, slot_t *slot, batch_t *batch)
{
    session_t *session = &slot->session;
    io_buf_t bufs[IO_SEND_BUFS_MAX];
    uint32_t count = session->filter != NULL ? gather_sealed(session, bufs)
                                             : sendq_gather(&session->out, bufs, IO_SEND_BUFS_MAX,
                                                            SEND_BYTES_MAX, &session->send_len);
    uint32_t sent = 0;
    io_op_t *op = slot_arm(slot, OPERATION_SEND);
    if (session->read_paused) {
        timeout_restart(engine, slot); /* it could not idle until now */
    }
    int status = io_send(engine->io, op, slot->sock, bufs, count, batch == NULL ? NULL : &sent);
    if (status == 0) {
        return false;
    }
    slot->in_flight &= ~FLIGHT_SEND;
    if (status < 0) {
        session->send_len = in_part(session);
        session_fail_send(engine, slot, status, op->error);
        return false;
    }
    CHECK(batch != NULL && sent > 0); /* io_send promises it */
    note_sent(engine, slot, sent, batch);
    session->send_len = in_part(session);
    return true;
}

/* All is sent: our FIN goes out where it is wanted, and when both are through it is over. */
static void finish_sending(engine_t *engine, slot_t *slot)
{
    session_t *session = &slot->session;
    bool flushing = slot->state == SLOT_FLUSHING;
    if (flushing && session->peer_eof) {
        /* The peer was first, so the disconnect itself may carry our FIN. */
        session_part(engine, slot, &session->ending);
        return;
    }
    if (session->fin_wanted && !session->fin_sent) {
        int error = 0;
        int status = io_shutdown(engine->io, slot->sock, &error);
        if (status < 0) {
            session_fail_send(engine, slot, status, error);
            return;
        }
        session->fin_sent = true;
        if (flushing) {
            session_progress(engine, slot);
        }
    }
    if (session->fin_sent && session->peer_eof && (slot->pending & PENDING_EOF) == 0 &&
        (slot->in_flight & FLIGHT_CALLBACK) == 0) {
        /* write_eof() on our side, and on_eof kept it open until now: both are through. */
        ending_t ending = ending_from_status(NT_SUCCESS_CODE, 0);
        session_part(engine, slot, &ending);
    }
}

static void advance_sending(engine_t *engine, slot_t *slot, batch_t *batch)
{
    if ((slot->in_flight & FLIGHT_SEND) != 0 || slot->session.send_failed) {
        return;
    }
    bool more = true;
    while (more && !sendq_is_empty(&slot->session.out)) {
        more = start_send(engine, slot, batch);
    }
    if (more) {
        finish_sending(engine, slot);
    }
}

static bool serves(const slot_t *slot)
{
    return slot->state == SLOT_OPEN || slot->state == SLOT_FLUSHING;
}

static bool may_send(const slot_t *slot)
{
    return serves(slot) && (slot->in_flight & FLIGHT_SEND) == 0 && !slot->session.send_failed;
}

/* The same with a filter. A step releases the lock, so nothing of what was seen before holds. */
static void advance_filtered(engine_t *engine, slot_t *slot, batch_t *batch, bool held)
{
    const outbox_t *sealed = &slot->session.filter->out;
    do {
        while (may_send(slot) && !outbox_is_empty(sealed)) {
            (void)start_send(engine, slot, batch);
        }
    } while (serves(slot) && filtering_step(engine, slot, batch, held));
    if (may_send(slot) && !held && filtering_is_through(slot)) {
        finish_sending(engine, slot);
    }
}

/* What may be told now: what a paused session has received waits until it is resumed. */
static uint32_t tellable(const slot_t *slot)
{
    bool paused = slot->state == SLOT_OPEN && slot->session.read_paused;
    return paused ? slot->pending & ~(PENDING_DATA | PENDING_EOF) : slot->pending;
}

/* Hands the next pending event to the worker, or sees to it that a worker comes. */
static void tell(engine_t *engine, slot_t *slot, batch_t *batch)
{
    static const struct {
        uint32_t pending;
        event_kind_t kind;
    } order[] = {
        {PENDING_OPEN, EVENT_OPEN},     {PENDING_LOGIN, EVENT_LOGIN},
        {PENDING_DATA, EVENT_DATA},     {PENDING_EOF, EVENT_EOF},
        {PENDING_DRAIN, EVENT_DRAIN},   {PENDING_CLOSED, EVENT_CLOSED},
        {PENDING_FILTER, EVENT_FILTER}, /* never beside one of these */
    };
    uint32_t pending = tellable(slot);
    /* A callback may have the stream cut anew, which a step of the filter's feeds. */
    if (pending == 0 || (slot->in_flight & (FLIGHT_CALLBACK | FLIGHT_FILTER)) != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if ((pending & order[i].pending) == 0) {
            continue;
        }
        event_kind_t kind = order[i].kind;
        if (kind == EVENT_CLOSED && slot->session.unmet) {
            kind = EVENT_FAILED;
        }
        if (batch != NULL && batch_add(batch, kind, slot)) {
            slot->pending &= ~order[i].pending;
            slot->in_flight |= FLIGHT_CALLBACK;
            slot->session.telling = order[i].pending == PENDING_DATA;
            if (order[i].pending == PENDING_LOGIN) {
                /* The messages that stood behind it may follow. The session is open, as an end
                 * would have taken the login back; and in a pause no event tells of any. */
                atomic_u32_store(&slot->session.mute, 0);
            }
        } else {
            agenda_kick(engine, slot);
        }
        return;
    }
}

/* Sends, and does what the filter has to do. HELD: what is queued waits for more. */
static void advance_bytes(engine_t *engine, slot_t *slot, batch_t *batch, bool held)
{
    if (!serves(slot)) {
        return;
    }
    if (slot->session.filter != NULL) {
        advance_filtered(engine, slot, batch, held);
    } else if (!held) {
        advance_sending(engine, slot, batch);
    }
}

/* A client that closes its side amid a message, or without its filter's goodbye, has not said what
 * it meant to. */
static void end_cut_off(engine_t *engine, slot_t *slot, batch_t *batch)
{
    const session_t *session = &slot->session;
    if ((slot->pending & PENDING_EOF) == 0 || slot->state != SLOT_OPEN ||
        (tellable(slot) & (PENDING_EOF | PENDING_DATA)) != PENDING_EOF ||
        (slot->in_flight & FLIGHT_CALLBACK) != 0) {
        return;
    }
    bool truncated = session->filter != NULL && session->filter->cut_off;
    if (!truncated && !cutter_is_amid(&session->cutter)) {
        return;
    }
    ending_t ending = ending_frame(FRAME_CUT_OFF, session->cutter.kept_len);
    if (truncated) {
        bool open = session->filter->phase == FILTER_OPEN || session->filter->phase == FILTER_SHUT;
        ending = ending_local(open ? REASON_TRUNCATED : REASON_TLS_ERROR);
    }
    session_flush(engine, slot, &ending);
    advance_bytes(engine, slot, batch, false);
}

/* Nothing can be sent any more. What has come is told first, as far as it is here by now: the
 * stack's buffer is its limit, since nothing joins it on a connection that is broken. */
static void end_unsendable(engine_t *engine, slot_t *slot)
{
    session_t *session = &slot->session;
    if (slot->state != SLOT_OPEN || !session->send_failed || tellable(slot) != 0 ||
        (slot->in_flight & FLIGHT_CALLBACK) != 0) {
        return;
    }
    if (session->filter != NULL && !session->read_paused && filtering_has_more(slot)) {
        return;
    }
    bool goes_on = ntstatus_classify(session->ending.status).action != NTSTATUS_BACKOFF;
    if ((slot->in_flight & FLIGHT_RECV) == 0 || !goes_on ||
        !io_is_due(engine->io, slot->sock, &slot->recv.io)) {
        session_drain(engine, slot, &session->ending);
    }
}

void session_advance(engine_t *engine, slot_t *slot, batch_t *batch)
{
    if (IO_THREAD_EXIT_CANCELS && batch == NULL) {
        /* This may be a thread of the application's that ends before the operation does. */
        agenda_kick(engine, slot);
        return;
    }
    bool held = batch != NULL && batch->gathers && slot->dirty == batch;
    advance_bytes(engine, slot, batch, held);
    end_cut_off(engine, slot, batch);
    if (serves(slot)) {
        receive_advance(engine, slot, batch);
    }
    end_unsendable(engine, slot);
    if (slot->state == SLOT_DRAINING && slot->in_flight == 0 && slot->pending == 0) {
        if (slot->session.name != NULL) {
            names_give_back(&engine->names, slot->session.name, slot->token);
        }
        slot->pending = PENDING_CLOSED;
    }
    tell(engine, slot, batch);
}

void session_begin(engine_t *engine, slot_t *slot, const io_addr_t *peer, const io_addr_t *local,
                   batch_t *batch)
{
    slot->in_flight &= ~FLIGHT_LIFE;
    slot_set_state(slot, SLOT_OPEN);
    slot_begin(slot, token_make(atomic_u64_add(engine->options.generation, 1), slot->index));
    slot->session.peer = *peer;
    slot->session.local = *local;
    slot->session.framing = &engine->options.framing;
    if (engine->options.filter != NULL) {
        filtering_begin(engine, slot);
    } else {
        slot->pending = PENDING_OPEN;
    }
    timeout_begin(engine, slot, batch->now_ns);
    session_advance(engine, slot, batch);
}

void session_sent(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch)
{
    session_t *session = &slot->session;
    slot_land(slot, &slot->send);
    uint32_t status = io_event_status(event);
    uint32_t bytes = (int32_t)status < 0 ? 0 : io_event_bytes(event);
    note_sent(engine, slot, bytes, batch);
    if ((int32_t)status >= 0 || IO_FAILED_SEND_IS_UNSENT) {
        session->send_len = in_part(session);
    }
    if (slot->state == SLOT_DRAINING) {
        session_count_unsent(engine, slot);
    } else if ((int32_t)status < 0) {
        session_fail_send(engine, slot, (int)status, io_event_error(event));
    }
    session_advance(engine, slot, batch);
}

void session_settle(engine_t *engine, const event_t *event, batch_t *batch)
{
    slot_t *slot = event->slot;
    CHECK(slot->token == event->token && (slot->in_flight & FLIGHT_CALLBACK) != 0);
    slot->in_flight &= ~FLIGHT_CALLBACK;
    if (event->kind == EVENT_DATA) {
        slot->session.telling = false;
        receive_settle(engine, slot, batch);
    }
    timeout_cut(engine, slot); /* nobody has looked while it ran */
    if (event->kind == EVENT_EOF && !event->keep && slot->state == SLOT_OPEN) {
        ending_t ending = ending_from_status(NT_SUCCESS_CODE, 0);
        session_flush(engine, slot, &ending);
    }
    if (slot->state == SLOT_OPEN && engine_is_stopping(engine)) {
        ending_t ending = ending_local(REASON_SHUTDOWN);
        session_flush(engine, slot, &ending);
    }
    session_advance(engine, slot, batch);
}

void session_release(engine_t *engine, slot_t *slot, batch_t *batch)
{
    sendq_clear(&slot->session.out, &batch->done);
    receive_release(engine, slot, batch);
    if (slot->session.filter != NULL) {
        filtering_release(engine, slot, batch);
    }
    agenda_set_deadline(engine, slot, 0);
}

void session_overdue(engine_t *engine, slot_t *slot, uint64_t now_ns)
{
    /* Only FLUSHING has a deadline: the peer does not read, or keeps its side open. */
    if (!session_may_linger(engine, slot, now_ns)) {
        session_drain(engine, slot, &slot->session.ending);
        session_advance(engine, slot, NULL);
    }
}
