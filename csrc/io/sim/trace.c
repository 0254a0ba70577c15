/* trace.c: what is told of a run: its trace, the faults it met, and the failure that ends it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "model.h"

static const char *const trace__faults[SIM_FAULT_COUNT] = {
#define FAULT_NAME(name) #name,
    SIM_FAULTS(FAULT_NAME)
#undef FAULT_NAME
};

void sim_fail(io_t *io, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (io->hooks.fail != NULL) {
        io->hooks.fail(io->hooks.context, what);
    }
    (void)fprintf(stderr, "sim: %s\n", what);
    abort();
}

void sim_trace(io_t *io, const char *what, uint64_t a, uint64_t b)
{
    io->trace = rng_mix(io->trace + a * 0x9E3779B97F4A7C15u + b + (uint8_t)what[0]);
    if (io->trace_file != NULL) {
        (void)fprintf(io->trace_file, "%12.6f  %-18s %10" PRIx64 " %10" PRIx64 "\n",
                      (double)io->now_ns / 1e9, what, a, b);
    }
}

uint64_t sim_trace_hash(const io_t *io)
{
    return io->trace;
}

void sim_trace_to(io_t *io, FILE *file)
{
    io->trace_file = file;
}

void sim_count_fault(io_t *io, sim_fault_t fault)
{
    io->faults[fault]++;
    sim_trace(io, trace__faults[fault], fault, 0);
}

const uint64_t *sim_faults(const io_t *io)
{
    return io->faults;
}

const char *sim_fault_name(sim_fault_t fault)
{
    return trace__faults[fault];
}
