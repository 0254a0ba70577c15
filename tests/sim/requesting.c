/* requesting.c: the application's requests: begun, answered, handed over and passed on at every
 * step of the life of a slot, by workers and by other threads.
 *
 * What a call must come to is said before it: no other thread runs between that and the lock under
 * which the engine decides. Answers are noted where the engine queues them, as broadcasts are. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/io/sim/stream.h"
#include "world.h"

/* The streams of answers, beside those of broadcasts. */
#define ANSWER_MARK (1ull << 61)

/* Of the asks, so many of the latest are looked at for something to do. */
#define LATEST 16u

void requesting_begin(world_t *world)
{
    requesting_t *requesting = &world->requesting;
    requesting->rng.state = rng_mix(world->plan.seed ^ 0x2E57u);
    requesting->odds = rng_below(&requesting->rng, 2) == 0
                           ? 0
                           : 32u << rng_below(&requesting->rng, 5); /* of 1024 */
}

static bool requesting__chance(world_t *world, uint32_t of)
{
    return rng_below(&world->requesting.rng, of) == 0;
}

static const slot_t *requesting__slot_of(world_t *world, token_t token)
{
    const slot_t *slot = token == TOKEN_NONE ? NULL : table_find(&world->engine->table, token);
    return slot != NULL && slot->token == token ? slot : NULL;
}

/* Keeps others from sending to TOKEN's client until requesting__leave: what comes before what would
 * be in no certain order. False where somebody is at it. */
static bool requesting__enter(world_t *world, token_t token, rec_t **rec)
{
    const slot_t *slot = requesting__slot_of(world, token);
    uintptr_t place = slot == NULL ? 0 : (uintptr_t)slot->session.user;
    *rec = place == 0 ? NULL : &world->recs[place - 1];
    if (*rec != NULL && (*rec)->sending) {
        return false;
    }
    if (*rec != NULL) {
        (*rec)->sending = true;
    }
    return true;
}

static void requesting__leave(rec_t *rec)
{
    if (rec != NULL) {
        rec->sending = false;
    }
}

static bool requesting__is_open(world_t *world, token_t token)
{
    const slot_t *slot = requesting__slot_of(world, token);
    return slot != NULL && slot->state == SLOT_OPEN;
}

/* Whether no answer reaches its client any more. */
static bool requesting__is_going(const slot_t *slot)
{
    return slot == NULL || slot->state != SLOT_OPEN || slot->session.send_failed;
}

static ask_t *requesting__new(world_t *world)
{
    requesting_t *requesting = &world->requesting;
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        ask_t *ask = &requesting->asks[(requesting->last + i) % ASKS_MAX];
        bool over = ask->state == ASK_ANSWERED || ask->state == ASK_ABORTED;
        if (ask->busy == 0 && (ask->state == ASK_FREE || (over && requesting__chance(world, 4)))) {
            memset(ask, 0xDD, sizeof *ask); /* nobody may look at it any more */
            memset(ask, 0, offsetof(ask_t, request));
            request_init(&ask->request);
            requesting->last = (uint32_t)(ask - requesting->asks);
            return ask;
        }
    }
    return NULL;
}

/* One of the latest, in whatever state. */
static ask_t *requesting__any(world_t *world)
{
    requesting_t *requesting = &world->requesting;
    uint32_t back = rng_below(&requesting->rng, requesting__chance(world, 8) ? ASKS_MAX : LATEST);
    ask_t *ask = &requesting->asks[(requesting->last + ASKS_MAX - back) % ASKS_MAX];
    return ask->state == ASK_FREE ? NULL : ask;
}

static const rec_t *requesting__any_rec(world_t *world)
{
    uint32_t last = world->recs_count < 12 ? world->recs_count : 12;
    return &world->recs[world->recs_count - 1 - rng_below(&world->requesting.rng, last)];
}

static void requesting__ask(world_t *world, const rec_t *rec)
{
    ask_t *ask = requesting__new(world);
    if (ask == NULL) {
        return;
    }
    bool open = requesting__is_open(world, rec->token);
    ask->state = open ? ASK_OPEN : ASK_FREE;
    ask->owner = rec->token;
    ask->busy = 1;
    sim_trace(world->io, "ask", rec->number, open);
    call_t result = engine_begin_request(world->engine, rec->token, &ask->request);
    ask->busy = 0;
    world->totals->asks += open;
    CHECK_THAT(world, (result == CALL_OK) == open, "a request of client %u came to %d",
               (unsigned)rec->number, (int)result);
}

