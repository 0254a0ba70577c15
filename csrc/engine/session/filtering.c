/* filtering.c: what a session's filter does next. */
#include "filtering.h"

#include <string.h>

#include "../../base/check.h"
#include "../state.h"
#include "../work/agenda.h"
#include "closing.h"
#include "receive.h"
#include "timeout.h"

/* So many records are sealed before the stack is offered them. */
#define SEAL_RECORDS_MAX 4u

/* The plain bytes of a record that stand in several places are put together here. */
#define SCRATCH_BYTES 16384u

static pockets_t *pockets_of(batch_t *batch)
{
    return batch == NULL ? NULL : &batch->pockets;
}

static bool is_opening(const filter_t *filter)
{
    return filter->phase == FILTER_COMING || filter->phase == FILTER_OPENING;
}

void filtering_begin(engine_t *engine, slot_t *slot)
{
    session_t *session = &slot->session;
    session->unmet = true;
    session->filter = filter_new(engine->options.filter, slot);
    if (session->filter == NULL) {
        session_fail(engine, slot, (int)NT_INSUFFICIENT_RESOURCES, 0);
    }
}

/* Its handshake is over, and whoever waits for its place may have it. */
static void end_handshake(engine_t *engine, filter_t *filter)
{
    if (turns_leave(&engine->turns, filter)) {
        io_wake(engine->io, 1);
    }
}

void filtering_turn(engine_t *engine, slot_t *slot)
{
    filter_t *filter = slot->state == SLOT_OPEN ? slot->session.filter : NULL;
    if (filter == NULL || !turns_answer(&engine->turns, filter)) {
        return; /* whoever was called has gone */
    }
    if (filter->phase == FILTER_COMING) {
        slot->pending |= PENDING_FILTER;
    } else {
        filter->turn = true;
    }
}

void engine_set_filter(engine_t *engine, const event_t *event, void *self)
{
    slot_t *slot = event->slot;
    mutex_lock(&slot->lock);
    filter_t *filter = slot->session.filter;
    CHECK(event->kind == EVENT_FILTER && filter->self == NULL);
    filter->self = self;
    if (filter->phase == FILTER_COMING) {
        filter->phase = self == NULL ? FILTER_BROKEN : FILTER_OPENING;
    }
    if (self == NULL && slot->state == SLOT_OPEN) {
        session_fail(engine, slot, (int)NT_INSUFFICIENT_RESOURCES, 0);
    }
    mutex_unlock(&slot->lock);
}

void *engine_filter(const event_t *event)
{
    const filter_t *filter = event->slot->session.filter;
    return filter == NULL ? NULL : filter->self;
}

/* The filter cannot go on. What came before is told, and then the session ends. */
static void fail(engine_t *engine, slot_t *slot)
{
    filter_t *filter = slot->session.filter;
    filter->phase = FILTER_BROKEN;
    end_handshake(engine, filter);
    filter->cut_off = true;
    if (slot->state == SLOT_OPEN) {
        slot->pending |= PENDING_EOF;
    }
}

/* The handshake is done: from now on the application knows its client. */
static void opened(engine_t *engine, slot_t *slot, batch_t *batch)
{
    slot->session.filter->phase = FILTER_OPEN;
    end_handshake(engine, slot->session.filter);
    if (slot->state == SLOT_OPEN) {
        slot->session.unmet = false;
        slot->pending |= PENDING_OPEN;
        timeout_begin(engine, slot, batch->now_ns);
        atomic_u64_add(&engine->handshakes, 1);
    }
}

static void heard(engine_t *engine, slot_t *slot, const step_t *step, batch_t *batch)
{
    filter_t *filter = slot->session.filter;
    filter->more = step->more;
    filter->in = step->in;
    filter->in_len = step->in_len;
    if (filter->in_len == 0) {
        receive_drop_sealed(&slot->session, batch);
    }
    if (step->len > 0) {
        CHECK((slot->in_flight & FLIGHT_CALLBACK) == 0); /* it might be cutting */
        receive_plain(engine, slot, step->len, batch);
    }
}

