/* toy.c: the toy as a filter: the server's side of it. */
#include <stdlib.h>

#include "toy.h"
#include "toying.h"
#include "toy_filter.h"

struct toy {
    world_t *world;
    bool busy;   /* a step is under way */
    bool called; /* it is its turn */
    bool over;   /* it has failed, or said goodbye, and is not to be asked again */
    toy_way_t in;
    toy_way_t out;
    char left[TOY_BODY_MAX]; /* plain bytes that there was no room for */
    uint32_t left_at;
    uint32_t left_len;
};

toy_t *toy_new(world_t *world, uint64_t number)
{
    toy_t *toy = malloc(sizeof *toy);
    if (toy != NULL) {
        *toy = (toy_t){.world = world, .in = {.number = number}, .out = {.number = number}};
    }
    return toy;
}

void toy_call(toy_t *toy)
{
    toy->called = true;
}

static void count(const toy_t *toy, toy_count_t what)
{
    toy->world->totals->toys[what]++;
}

/* A step begins: alone, and under no lock. */
static toy_t *enter(void *self)
{
    toy_t *toy = self;
    if (toy->busy || toy->over) {
        world_fail(toy->world, "two steps of a filter at once, or one after its end");
    }
    if (toy->world->locks_count > 0) {
        world_fail(toy->world, "a filter's step is made under a lock");
    }
    toy->busy = true;
    hooks_rest(); /* it takes long */
    return toy;
}

static filter_result_t leave(toy_t *toy, filter_result_t result)
{
    toy->busy = false;
    toy->over = result == FILTER_FAILED || result == FILTER_NO_MEMORY;
    return result;
}

static bool put(toy_t *toy, step_t *step, toy_type_t type, const char *plain, uint32_t len)
{
    char bytes[TOY_MAX];
    uint32_t size = toy_write(&toy->out, type, plain, len, bytes);
    bool good = filter_put(step, bytes, size);
    if (step->out.head != step->out.tail) {
        count(toy, TOY_chunks_more);
    }
    return good;
}

static filter_result_t fail(toy_t *toy, step_t *step)
{
    return put(toy, step, TOY_ALERT, "no", 2) ? FILTER_FAILED : FILTER_NO_MEMORY;
}

static toy_state_t next_record(toy_t *toy, step_t *step, toy_type_t *type, char *plain,
                               uint32_t *len)
{
    uint32_t used = toy_read(&toy->in, step->in, step->in_len);
    step->in += used;
    step->in_len -= used;
    return toy_take(&toy->in, type, plain, len);
}

static filter_result_t open_record(toy_t *toy, step_t *step, toy_type_t type)
{
    char words[48] = "welcome, whoever you are; this is a certificate";
    if (type == TOY_HELLO && toy->in.count == 1) {
        return put(toy, step, TOY_WELCOME, words, sizeof words) ? FILTER_GOES_ON : FILTER_NO_MEMORY;
    }
    if (type != TOY_DONE || toy->in.count != 2) {
        return fail(toy, step);
    }
    for (uint64_t left = toy->in.number % 3; left > 0; left--) {
        if (!put(toy, step, TOY_TICKET, words, 16)) {
            return FILTER_NO_MEMORY;
        }
    }
    count(toy, TOY_opened);
    return FILTER_OPENED;
}

static filter_result_t toy_open(void *self, step_t *step)
{
    toy_t *toy = enter(self);
    filter_result_t result = FILTER_GOES_ON;
    if (!toy->called) {
        world_fail(toy->world, "a handshake goes on, and it is not its turn");
    }
    toy->called = false;
    while (result == FILTER_GOES_ON) {
        toy_type_t type;
        char plain[TOY_BODY_MAX];
        uint32_t len;
        toy_state_t state = next_record(toy, step, &type, plain, &len);
        if (state == TOY_PART) {
            break;
        }
        result = state == TOY_BAD ? fail(toy, step) : open_record(toy, step, type);
    }
    return leave(toy, result);
}

/* A record that is no data. */
static filter_result_t feed_record(toy_t *toy, step_t *step, toy_type_t type)
{
    switch (type) {
    case TOY_REKEY:
        count(toy, TOY_rekeys);
        return put(toy, step, TOY_REKEY, "new", 3) ? FILTER_GOES_ON : FILTER_NO_MEMORY;
    case TOY_BYE:
        count(toy, TOY_goodbyes_heard);
        if (step->in_len > 0) {
            count(toy, TOY_after_goodbye);
        }
        return FILTER_END;
    default:
        return fail(toy, step);
    }
}

static void hand_out(toy_t *toy, step_t *step)
{
    uint32_t room = step->room - step->len;
    uint32_t part = toy->left_len < room ? toy->left_len : room;
    memcpy(step->plain + step->len, toy->left + toy->left_at, part);
    step->len += part;
    toy->left_at += part;
    toy->left_len -= part;
}

static filter_result_t toy_feed(void *self, step_t *step)
{
    toy_t *toy = enter(self);
    filter_result_t result = FILTER_GOES_ON;
    while (result == FILTER_GOES_ON) {
        toy_type_t type;
        hand_out(toy, step);
        if (toy->left_len > 0) {
            count(toy, TOY_kept_back);
            step->more = true;
            break;
        }
        if (step->len == step->room) {
            break;
        }
        toy->left_at = 0;
        toy_state_t state = next_record(toy, step, &type, toy->left, &toy->left_len);
        if (state != TOY_WHOLE || type != TOY_DATA) {
            toy->left_len = 0;
        }
        if (state == TOY_PART) {
            break;
        }
        if (state == TOY_BAD || type != TOY_DATA) {
            result = state == TOY_BAD ? fail(toy, step) : feed_record(toy, step, type);
        }
    }
    if (result == FILTER_FAILED) {
        count(toy, TOY_alerts);
    }
    return leave(toy, result);
}

static filter_result_t toy_seal(void *self, step_t *step)
{
    toy_t *toy = enter(self);
    count(toy, TOY_seals);
    if (step->out.head != NULL) {
        count(toy, TOY_seals_more);
    }
    bool good = put(toy, step, TOY_DATA, step->data, step->data_len);
    return leave(toy, good ? FILTER_GOES_ON : FILTER_NO_MEMORY);
}

static filter_result_t toy_shut(void *self, step_t *step)
{
    toy_t *toy = enter(self);
    bool good = put(toy, step, TOY_BYE, "", 0);
    return leave(toy, good ? FILTER_GOES_ON : FILTER_NO_MEMORY);
}

const filter_type_t toy_types[TOY_TYPES] = {
    {16, sizeof(chunk_t) + 32, toy_open, toy_feed, toy_seal, toy_shut},
    {64, sizeof(chunk_t) + 96, toy_open, toy_feed, toy_seal, toy_shut},
    {TOY_BODY_MAX, sizeof(chunk_t) + TOY_MAX, toy_open, toy_feed, toy_seal, toy_shut},
};
