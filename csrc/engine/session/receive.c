/* receive.c: a session's receiving side: the buffer, the receive in flight, and the messages. */
#include "receive.h"

#include "../state.h"
#include "closing.h"
#include "timeout.h"

/* The buffer that a client gets first. */
#define SMALL_BYTES_MAX (16u * 1024u)

/* One that fills it gets one this many times as large, but no larger than that. */
#define LARGE_TIMES     16u
#define LARGE_BYTES_MAX (256u * 1024u)

/* A client whose messages take longer than this to be told waits for its next turn, so that one who
 * sends many small ones does not hold up the others. */
#define TURN_NS (250 * NS_PER_US)

/* So many of them are told in any case, and between two looks at the clock. */
#define TURN_MESSAGES 32u

uint32_t receive_small_size(uint32_t read_size)
{
    return read_size < SMALL_BYTES_MAX ? read_size : SMALL_BYTES_MAX;
}

uint32_t receive_large_size(uint32_t read_size)
{
    if (read_size >= LARGE_BYTES_MAX / LARGE_TIMES) {
        return read_size > LARGE_BYTES_MAX ? read_size : LARGE_BYTES_MAX;
    }
    return read_size * LARGE_TIMES;
}

/* Whether the filter has something that comes before what the next receive would bring. */
static bool is_to_be_fed(const slot_t *slot)
{
    const filter_t *filter = slot->session.filter;
    return filter->in_len > 0 || (filter->more && slot->state == SLOT_OPEN && !filter->peer_shut);
}

static bool may_receive(const slot_t *slot)
{
    const session_t *session = &slot->session;
    if (session->peer_eof || (slot->in_flight & (FLIGHT_RECV | FLIGHT_CALLBACK)) != 0) {
        return false;
    }
    if ((slot->pending & (PENDING_OPEN | PENDING_DATA)) != 0) {
        return false;
    }
    if (session->filter != NULL && is_to_be_fed(slot)) {
        return false;
    }
    return slot->state == SLOT_FLUSHING || !session->read_paused;
}

/* Where receives do not borrow, sessions keep their buffers, and a slab counts who has one. */
static pockets_t *pockets_of(batch_t *batch)
{
    return IO_RECV_BORROWS && batch != NULL ? &batch->pockets : NULL;
}

static void give_loan(engine_t *engine, session_t *session, batch_t *batch)
{
    io_lender_t *direct = engine->options.direct;
    direct->take_back(direct, pockets_of(batch), session->recv_buf, 0);
    session->recv_direct = false;
}

static void give_buffer(engine_t *engine, session_t *session, batch_t *batch)
{
    if (session->recv_direct) {
        give_loan(engine, session, batch);
    } else if (session->recv_buf != NULL) {
        pockets_give(pockets_of(batch), session->recv_slab, session->recv_buf);
    }
    session->recv_buf = NULL;
}

#if IO_RECV_BORROWS

/* The same from a receive's start to its end: what RECV_FULL tells changes behind it. */
static bool asks_direct(const engine_t *engine, const session_t *session)
{
    return session->recv_full && engine->options.direct != NULL && session->filter == NULL;
}

/* A session has a buffer only from a receive on until what it brought has been told. */
static int post(engine_t *engine, slot_t *slot, io_op_t *op, batch_t *batch)
{
    session_t *session = &slot->session;
    give_buffer(engine, session, batch);
    session->recv_slab = session->recv_full ? &engine->large : &engine->slab;
    io_lender_t *lender = &session->recv_slab->lender;
    if (asks_direct(engine, session)) {
        lender = engine->options.direct; /* which passes on to RECV_SLAB */
    }
    return io_recv_borrow(engine->io, op, slot->sock, lender);
}

/* What was received stands in a buffer, or several, that are now the session's. */
static void take_over(engine_t *engine, session_t *session, const io_event_t *event)
{
    if (io_event_bytes(event) > 0) {
        const io_op_t *op = io_event_op(event);
        session->recv_buf = io_op_loan(op);
        session->recv_direct = asks_direct(engine, session) && !io_op_is_passed_on(op);
        if (session->recv_direct) {
            direct_loan_t *loan = session->recv_buf;
            loan->left = 0;
            loan->fed = 0;
        }
    }
}

static void let_go(engine_t *engine, session_t *session, batch_t *batch)
{
    give_buffer(engine, session, batch);
}

#else

static void take_buffer(engine_t *engine, session_t *session, slab_t *slab, bool waits)
{
    void *buf = slab_take(slab, waits);
    if (buf != NULL) {
        give_buffer(engine, session, NULL);
        session->recv_buf = buf;
        session->recv_slab = slab;
    }
}

/* The buffer for the next receive. None is held while many sessions wait, and a large one only as
 * long as the client fills what it gets. */
static void fit_buffer(engine_t *engine, session_t *session)
{
    bool large = session->recv_buf != NULL && session->recv_slab == &engine->large;
    if (session->recv_buf != NULL && !session->recv_ready &&
        (slab_is_crowded(&engine->slab) || (large && !session->recv_full))) {
        give_buffer(engine, session, NULL);
    }
    if (session->recv_buf == NULL) {
        take_buffer(engine, session, &engine->slab, !session->recv_ready);
    }
    if (session->recv_full && !large && session->recv_buf != NULL) {
        take_buffer(engine, session, &engine->large, true);
    }
}

