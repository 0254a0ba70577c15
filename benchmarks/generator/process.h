/* process.h: the server's processes as the operating system sees them. */
#ifndef GENERATOR_PROCESS_H
#define GENERATOR_PROCESS_H

#include "settings.h"

/* Sums over all of the server's processes; what cannot be read counts as 0. */
typedef struct {
    double cpu_s;         /* user and system, to the nanosecond */
    double user_s;        /* to the tick, which is mostly 10 ms */
    double system_s;      /* to the tick */
    double main_thread_s; /* user and system of the main threads */
} usage_t;

usage_t process_usage(const settings_t *settings);

/* Bytes of memory that are resident, summed over the server's processes. */
uint64_t process_resident(const settings_t *settings);

#endif
