/* lending.c: the layer above as a lender: receives get buffers of its own, which the application
 * takes out of their loans, or leaves there. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* What is no longer received, or not yet. */
#define SPENT 0xB5

typedef struct {
    direct_loan_t direct; /* is first: its name */
    uint32_t count;
} loan_t;

static void lending__free(const world_t *world, char *bytes)
{
    if (bytes != NULL) {
        memset(bytes, SPENT, world->config.engine.read_size);
        free(bytes);
    }
}

static void lending__give_up(const world_t *world, loan_t *loan, uint32_t used)
{
    while (loan->count > used) {
        lending__free(world, loan->direct.messages[--loan->count]);
    }
    if (used == 0) {
        free(loan);
    }
}

/* All that a loan may have, or nothing: then the engine's own buffers are lent. */
static uint32_t lending__lend(io_lender_t *lender, void *borrower, io_buf_t *bufs, void **name)
{
    (void)borrower;
    lending_t *lending = (lending_t *)(void *)lender;
    world_t *world = lending->world;
    uint32_t size = world->config.engine.read_size;
    loan_t *loan = rng_below(&lending->rng, 4) == 0 ? NULL : malloc(sizeof *loan);
    if (loan == NULL) {
        return 0;
    }
    memset(loan, SPENT, sizeof *loan);
    for (loan->count = 0; loan->count < lender->size / size; loan->count++) {
        char *bytes = malloc(size);
        if (bytes == NULL) {
            lending__give_up(world, loan, 0);
            return 0;
        }
        memset(bytes, SPENT, size);
        loan->direct.messages[loan->count] = bytes;
        bufs[loan->count] = io_buf(bytes, size);
    }
    lending->loans++;
    *name = loan;
    return loan->count;
}

static void lending__take_back(io_lender_t *lender, void *borrower, void *name, uint32_t kept)
{
    (void)borrower;
    lending_t *lending = (lending_t *)(void *)lender;
    uint32_t size = lending->world->config.engine.read_size;
    lending__give_up(lending->world, name, (kept + size - 1) / size);
    lending->loans -= kept == 0;
}

void lending_begin(world_t *world)
{
    lending_t *lending = &world->lending;
    engine_options_t *options = &world->config.engine;
    lending->world = world;
    lending->rng.state = rng_mix(world->plan.seed ^ 0x1E4Du);
    if (IO_RECV_BORROWS && options->framing.kind == FRAMING_NONE &&
        rng_below(&lending->rng, 4) != 0) {
        uint32_t count = 1 + rng_below(&lending->rng, IO_LOAN_BUFS_MAX);
        lending->lender = (io_lender_t){.size = count * options->read_size,
                                        .lend = lending__lend,
                                        .take_back = lending__take_back};
        options->direct = &lending->lender;
    }
}

void lending_take(world_t *world, const event_t *event, const char *message)
{
    char **place = engine_direct_message(event);
    if (place == NULL) {
        return;
    }
    if (*place != message) {
        world_fail(world, "slot %u: a message is not where its loan says", event->slot->index);
    }
    world->totals->direct_messages++;
    if (rng_below(&world->lending.rng, 3) != 0) {
        lending__free(world, *place);
        *place = NULL;
    }
}
