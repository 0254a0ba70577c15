/* histogram.h: latencies in buckets whose width grows with the value.

   There are 64 for each power of two, so that a quantile is right to 1.6 % from a nanosecond to
   centuries, in constant memory. */
#ifndef GENERATOR_HISTOGRAM_H
#define GENERATOR_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS    6u
#define HISTOGRAM_BUCKETS ((64u - HISTOGRAM_BITS + 1u) << HISTOGRAM_BITS)

typedef struct {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t highest;
} histogram_t;

void histogram_clear(histogram_t *histogram);

void histogram_add(histogram_t *histogram, uint64_t value);

/* The value that a share of QUANTILE (0 to 1) lies at or below; 0 where nothing was added. */
double histogram_quantile(const histogram_t *histogram, double quantile);

#endif