static int post(engine_t *engine, slot_t *slot, io_op_t *op, batch_t *batch)
{
    (void)batch;
    session_t *session = &slot->session;
    fit_buffer(engine, session);
    if (session->recv_buf == NULL && session->recv_ready) {
        op->error = 0;
        return (int)NT_INSUFFICIENT_RESOURCES;
    }
    session->recv_probe = session->recv_buf == NULL;
    session->recv_ready = false;
    uint32_t len = session->recv_probe ? 0 : session->recv_slab->size;
    return io_recv(engine->io, op, slot->sock, session->recv_buf, len);
}

static void take_over(engine_t *engine, session_t *session, const io_event_t *event)
{
    (void)engine;
    (void)session; /* it had the buffer all the time */
    (void)event;
}

static void let_go(engine_t *engine, session_t *session, batch_t *batch)
{
    (void)engine;
    (void)batch;
    (void)session; /* the next receive is for this buffer again */
}

#endif

void receive_advance(engine_t *engine, slot_t *slot, batch_t *batch)
{
    if (!may_receive(slot)) {
        return;
    }
    io_op_t *op = slot_arm(slot, OPERATION_RECV);
    int status = post(engine, slot, op, batch);
    if (status < 0) {
        slot->in_flight &= ~FLIGHT_RECV;
        session_fail(engine, slot, status, op->error);
    }
}

/* The stream cannot be cut any further. The slot's lock is held. */
static void end_stream(engine_t *engine, slot_t *slot, frame_t fault)
{
    if (slot->state != SLOT_OPEN) {
        return;
    }
    if (fault == FRAME_NO_MEMORY) {
        session_fail(engine, slot, (int)NT_INSUFFICIENT_RESOURCES, 0);
        return;
    }
    ending_t ending = ending_frame(fault, slot->session.cutter.told_len);
    session_flush(engine, slot, &ending);
}

/* Of a loan that is direct, the next of its buffers is to be cut: it is a message. */
static void feed_direct(engine_t *engine, session_t *session)
{
    direct_loan_t *loan = session->recv_buf;
    uint32_t size = engine->options.read_size;
    uint32_t len = loan->left < size ? loan->left : size;
    loan->left -= len;
    cutter_feed(&session->cutter, loan->messages[loan->fed++], len);
}

static void feed(engine_t *engine, session_t *session, uint32_t bytes)
{
    if (!session->recv_direct) {
        cutter_feed(&session->cutter, session->recv_buf, bytes);
        return;
    }
    direct_loan_t *loan = session->recv_buf;
    loan->left = bytes;
    feed_direct(engine, session);
}

bool receive_has_more(const session_t *session)
{
    if (cutter_has_input(&session->cutter)) {
        return true;
    }
    return session->recv_direct && ((const direct_loan_t *)session->recv_buf)->left > 0;
}

static frame_t next_frame(engine_t *engine, session_t *session)
{
    frame_t frame;
    do {
        if (session->recv_direct && !cutter_has_input(&session->cutter) &&
            receive_has_more(session)) {
            feed_direct(engine, session);
        }
        frame = cutter_next(&session->cutter, session->framing);
    } while (frame == FRAME_MORE && receive_has_more(session));
    return frame;
}

/* Only what has a whole message in it is worth an event. */
static void cut_first(engine_t *engine, slot_t *slot)
{
    session_t *session = &slot->session;
    frame_t frame = next_frame(engine, session);
    session->cut = frame == FRAME_MESSAGE;
    if (session->cut) {
        slot->pending |= PENDING_DATA;
    } else if (frame != FRAME_MORE) {
        end_stream(engine, slot, frame);
    }
}

static bool cut_next(engine_t *engine, slot_t *slot)
{
    frame_t frame = next_frame(engine, &slot->session);
    if (frame != FRAME_MESSAGE && frame != FRAME_MORE) {
        mutex_lock(&slot->lock);
        end_stream(engine, slot, frame);
        mutex_unlock(&slot->lock);
    }
    return frame == FRAME_MESSAGE;
}

/* Whether EVENT has told of so many messages that it is others' turn. The clock is looked at now
 * and then only. */
static bool is_over(engine_t *engine, event_t *event)
{
    if (event->messages % TURN_MESSAGES != TURN_MESSAGES - 1) {
        return false;
    }
    uint64_t now_ns = io_now_ns(engine->io);
    if (event->turn_ns == 0) {
        event->turn_ns = now_ns + TURN_NS;
    }
    return now_ns >= event->turn_ns;
}

bool engine_next_message(engine_t *engine, event_t *event, const char **data, uint32_t *len)
{
    session_t *session = &event->slot->session;
    if (atomic_u32_load(&session->mute) != 0 || is_over(engine, event)) {
        return false;
    }
    event->messages++;
    if (!session->cut && !cut_next(engine, event->slot)) {
        return false;
    }
    session->cut = false;
    atomic_u64_count(&session->messages_received, 1);
    *data = session->cutter.message;
    *len = session->cutter.message_len;
    return true;
}

