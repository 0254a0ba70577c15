/* shortage.h: what is worth saying about accepts that cannot be posted: that it begins, once a
 * minute that it lasts, and that it is over. */
#ifndef IOCPREUSE_PY_SHORTAGE_H
#define IOCPREUSE_PY_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../engine/engine.h"

typedef struct {
    uint64_t seen;     /* engine_shortages() at the last look */
    uint64_t told;     /* how many there were since the last news, as of the news */
    uint64_t counted;  /* seen, when the last news was told */
    uint64_t since_ns; /* it began, */
    uint64_t last_ns;  /* was last met, */
    uint64_t news_ns;  /* and was last told of */
    bool lasts;
    int error; /* the native one of the last; 0 = no memory of our own */
} shortage_t;

typedef enum { SHORTAGE_NO_NEWS, SHORTAGE_BEGINS, SHORTAGE_LASTS, SHORTAGE_OVER } shortage_news_t;

/* Looks how ENGINE fares. The manager's thread, in each of its rounds. */
shortage_news_t shortage_look(shortage_t *shortage, engine_t *engine);

#endif