/* A step has come to RESULT. */
static void landed(engine_t *engine, slot_t *slot, step_t *step, filter_result_t result,
                   batch_t *batch)
{
    filter_t *filter = slot->session.filter;
    slot->in_flight &= ~FLIGHT_FILTER;
    if (filter->phase == FILTER_SHUT) {
        outbox_clear(&step->out, &engine->chunks, pockets_of(batch)); /* our FIN may be out */
    }
    outbox_append(&filter->out, &step->out);
    switch (result) {
    case FILTER_GOES_ON:
        break;
    case FILTER_OPENED:
        opened(engine, slot, batch);
        break;
    case FILTER_END:
        filter->peer_shut = true;
        if (slot->state == SLOT_OPEN) {
            slot->pending |= PENDING_EOF;
        }
        break;
    case FILTER_FAILED:
        fail(engine, slot);
        break;
    case FILTER_NO_MEMORY:
        filter->phase = FILTER_BROKEN;
        session_fail_send(engine, slot, (int)NT_INSUFFICIENT_RESOURCES, 0);
        break;
    }
}

static step_t begin_step(engine_t *engine, slot_t *slot, batch_t *batch)
{
    slot->in_flight |= FLIGHT_FILTER;
    return (step_t){.chunks = &engine->chunks, .pockets = pockets_of(batch)};
}

/* Received bytes are fed: to the handshake, or to become plain ones in a buffer of the session's.
 */
static void feed(engine_t *engine, slot_t *slot, batch_t *batch)
{
    filter_t *filter = slot->session.filter;
    bool opens = filter->phase == FILTER_OPENING;
    if (!opens && !receive_take_plain(engine, &slot->session, batch)) {
        session_fail(engine, slot, (int)NT_INSUFFICIENT_RESOURCES, 0);
        return;
    }
    step_t step = begin_step(engine, slot, batch);
    step.in = filter->in;
    step.in_len = filter->in_len;
    if (!opens) {
        step.plain = slot->session.recv_buf;
        step.room = slot->session.recv_slab->size;
    }
    filter->turn = false;
    mutex_unlock(&slot->lock);
    filter_result_t result =
        opens ? filter->type->open(filter->self, &step) : filter->type->feed(filter->self, &step);
    mutex_lock(&slot->lock);
    heard(engine, slot, &step, batch);
    landed(engine, slot, &step, result, batch);
}

/* The next LEN bytes of those that BUFS describes, from place *AT on in the first that is not
 * through, *BUF; put together in SCRATCH where they stand in several. */
static const char *piece(const io_buf_t **buf, uint32_t *at, uint32_t len, char *scratch)
{
    const char *whole = io_buf_data(*buf) + *at;
    if (io_buf_len(*buf) - *at >= len) {
        *at += len;
        return whole;
    }
    for (uint32_t done = 0; done < len;) {
        uint32_t left = io_buf_len(*buf) - *at;
        uint32_t part = left < len - done ? left : len - done;
        memcpy(scratch + done, io_buf_data(*buf) + *at, part);
        done += part;
        *at += part;
        if (*at == io_buf_len(*buf) && done < len) {
            ++*buf;
            *at = 0;
        }
    }
    return scratch;
}

/* BYTES of the queue, as BUFS has them, become records. */
static filter_result_t seal_all(filter_t *filter, step_t *step, const io_buf_t *bufs,
                                uint32_t bytes)
{
    char scratch[SCRATCH_BYTES];
    uint32_t record_max = filter->type->record_max;
    uint32_t at = 0;
    filter_result_t result = FILTER_GOES_ON;
    while (bytes > 0 && result == FILTER_GOES_ON) {
        if (at == io_buf_len(bufs)) {
            bufs++;
            at = 0;
        }
        step->data_len = bytes < record_max ? bytes : record_max;
        step->data = piece(&bufs, &at, step->data_len, scratch);
        bytes -= step->data_len;
        result = filter->type->seal(filter->self, step);
        if (result == FILTER_GOES_ON) {
            outbox_end_record(&step->out, step->data_len);
        }
    }
    return result;
}

/* What is queued becomes as few records as can be: once for a flush, not once for a message. */
static void seal(engine_t *engine, slot_t *slot, batch_t *batch)
{
    filter_t *filter = slot->session.filter;
    io_buf_t bufs[IO_SEND_BUFS_MAX];
    uint32_t bytes;
    /* What is sealed is still in the queue, and its front: it must not be sealed twice. */
    CHECK(filter->type->record_max <= SCRATCH_BYTES && outbox_is_empty(&filter->out));
    (void)sendq_gather(&slot->session.out, bufs, IO_SEND_BUFS_MAX,
                       filter->type->record_max * SEAL_RECORDS_MAX, &bytes);
    step_t step = begin_step(engine, slot, batch);
    mutex_unlock(&slot->lock);
    filter_result_t result = seal_all(filter, &step, bufs, bytes);
    mutex_lock(&slot->lock);
    landed(engine, slot, &step, result, batch);
}

