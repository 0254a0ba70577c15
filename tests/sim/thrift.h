/* thrift.h: what is known of the sockets that were needed, made and closed. */
#ifndef IOCPREUSE_TESTS_SIM_THRIFT_H
#define IOCPREUSE_TESTS_SIM_THRIFT_H

#include <stdint.h>

#include "../../csrc/engine/life/reason.h"

/* How many sockets were needed at once, and when: the most of late first. */
#define NEEDS_MAX  512u
#define COMERS_MAX 64u

typedef struct {
    struct {
        uint64_t at_ns;
        uint64_t need;
    } needs[NEEDS_MAX];
    uint32_t first; /* of these, in a ring */
    uint32_t count;
    uint64_t pending; /* accepts and spare sockets, as the engine last counted them */
    uint64_t spare;
    uint64_t step_need;    /* the most in this step */
    uint64_t decided_ns;   /* the engine's own note of its last look at what is too much, */
    uint64_t decided_need; /* and the most that were needed of late, then */
    uint64_t shed_ns;      /* when a good socket was last closed; 0 = never */
    uint64_t shed_need;    /* then: the most that were needed of late */
    uint64_t lost;         /* sockets that could not be kept, in all, */
    uint64_t decided_lost; /* until that look, */
    uint64_t shed_lost;    /* and until the look that closed a good one */
    uint64_t replaced[CAUSE_COUNT]; /* as the engine last counted them */
    uint64_t too_many; /* accepts that are to be taken back since that look, as the pool shrinks */
    uint64_t let_go;   /* accepts that were taken back, and whose sockets are about to be closed */
    uint64_t comers_ns[COMERS_MAX]; /* when the last clients came, in a ring */
    uint64_t comers;
} thrift_t;

#endif