/* A fresh answer; false where memory is short. */
static bool requesting__make(world_t *world, sendq_t *answer, uint64_t mark, uint32_t len)
{
    char *bytes = world->scratch;
    void *owner = NULL;
    sendq_init(answer);
    if (len == 0) {
        return true;
    }
    if (requesting__chance(world, 2)) {
        owner = sending_own(world, len, &bytes);
        if (owner == NULL) {
            return false;
        }
    }
    stream_fill(mark, 0, bytes, len);
    sendbuf_t *buf = owner == NULL ? sendbuf_copy(bytes, len) : sendbuf_pin(bytes, len, owner);
    if (buf == NULL) {
        if (owner != NULL) {
            sending_disown(world, owner, bytes);
        }
        return false;
    }
    buf->last = true;
    sendq_push(answer, buf);
    return true;
}

/* What engine_reply for ASK has to come to, where the owner does not take it: WAITS with what is
 * kept then. REPLY_SENT where the owner is there. */
static reply_t requesting__predict(world_t *world, ask_t *ask, const sendq_t *answer, uint64_t mark)
{
    switch (ask->state) {
    case ASK_ABORTED:
        return REPLY_ABORTED;
    case ASK_ANSWERED:
        return ask->passed ? REPLY_PASSED : REPLY_TWICE;
    case ASK_OPEN:
    case ASK_FREE:
        break;
    }
    if (!requesting__is_going(requesting__slot_of(world, ask->owner))) {
        ask->answer = (answer_t){mark, answer->head, answer->bytes};
        return REPLY_SENT;
    }
    if (!ask->has_kept) {
        ask->has_kept = true;
        ask->kept = (answer_t){mark, answer->head, answer->bytes};
    }
    return REPLY_WAITS;
}

static void requesting__reply(world_t *world, ask_t *ask, batch_t *batch)
{
    requesting_t *requesting = &world->requesting;
    if (requesting->answers == ANSWERS_MAX) {
        return;
    }
    uint64_t mark = ANSWER_MARK + requesting->answers++;
    uint32_t len = requesting__chance(world, 8) ? 0 : 1 + rng_below(&requesting->rng, 64);
    sendq_t answer;
    rec_t *rec;
    if (!requesting__make(world, &answer, mark, len)) {
        return;
    }
    if (!requesting__enter(world, ask->owner, &rec)) {
        sending_release(world, &answer);
        return;
    }
    const slot_t *slot = requesting__slot_of(world, ask->owner);
    bool ended = slot != NULL && slot->session.fin_wanted;
    ask->busy++;
    reply_t expected = requesting__predict(world, ask, &answer, mark);
    bool passing = ask->passing;
    sim_trace(world->io, "reply", ask->owner, expected);
    call_t why = CALL_OK;
    call_t admitted = CALL_OK;
    token_t owner = TOKEN_NONE;
    requesting->admitted = &admitted;
    requesting->replying = ask;
    reply_t reply = engine_reply(world->engine, &ask->request, &answer, batch, &why, &owner);
    ask->busy--;
    requesting__leave(rec);
    sending_release(world, &answer);
    world->totals->replies[reply]++;
    bool refused = expected == REPLY_SENT && reply == REPLY_REFUSED && why != CALL_OK &&
                   why != CALL_FULL && why != CALL_CLOSED && (why != CALL_EOF || ended);
    /* What had been held back for the owner did not leave, and ended it. */
    bool late = expected == REPLY_SENT && reply == REPLY_WAITS && admitted == CALL_CLOSED;
    /* Between the look at an heir who is not there and the end there may be a reply. */
    bool early = passing && expected == REPLY_ABORTED && reply == REPLY_WAITS;
    /* Of those who reply to what has been passed on one hears so, whoever comes first. */
    bool overtaken =
        expected == REPLY_PASSED && reply == REPLY_TWICE && (ask->told_passed || ask->busy > 0);
    if (reply == REPLY_PASSED) {
        CHECK_THAT(world, ask->passed, "two replies are told of one answer that was passed on");
        ask->passed = false;
        ask->told_passed = true;
    }
    CHECK_THAT(world, reply == expected || refused || late || early || overtaken,
               "a reply came to %d (%d) instead of %d", (int)reply, (int)why, (int)expected);
    CHECK_THAT(world, reply != REPLY_SENT || !ended, "a reply was sent after the end of file");
}

/* ASK is about to be TO's, as the engine must see it. */
static handover_t requesting__predict_move(world_t *world, ask_t *ask, token_t to, bool tells)
{
    if (ask->state != ASK_OPEN || ask->told != tells ||
        requesting__is_going(requesting__slot_of(world, to))) {
        return HANDOVER_NONE;
    }
    ask->owner = to;
    ask->told = false;
    return HANDOVER_OPEN;
}