char **engine_direct_message(const event_t *event)
{
    const session_t *session = &event->slot->session;
    if (!session->recv_direct || session->framing->kind != FRAMING_NONE) {
        return NULL;
    }
    direct_loan_t *loan = session->recv_buf;
    char **place = &loan->messages[loan->fed - 1];
    /* Where something else was cut off its front, it is no message as it is. */
    return session->cutter.message == *place ? place : NULL;
}

/* What has come is the filter's, and stays in its buffer until it has been fed. */
static void take_sealed(slot_t *slot, uint32_t bytes)
{
    session_t *session = &slot->session;
    session->filter->received += bytes;
    if (slot->state == SLOT_OPEN) {
        filter_take_in(session->filter, session->recv_buf, session->recv_slab, bytes);
        session->recv_buf = NULL;
    }
}

/* The peer's FIN, which its filter's goodbye should have come before. */
static void end_sealed(slot_t *slot)
{
    filter_t *filter = slot->session.filter;
    if (slot->state == SLOT_OPEN && !filter->peer_shut) {
        filter->cut_off = true;
        slot->pending |= PENDING_EOF;
    }
}

bool receive_take_plain(engine_t *engine, session_t *session, batch_t *batch)
{
    if (session->recv_buf == NULL) {
        session->recv_slab = session->recv_full ? &engine->large : &engine->slab;
        session->recv_buf = pockets_take(pockets_of(batch), session->recv_slab);
    }
    return session->recv_buf != NULL;
}

void receive_drop_sealed(session_t *session, batch_t *batch)
{
    filter_drop_in(session->filter, pockets_of(batch));
}

/* What a session that ends no longer wants to hear is dropped here. */
static void take_received(engine_t *engine, slot_t *slot, uint32_t bytes, batch_t *batch)
{
    session_t *session = &slot->session;
    if (session->recv_probe) {
        session->recv_ready = true;
        return;
    }
    if (bytes == 0) {
        session->peer_eof = true;
        if (session->filter != NULL) {
            end_sealed(slot);
        } else if (slot->state == SLOT_OPEN) {
            slot->pending |= PENDING_EOF;
        }
        return;
    }
    session->recv_full = bytes >= engine->slab.size;
    session->active_ns = batch->now_ns;
    if (session->filter != NULL) {
        take_sealed(slot, bytes);
        return;
    }
    receive_plain(engine, slot, bytes, batch);
}

void receive_plain(engine_t *engine, slot_t *slot, uint32_t bytes, batch_t *batch)
{
    session_t *session = &slot->session;
    session->bytes_received += bytes;
    atomic_u64_count(&batch->bytes_received, bytes);
    if (slot->state == SLOT_OPEN) {
        bool amid = cutter_is_amid(&session->cutter);
        feed(engine, session, bytes);
        if (!session->cut) { /* else a callback that runs has had it cut anew, and it is whole */
            cut_first(engine, slot);
        }
        if (session->cut || !amid) {
            session->message_ns = batch->now_ns;
        }
        timeout_cut(engine, slot);
    }
}

bool receive_recut(engine_t *engine, slot_t *slot, const framing_t *framing, bool tells)
{
    session_t *session = &slot->session;
    if (!cutter_recut(&session->cutter, session->framing, session->cut)) {
        return false;
    }
    session->cut = false;
    session->framing = framing;
    if (!tells) {
        slot->pending &= ~PENDING_DATA;
        if (receive_has_more(session)) {
            cut_first(engine, slot);
        }
    }
    return true;
}

/* EVENT, of a receive that has landed, is taken note of. */
static void complete(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch)
{
    uint32_t status = io_event_status(event);
    take_over(engine, &slot->session, event);
    if (slot->state != SLOT_DRAINING) {
        if ((int32_t)status < 0) {
            session_fail(engine, slot, (int)status, io_event_error(event));
        } else {
            take_received(engine, slot, io_event_bytes(event), batch);
        }
    }
}

void receive_settle(engine_t *engine, slot_t *slot, batch_t *batch)
{
    session_t *session = &slot->session;
    if (slot->state == SLOT_OPEN && (session->cut || receive_has_more(session))) {
        slot->pending |= PENDING_DATA; /* it was paused, or its turn is over */
        batch->has_rest = true;
    } else {
        let_go(engine, session, batch);
    }
    if (session->held) {
        session->held = false;
        complete(engine, slot, &session->recv_event, batch);
    }
}

void receive_release(engine_t *engine, slot_t *slot, batch_t *batch)
{
    cutter_drop(&slot->session.cutter);
    give_buffer(engine, &slot->session, batch);
}

void receive_completed(engine_t *engine, slot_t *slot, const io_event_t *event, batch_t *batch)
{
    slot_land(slot, &slot->recv);
    /* There is one while messages are told only where they have been cut anew in another callback,
     * before which it had been posted. */
    slot->session.held = slot->session.telling;
    if (slot->session.held) {
        slot->session.recv_event = *event;
    } else {
        complete(engine, slot, event, batch);
    }
}
