/* sockets.h: how many sockets were made, and closed instead of recycled, and why. No slot's lock is
 * held in these calls. */
#ifndef IOCPREUSE_ENGINE_SOCKETS_H
#define IOCPREUSE_ENGINE_SOCKETS_H

#include "../engine.h"

/* One has been made. */
void sockets_count_made(engine_t *engine);

/* One has been closed instead of recycled. */
void sockets_count_replaced(engine_t *engine, cause_t cause);

#endif