/* What the engine says where nobody has asked it whether a queue takes an answer. */
#define NOT_ASKED ((call_t)(CALL_NO_MEMORY + 1))

/* HANDOVER is what it has come to; WAITED, whether an answer was kept for it, which has been
 * ADMITTED or not. */
static void requesting__check_move(world_t *world, handover_t handover, handover_t expected,
                                   bool waited, call_t admitted)
{
    bool moved = handover != HANDOVER_NONE;
    CHECK_THAT(world, !moved || waited == (admitted != NOT_ASKED), "a kept answer is forgotten");
    CHECK_THAT(world, (handover == HANDOVER_ANSWERED) == (moved && waited && admitted == CALL_OK),
               "a kept answer is not sent, or one that was refused");
    CHECK_THAT(world, moved == (expected != HANDOVER_NONE), "a handover came to %d, not %d",
               (int)handover, (int)expected);
    world->totals->handovers[handover]++;
}

static void requesting__hand_over(world_t *world, ask_t *ask, batch_t *batch)
{
    const rec_t *to = requesting__any_rec(world);
    rec_t *rec;
    if (!requesting__enter(world, to->token, &rec)) {
        return;
    }
    bool waited = ask->has_kept;
    ask->busy++;
    handover_t expected = requesting__predict_move(world, ask, to->token, false);
    sim_trace(world->io, "hand over", to->number, expected);
    call_t admitted = NOT_ASKED;
    world->requesting.admitted = &admitted;
    world->requesting.replying = NULL;
    handover_t handover = engine_hand_over(world->engine, &ask->request, to->token, batch);
    ask->busy--;
    requesting__leave(rec);
    requesting__check_move(world, handover, expected, waited, admitted);
}

void requesting_try(world_t *world, const rec_t *rec, batch_t *batch)
{
    requesting_t *requesting = &world->requesting;
    if (requesting->odds == 0 || rng_below(&requesting->rng, 1024) >= requesting->odds ||
        world->recs_count == 0) {
        return;
    }
    uint32_t choice = rng_below(&requesting->rng, 8);
    ask_t *ask = requesting__any(world);
    if (choice < 3 || ask == NULL) {
        requesting__ask(world, requesting__chance(world, 4) ? requesting__any_rec(world) : rec);
    } else if (choice < 6) {
        requesting__reply(world, ask, batch);
    } else {
        requesting__hand_over(world, ask, batch);
    }
}

bool requesting_intrude(world_t *world)
{
    requesting_t *requesting = &world->requesting;
    if (requesting->odds == 0 || !requesting__chance(world, 4)) {
        return false;
    }
    requesting_try(world, requesting__any_rec(world), NULL);
    return true;
}

static ask_t *requesting__of(request_t *request)
{
    return LIST_ENTRY(request, ask_t, request);
}

/* The one that the engine has just found to be answered. */
static ask_t *requesting__claimed(world_t *world)
{
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        ask_t *ask = &world->requesting.asks[i];
        if (ask->state == ASK_OPEN && request_state(&ask->request) == REQUEST_ANSWERED) {
            return ask;
        }
    }
    world_fail(world, "an answer is nobody's, or is sent twice");
}

/* It is about to be queued for SLOT's client. */
void requesting_taken(world_t *world, const slot_t *slot, const sendq_t *chain)
{
    uintptr_t place = (uintptr_t)slot->session.user;
    ask_t *ask = requesting__claimed(world);
    bool fresh = world->requesting.replying != NULL;
    answer_t answer = fresh ? ask->answer : ask->kept;
    CHECK_THAT(world, place != 0 && slot->state == SLOT_OPEN && !slot->session.fin_wanted,
               "an answer goes to slot %u, which is not open", slot->index);
    CHECK_THAT(world, ask->owner == slot->token, "an answer goes to a stranger");
    CHECK_THAT(world, !ask->told, "what is being told as lost is answered");
    CHECK_THAT(world,
               (fresh || ask->has_kept) && answer.head == chain->head && answer.len == chain->bytes,
               "another answer is sent than was given");
    ask->state = ASK_ANSWERED;
    ask->passed = !fresh;
    ask->has_kept = false;
    if (answer.len > 0) {
        broadcasting_note(world, &world->recs[place - 1], answer.mark, (uint32_t)answer.len);
    }
}

/* And has come to RESULT. */
void requesting_queued(world_t *world, const slot_t *slot, call_t result)
{
    world->recs[(uintptr_t)slot->session.user - 1].fulls += result == CALL_FULL;
}

