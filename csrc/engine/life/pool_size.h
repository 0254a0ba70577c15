/* pool_size.h: how many accepts are posted and sockets kept: growth by what is missing, and what
 * nobody needs is given back. Where nothing else is said, the engine's lock is held. */
#ifndef IOCPREUSE_ENGINE_POOL_SIZE_H
#define IOCPREUSE_ENGINE_POOL_SIZE_H

#include "../engine.h"

/* What is to be given back. */
typedef struct {
    uint64_t accepts;
    uint32_t sockets;
} surplus_t;

/* The engine's port is open: the pool has its smallest size. No other thread is there yet. */
void pool_size_begin(engine_t *engine);

/* A client has found no accept posted: all that seem to be are taken. The manager's; no lock
 * is held. */
void pool_size_is_dry(engine_t *engine, uint64_t now_ns);

/* What there is to be had is about to rise, or has fallen, at NOW_NS: notes how much of it nobody
 * needs. */
void pool_size_note(engine_t *engine, uint64_t now_ns);

/* An accept is no longer posted: a client has come, at NOW_NS, or (CLIENT is false) it brought
 * none. */
void pool_size_taken(engine_t *engine, bool client, uint64_t now_ns);

/* For want of memory, buffers or handles no accept is posted for a while. ERROR is the native one,
 * 0 = no memory of our own. */
void pool_size_put_off(engine_t *engine, uint64_t now_ns, int error);

/* A socket has been closed that could not be reused: one of those that nobody has needed will be in
 * its place. */
void pool_size_lost(engine_t *engine);

/* Accepts were taken, at NOW_NS: a pool that was short grows, to the number of clients that came at
 * once. No lock is held. */
void pool_size_grow(engine_t *engine, uint64_t now_ns);

/* Sets a smaller target if it is time, and tells what is too much by now. No lock is held. */
surplus_t pool_size_shrink(engine_t *engine, uint64_t now_ns);

#endif
