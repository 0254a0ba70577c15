/* toying.h: a filter for the simulator, in a share of its worlds: records with a header, a body
 * that is not plain and a sum over it, a handshake of two steps, tickets, alerts, goodbyes. */
#ifndef IOCPREUSE_TESTS_SIM_TOYING_H
#define IOCPREUSE_TESTS_SIM_TOYING_H

#include "world.h"

const char *toying_name(toy_count_t what);

/* Gives the world's clients a filter, where its seed says so; before it is opened. */
void toying_begin(world_t *world);
void toying_end(world_t *world);
bool toying_is_on(const world_t *world);

/* The clients' side. Bytes of theirs are plain, and leave as records. */
void toying_greet(world_t *world, uint32_t conn);
/* False = not yet, the handshake is not that far. */
bool toying_write(world_t *world, uint32_t conn, uint32_t bytes);
void toying_bye(world_t *world, uint32_t conn);
/* What the model asks: the client's stream as it is on the wire, and whether ours is right. */
void toying_fill(void *context, uint64_t number, uint64_t position, char *out, size_t len);
size_t toying_match(void *context, uint32_t conn, uint64_t position, const char *bytes, size_t len);

/* Plain bytes of the client of CONN: those that it has written, */
uint64_t toying_written(const world_t *world, uint32_t conn);
/* those that have reached it, at least in part, */
uint64_t toying_taken(const world_t *world, uint32_t conn);
/* and those in the first WIRE bytes for it. */
uint64_t toying_plain(const world_t *world, uint32_t conn, uint64_t wire);
/* Whether it has said goodbye; without a filter, whether its FIN has come. */
bool toying_has_ended(const world_t *world, uint32_t conn);
/* Whether its FIN came without one; not where there is no filter. */
bool toying_is_cut_off(const world_t *world, uint32_t conn);
/* Whether it has sent what is no record. */
bool toying_is_bad(const world_t *world, uint32_t conn);

/* The application's side: events of a client that it does not know. True = EVENT was one. */
bool toying_hear(world_t *world, event_t *event);
/* Whether plain bytes of SESSION's, which is REC's, have been read and not told. */
bool toying_has_lost(const world_t *world, const session_t *session, const rec_t *rec);
/* The last event of one that it knew. */
void toying_close(world_t *world, const event_t *event);
/* SLOT's socket is about to be recycled. True = its client never opened: all is checked here. */
bool toying_check_recycled(world_t *world, const slot_t *slot);

/* The invariants. */
void toying_check(world_t *world, const slot_t *slot);
void toying_check_all(world_t *world);

#endif