/* The engine has looked whether SLOT's client takes an answer. */
void requesting_admitted(world_t *world, const slot_t *slot, call_t result)
{
    uintptr_t place = (uintptr_t)slot->session.user;
    /* A send that had failed before is the first reason. */
    bool first = slot->session.ending.reason == REASON_WRITE_OVERFLOW;
    if (result == CALL_OVERFLOW && place != 0 && first) {
        world->recs[place - 1].ends = true;
        world->recs[place - 1].reason = REASON_WRITE_OVERFLOW;
    }
    ask_t *ask = world->requesting.replying;
    call_t comes_to = slot->session.send_failed ? CALL_CLOSED : result;
    if (comes_to == CALL_CLOSED && ask != NULL && !ask->has_kept) {
        ask->has_kept = true;
        ask->kept = ask->answer;
    }
    *world->requesting.admitted = comes_to;
}

/* The end of REC is told: every request of it that is open, and no other. */
void requesting_lose(world_t *world, const rec_t *rec, const event_t *event)
{
    requesting_t *requesting = &world->requesting;
    size_t expected = 0;
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        ask_t *ask = &requesting->asks[i];
        if (ask->state == ASK_OPEN && ask->owner == rec->token) {
            ask->told = true;
            expected++;
        }
    }
    size_t count = engine_lose_requests(world->engine, event);
    CHECK_THAT(world, count == expected, "client %u leaves %u requests behind, not %u",
               (unsigned)rec->number, (unsigned)expected, (unsigned)count);
    for (request_t *lost = engine_lost_request(event); lost != NULL; lost = lost->next) {
        const ask_t *ask = requesting__of(lost);
        CHECK_THAT(world, ask->state == ASK_OPEN && ask->owner == rec->token && ask->told,
                   "client %u is told to lose what is not its own, or answered",
                   (unsigned)rec->number);
        count--;
    }
    CHECK_THAT(world, count == 0, "a list of requests is not as long as it says");
}

/* And who takes them over: nobody, one who may be gone, the very one who has ended. */
void requesting_pass_on(world_t *world, const event_t *event, batch_t *batch)
{
    request_t *request;
    token_t heir = requesting__chance(world, 4) || world->recs_count == 0
                       ? TOKEN_NONE
                       : requesting__any_rec(world)->token;
    rec_t *rec = NULL;
    if (!requesting__enter(world, heir, &rec)) {
        heir = TOKEN_NONE;
        rec = NULL;
    }
    while ((request = engine_lost_request(event)) != NULL) {
        ask_t *ask = requesting__of(request);
        bool waited = ask->has_kept;
        ask->busy++;
        handover_t expected = requesting__predict_move(world, ask, heir, true);
        if (expected == HANDOVER_NONE) {
            ask->state = ASK_ABORTED;
            ask->has_kept = false;
            ask->passing = true;
        }
        sim_trace(world->io, "pass on", heir, expected);
        sendq_t kept;
        call_t admitted = NOT_ASKED;
        world->requesting.admitted = &admitted;
        world->requesting.replying = NULL;
        handover_t handover = engine_pass_on(world->engine, request, heir, batch, &kept);
        CHECK_THAT(world, sendq_is_empty(&kept) || handover == HANDOVER_NONE,
                   "an answer that is kept is given away");
        CHECK_THAT(world, engine_lost_request(event) != request, "a lost request stays lost");
        sending_release(world, &kept);
        ask->passing = false;
        ask->busy--;
        requesting__check_move(world, handover, expected, waited, admitted);
    }
    requesting__leave(rec);
}

void requesting_check(world_t *world)
{
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        ask_t *ask = &world->requesting.asks[i];
        if (ask->state == ASK_FREE) {
            continue;
        }
        static const request_state_t states[] = {[ASK_FREE] = REQUEST_OPEN,
                                                 [ASK_OPEN] = REQUEST_OPEN,
                                                 [ASK_ANSWERED] = REQUEST_ANSWERED,
                                                 [ASK_ABORTED] = REQUEST_ABORTED};
        CHECK_THAT(world, request_state(&ask->request) == states[ask->state],
                   "a request is in state %d, not %d", (int)request_state(&ask->request),
                   (int)states[ask->state]);
        CHECK_THAT(world, ask->state != ASK_OPEN || requesting__slot_of(world, ask->owner) != NULL,
                   "a request is open, and its client has gone");
        bool kept = ask->state == ASK_OPEN && ask->has_kept;
        CHECK_THAT(world, kept == (ask->request.list != NULL && ask->request.has_kept),
                   "an answer is not kept, or for too long");
    }
}

void requesting_end(world_t *world)
{
    requesting_check(world);
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        CHECK_THAT(world, world->requesting.asks[i].state != ASK_OPEN, "a request is left open");
    }
}
