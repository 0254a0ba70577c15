/* test_stopwatch.c: a stopwatch tells the same when it runs and when it stands still. */
#include <stdbool.h>
#include <stdio.h>

#include "tally.h"
#include "../../csrc/base/stopwatch.h"

static tally_t tally;

static uint64_t read_at(stopwatch_t *watch, uint64_t now_ns)
{
    return stopwatch_read(atomic_u64_load(&watch->word), now_ns);
}

/* Two runs with a pause between, from FROM_NS on the clock. */
static void two_runs(uint64_t from_ns)
{
    stopwatch_t watch = {{0}};
    tally_check(&tally, read_at(&watch, from_ns) == 0, "a new one has run for nothing");
    stopwatch_start(&watch, from_ns);
    tally_check(&tally, read_at(&watch, from_ns) == 0, "it has just begun");
    tally_check(&tally, read_at(&watch, from_ns + 7) == 7, "it is read while it runs");
    stopwatch_stop(&watch, from_ns + 10);
    tally_check(&tally, read_at(&watch, from_ns + 500) == 10, "it stands still");
    stopwatch_start(&watch, from_ns + 1000);
    tally_check(&tally, read_at(&watch, from_ns + 1001) == 11, "it goes on from its total");
    stopwatch_stop(&watch, from_ns + 1005);
    tally_check(&tally, read_at(&watch, from_ns + 1005) == 15, "both runs are in it");
}

int main(void)
{
    two_runs(0);
    two_runs(1);
    two_runs(UINT64_C(86400000000000));
    two_runs(UINT64_MAX / 2 - 8); /* where the number of the run's start has no top bit left */
    return tally_close(&tally);
}
