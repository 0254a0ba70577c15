/* histogram.c: latencies, counted in buckets, and their quantiles. */
#include "histogram.h"

#include <string.h>

#define SUB_BUCKETS (UINT64_C(1) << HISTOGRAM_BITS)

void histogram_clear(histogram_t *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

static uint32_t bucket_of(uint64_t value)
{
    if (value < SUB_BUCKETS)
        return (uint32_t)value;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - HISTOGRAM_BITS;
    return (uint32_t)(((uint64_t)(shift + 1) << HISTOGRAM_BITS) +
                      ((value >> shift) & (SUB_BUCKETS - 1)));
}

/* The middle of what falls into a bucket. */
static double value_of(uint32_t bucket)
{
    if (bucket < SUB_BUCKETS)
        return bucket;
    uint32_t shift = (bucket >> HISTOGRAM_BITS) - 1;
    uint64_t lowest = (SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1))) << shift;
    return (double)lowest + (double)(UINT64_C(1) << shift) / 2;
}

void histogram_add(histogram_t *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->highest)
        histogram->highest = value;
}

double histogram_quantile(const histogram_t *histogram, double quantile)
{
    double target = quantile * (double)histogram->count;
    uint64_t below = 0;
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        below += histogram->buckets[bucket];
        if (below && (double)below >= target)
            return value_of(bucket);
    }
    return 0;
}
