/* toy_filter.h: the server's side of the toy, as the application has it. */
#ifndef IOCPREUSE_TESTS_SIM_TOY_FILTER_H
#define IOCPREUSE_TESTS_SIM_TOY_FILTER_H

#include "../../csrc/engine/bytes/filter.h"
#include "world.h"

#define TOY_TYPES 3u

extern const filter_type_t toy_types[TOY_TYPES];

typedef struct toy toy_t;

/* Its handshake may make one step. */
void toy_call(toy_t *toy);

/* For the connection NUMBER; NULL = no memory. It is one block of memory. */
toy_t *toy_new(world_t *world, uint64_t number);

#endif