static void shut(engine_t *engine, slot_t *slot, batch_t *batch)
{
    filter_t *filter = slot->session.filter;
    step_t step = begin_step(engine, slot, batch);
    mutex_unlock(&slot->lock);
    filter_result_t result = filter->type->shut(filter->self, &step);
    mutex_lock(&slot->lock);
    landed(engine, slot, &step, result, batch);
    if (filter->phase == FILTER_OPEN) {
        filter->phase = FILTER_SHUT;
    }
}

/* Whether what the peer sends is still to be read. */
static bool is_feeding(const filter_t *filter)
{
    return (filter->phase == FILTER_OPEN || filter->phase == FILTER_SHUT) && !filter->peer_shut;
}

/* Whether what was received, or is left within, may become plain bytes now. */
static bool may_feed(const slot_t *slot)
{
    const session_t *session = &slot->session;
    const filter_t *filter = session->filter;
    return slot->state == SLOT_OPEN && (filter->in_len > 0 || filter->more) && is_feeding(filter) &&
           (slot->in_flight & FLIGHT_CALLBACK) == 0 &&
           (slot->pending & (PENDING_OPEN | PENDING_DATA)) == 0 && !session->read_paused;
}

/* Whether the handshake may go on; if only its turn is missing, it is asked for. */
static bool may_open(engine_t *engine, slot_t *slot)
{
    filter_t *filter = slot->session.filter;
    if (slot->state != SLOT_OPEN || filter->in_len == 0 || !is_opening(filter) ||
        (slot->in_flight & FLIGHT_CALLBACK) != 0 || (slot->pending & PENDING_FILTER) != 0) {
        return false;
    }
    if (!filter->turn && turns_enter(&engine->turns, filter)) {
        io_wake(engine->io, 1);
    }
    return filter->turn;
}

static bool may_seal(const slot_t *slot)
{
    const filter_t *filter = slot->session.filter;
    return filter->phase == FILTER_OPEN && (slot->in_flight & FLIGHT_SEND) == 0 &&
           !slot->session.send_failed;
}

bool filtering_step(engine_t *engine, slot_t *slot, batch_t *batch, bool held)
{
    session_t *session = &slot->session;
    filter_t *filter = session->filter;
    if ((slot->in_flight & FLIGHT_FILTER) != 0) {
        return false; /* whoever makes that step goes on */
    }
    if (slot->state != SLOT_OPEN || filter->peer_shut) {
        receive_drop_sealed(session, batch); /* nobody wants to hear it */
    }
    if (slot->state != SLOT_OPEN && is_opening(filter)) {
        filter->phase = FILTER_BROKEN;
        end_handshake(engine, filter);
    }
    bool queued = !sendq_is_empty(&session->out);
    bool feeds = may_open(engine, slot) || may_feed(slot);
    bool seals = !held && may_seal(slot) && (queued || session->fin_wanted);
    if (!feeds && !seals) {
        return false;
    }
    if (batch == NULL) {
        agenda_kick(engine, slot);
        return false;
    }
    if (feeds) {
        feed(engine, slot, batch);
    } else if (queued) {
        seal(engine, slot, batch);
    } else {
        shut(engine, slot, batch);
    }
    return true;
}

bool filtering_is_through(const slot_t *slot)
{
    const session_t *session = &slot->session;
    const filter_t *filter = session->filter;
    if ((slot->in_flight & FLIGHT_FILTER) != 0 || !outbox_is_empty(&filter->out)) {
        return false;
    }
    switch ((filter_phase_t)filter->phase) {
    case FILTER_OPEN:
        return sendq_is_empty(&session->out) && !session->fin_wanted;
    case FILTER_COMING:
    case FILTER_OPENING:
    case FILTER_SHUT:
    case FILTER_BROKEN:
        break;
    }
    return true;
}

bool filtering_has_more(const slot_t *slot)
{
    const filter_t *filter = slot->session.filter;
    return (slot->in_flight & FLIGHT_FILTER) != 0 ||
           (is_feeding(filter) && (filter->in_len > 0 || filter->more));
}

void filtering_release(engine_t *engine, slot_t *slot, batch_t *batch)
{
    filter_t *filter = slot->session.filter;
    end_handshake(engine, filter);
    slot->session.filter = NULL;
    filter_release(filter, &engine->chunks, pockets_of(batch));
}
