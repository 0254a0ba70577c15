/* measure.h: the warm-up, the measured window after it, and what was counted in it. */
#ifndef GENERATOR_MEASURE_H
#define GENERATOR_MEASURE_H

#include "histogram.h"
#include "process.h"

typedef struct {
    const settings_t *settings;
    histogram_t latency; /* ns */
    uint64_t messages;
    uint64_t bytes;
    uint64_t errors;      /* connections that failed, from the start on */
    uint64_t wrong_bytes; /* from the start on */
    bool measuring;
    uint64_t begin_ns;
    uint64_t end_ns;
    usage_t server_before;
    double own_before_s;
    uint64_t resident_before; /* bytes; set by modes that tell what a connection takes */
    uint64_t resident_after;
} measure_t;

/* Begins the warm-up. */
void measure_start(measure_t *measure, const settings_t *settings);

/* To be called often, with the time; begins the window when it is due. Whether it has ended. */
bool measure_over(measure_t *measure, uint64_t time_ns);

/* A message that took so long; counted within the window. */
static inline void measure_message(measure_t *measure, uint64_t latency_ns)
{
    if (measure->measuring) {
        histogram_add(&measure->latency, latency_ns);
        measure->messages++;
    }
}

/* Bytes that have come back; counted within the window. */
static inline void measure_bytes(measure_t *measure, size_t bytes)
{
    if (measure->measuring)
        measure->bytes += bytes;
}

/* Prints all of it as one line of JSON; to be called as soon as the window has ended. */
void measure_report(const measure_t *measure);

#endif
