/* request.c: requests are begun, answered, handed over and passed on, from any thread.
 *
 * A request is begun, handed over and answered under the lock of the session that it then belongs
 * to, so none of it meets that session's end halfway; under that lock the engine's requests_lock is
 * taken for the request itself. What an answer needs is made before. */
#include "../session/requests.h"

#include "../bytes/sendq.h"
#include "../state.h"
#include "control.h"
#include "send.h"

call_t engine_begin_request(engine_t *engine, token_t token, request_t *request)
{
    call_t result;
    slot_t *slot = control_lock(engine, token, &result);
    if (slot == NULL) {
        return result;
    }
    bool open = slot->state == SLOT_OPEN;
    if (open) {
        mutex_lock(&engine->requests_lock);
        requests_add(&slot->session.requests, request, token);
        mutex_unlock(&engine->requests_lock);
    }
    mutex_unlock(&slot->lock);
    return open ? CALL_OK : CALL_CLOSED;
}

/* What a reply to REQUEST comes to that is not open any more. The requests_lock is held. */
static reply_t reply_too_late(request_t *request)
{
    if (request_state(request) == REQUEST_ABORTED) {
        return REPLY_ABORTED;
    }
    if (!request->passed) {
        return REPLY_TWICE;
    }
    request->passed = false;
    return REPLY_PASSED;
}

/* Where REQUEST stands: REPLY_SENT is still possible with OWNER, or with another one
 * (REPLY_MOVED); else what a reply comes to. */
static reply_t look(engine_t *engine, request_t *request, token_t owner)
{
    mutex_lock(&engine->requests_lock);
    reply_t reply = request_is_of(request, owner) ? REPLY_SENT
                    : request->list != NULL       ? REPLY_MOVED
                                                  : reply_too_late(request);
    mutex_unlock(&engine->requests_lock);
    return reply;
}

/* Takes REQUEST, which is answered now, from OWNER, with what was kept for it; false where it is no
 * longer that one's. */
static bool claim(engine_t *engine, request_t *request, token_t owner, sendq_t *kept, bool passed)
{
    mutex_lock(&engine->requests_lock);
    bool is = request_is_of(request, owner);
    if (is) {
        requests_remove(request, REQUEST_ANSWERED);
        request->passed = passed;
        *kept = request->kept;
        sendq_init(&request->kept);
    }
    mutex_unlock(&engine->requests_lock);
    return is;
}

/* OWNER is going: ANSWER waits with REQUEST for the next one, unless there is one that waits. False
 * where it is no longer OWNER's. */
static bool keep(engine_t *engine, request_t *request, token_t owner, sendq_t *answer)
{
    mutex_lock(&engine->requests_lock);
    bool is = request_is_of(request, owner);
    if (is && !request->has_kept) {
        request->has_kept = true;
        request->kept = *answer;
        sendq_init(answer);
    }
    mutex_unlock(&engine->requests_lock);
    return is;
}

/* Whether nothing more will reach the client that SLOT serves, although its end may be still to be
 * told: then its answers wait for the heir. */
static bool is_going(const slot_t *slot)
{
    return slot->state != SLOT_OPEN || slot->session.send_failed;
}

/* As send_admit; CALL_CLOSED where the client is going, or is found to be when what was held back
 * for it is to make room. */
static call_t admit(engine_t *engine, slot_t *slot, size_t len, batch_t *batch)
{
    call_t result = is_going(slot) ? CALL_CLOSED : send_admit(engine, slot, len, batch);
    return slot->session.send_failed ? CALL_CLOSED : result;
}

/* Answers REQUEST, if the client that SLOT serves is its owner. The slot's lock is held. */
static reply_t reply_to(engine_t *engine, slot_t *slot, request_t *request, sendq_t *answer,
                        batch_t *batch, call_t *why)
{
    token_t owner = slot->token;
    reply_t reply = look(engine, request, owner);
    if (reply != REPLY_SENT) {
        return reply;
    }
    *why = admit(engine, slot, answer->bytes, batch);
    if (*why == CALL_CLOSED) {
        return keep(engine, request, owner, answer) ? REPLY_WAITS : REPLY_MOVED;
    }
    if (*why != CALL_OK) {
        return REPLY_REFUSED;
    }
    sendq_t kept;
    if (!claim(engine, request, owner, &kept, false)) {
        return REPLY_MOVED;
    }
    *why = send_queue(engine, slot, answer, batch);
    *answer = kept; /* the caller's to release */
    return REPLY_SENT;
}

