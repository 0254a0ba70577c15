/* turns.h: whose handshake goes on next. A step of one takes as long as thousands of messages, so
 * workers make them one at a time, between two looks at the port, in the order in which they came
 * up; and who has begun goes before who has not.
 *
 * A place is a handshake that has begun and is not over: so many at once, and others wait. A client
 * that says nothing has none, and costs nobody anything but its deadline. */
#ifndef IOCPREUSE_ENGINE_TURNS_H
#define IOCPREUSE_ENGINE_TURNS_H

#include "../../base/mutex.h"
#include "../bytes/filter.h"

typedef struct {
    mutex_t lock;  /* a leaf, under a slot's */
    list_t going;  /* filters that are OPENING */
    list_t coming; /* filters that are COMING, and have no place yet */
    uint32_t placed;
    uint32_t places;
} turns_t;

void turns_init(turns_t *turns, uint32_t places);
void turns_destroy(turns_t *turns);

/* FILTER's handshake could go on. False = it waits already; else a worker is to come. */
bool turns_enter(turns_t *turns, filter_t *filter);

/* Whether there is anybody to be called now. */
bool turns_wait(turns_t *turns);

/* Whose turn it is, with a place where it had none; NULL = nobody's. The slot serves somebody else
 * by the time its lock is taken, or not: turns_answer tells. */
struct slot *turns_take(turns_t *turns);

/* Whether FILTER is one that turns_take has named, and that has not answered. */
bool turns_answer(turns_t *turns, filter_t *filter);

/* FILTER's handshake is over, well or not. True = its place is free, and somebody waits for it. */
bool turns_leave(turns_t *turns, filter_t *filter);

#endif