reply_t engine_reply(engine_t *engine, request_t *request, sendq_t *answer, batch_t *batch,
                     call_t *why, token_t *owner)
{
    for (;;) {
        *owner = atomic_u64_load(&request->owner);
        slot_t *slot = control_lock(engine, *owner, why);
        reply_t reply;
        if (slot != NULL) {
            reply = reply_to(engine, slot, request, answer, batch, why);
            mutex_unlock(&slot->lock);
        } else {
            /* No session goes before its requests do, but for a forked child. */
            reply = look(engine, request, *owner);
            reply = reply == REPLY_SENT ? REPLY_DISOWNED : reply;
        }
        if (reply != REPLY_MOVED) {
            return reply;
        }
    }
}

/* REQUEST has come to the client that SLOT serves: it gets the answer that was kept for it, if it
 * can. Whether it did. The slot's lock is held. */
static bool deliver(engine_t *engine, slot_t *slot, request_t *request, batch_t *batch)
{
    sendq_t kept;
    mutex_lock(&engine->requests_lock);
    bool has_kept = request_is_of(request, slot->token) && request->has_kept;
    uint64_t bytes = has_kept ? request->kept.bytes : 0;
    mutex_unlock(&engine->requests_lock);
    if (!has_kept || admit(engine, slot, bytes, batch) != CALL_OK ||
        !claim(engine, request, slot->token, &kept, true)) {
        return false;
    }
    (void)send_queue(engine, slot, &kept, batch);
    return true;
}

/* REQUEST becomes one of the client TO; where it is being told as lost, only if TELLS. */
static handover_t hand_over(engine_t *engine, request_t *request, token_t to, bool tells,
                            batch_t *batch)
{
    call_t why;
    slot_t *slot = control_lock(engine, to, &why);
    if (slot == NULL) {
        return HANDOVER_NONE;
    }
    handover_t handover = HANDOVER_NONE;
    if (!is_going(slot)) {
        mutex_lock(&engine->requests_lock);
        if (request->list != NULL && request->list->told == tells) {
            requests_remove(request, REQUEST_OPEN);
            requests_add(&slot->session.requests, request, to);
            handover = HANDOVER_OPEN;
        }
        mutex_unlock(&engine->requests_lock);
    }
    if (handover == HANDOVER_OPEN && deliver(engine, slot, request, batch)) {
        handover = HANDOVER_ANSWERED;
    }
    mutex_unlock(&slot->lock);
    return handover;
}

handover_t engine_hand_over(engine_t *engine, request_t *request, token_t to, batch_t *batch)
{
    return hand_over(engine, request, to, false, batch);
}

size_t engine_lose_requests(engine_t *engine, const event_t *event)
{
    requests_t *lost = &event->slot->session.requests;
    size_t count = 0;
    mutex_lock(&engine->requests_lock);
    lost->told = lost->first != NULL;
    for (const request_t *request = lost->first; request != NULL; request = request->next) {
        count++;
    }
    mutex_unlock(&engine->requests_lock);
    return count;
}

request_t *engine_lost_request(const event_t *event)
{
    return event->slot->session.requests.first; /* which nobody else changes now */
}

static void abort_request(engine_t *engine, request_t *request, sendq_t *kept)
{
    mutex_lock(&engine->requests_lock);
    requests_remove(request, REQUEST_ABORTED);
    *kept = request->kept;
    sendq_init(&request->kept);
    mutex_unlock(&engine->requests_lock);
}

handover_t engine_pass_on(engine_t *engine, request_t *request, token_t heir, batch_t *batch,
                          sendq_t *kept)
{
    handover_t handover = HANDOVER_NONE;
    sendq_init(kept);
    if (heir != TOKEN_NONE) {
        handover = hand_over(engine, request, heir, true, batch);
    }
    if (handover == HANDOVER_NONE) {
        abort_request(engine, request, kept);
    }
    return handover;
}
