/* engine.c: the life of an engine: opened, started, stopped, closed. */
#include "engine.h"

#include <stdlib.h>

#include "life/pool_size.h"
#include "session/receive.h"
#include "state.h"
#include "work/crew.h"

/* The start-up probe's time. It takes a few milliseconds where recycling works, and where it is
 * seen not to; this long only where nothing happens. A loaded machine must not lose its recycling.
 */
#define PROBE_TIMEOUT_MS 1000

static int listen_on(engine_t *engine)
{
    const engine_options_t *options = &engine->options;
    if (options->address == NULL) {
        return io_listen_adopt(engine->io, options->handle, &options->listen, &engine->listener);
    }
    return io_listen(engine->io, options->address, &options->listen, &engine->listener);
}

int engine_open(engine_t **out, const engine_options_t *options)
{
    engine_t *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return ENGINE_NO_MEMORY;
    }
    engine->options = *options;
    engine->listener = IO_SOCK_NONE;
    mutex_init(&engine->lock);
    mutex_init(&engine->requests_lock);
    names_init(&engine->names);
    list_init(&engine->idle);
    slab_init(&engine->slab, SLAB_SMALL, receive_small_size(options->read_size), SLAB_KEEP_MAX);
    slab_init(&engine->pages, SLAB_PAGES, SENDQ_PAGE_BYTES, UINT32_MAX);
    slab_init(&engine->large, SLAB_LARGE, receive_large_size(options->read_size),
              SLAB_KEEP_LARGE_MAX);
    slab_init(&engine->chunks, SLAB_CHUNKS,
              options->filter == NULL ? SENDQ_PAGE_BYTES : options->filter->chunk_size, UINT32_MAX);
    turns_init(&engine->turns, options->handshakes_max);
    if (options->direct != NULL) {
        options->direct->next = &engine->large.lender;
    }
    engine->plain = (framing_t){.kind = FRAMING_NONE, .length = options->read_size};
    if (options->framing.kind == FRAMING_NONE) {
        engine->options.framing = engine->plain;
    }
    wheel_init(&engine->wheel);
    peers_init(&engine->peers, (uintptr_t)engine, options->ip_prefix_4, options->ip_prefix_6);
    io_options_t io_options = {.concurrency = options->concurrency};
    int status = table_init(&engine->table) < 0 ? ENGINE_NO_MEMORY : 0;
    if (status >= 0) {
        status = io_open(&engine->io, &io_options);
    }
    if (status >= 0) {
        pool_size_begin(engine);
    }
    if (status >= 0) {
        status = listen_on(engine);
    }
    engine->options.address = NULL; /* the caller's, and not needed again */
    if (status < 0) {
        engine_close(engine);
        return status;
    }
    *out = engine;
    return 0;
}

/* Whatever socket a slot still has; only an engine that never served has any left here. */
static void close_sockets(engine_t *engine)
{
    uint32_t count = table_count(&engine->table);
    for (uint32_t i = 0; i < count; i++) {
        slot_t *slot = table_at(&engine->table, i);
        if (slot->sock != IO_SOCK_NONE) {
            io_sock_close(engine->io, &slot->sock, false);
        }
    }
    if (engine->listener != IO_SOCK_NONE) {
        io_sock_close(engine->io, &engine->listener, false);
    }
}

void engine_close(engine_t *engine)
{
    if (engine->table.chunks != NULL && engine->io != NULL) {
        close_sockets(engine);
    }
    table_destroy(&engine->table);
    crew_destroy(engine);
    slab_destroy(&engine->slab);
    slab_destroy(&engine->large);
    slab_destroy(&engine->pages);
    slab_destroy(&engine->chunks);
    turns_destroy(&engine->turns);
    peers_destroy(&engine->peers);
    wheel_destroy(&engine->wheel);
    if (engine->io != NULL) {
        io_close(engine->io);
    }
    names_destroy(&engine->names);
    mutex_destroy(&engine->requests_lock);
    mutex_destroy(&engine->lock);
    free(engine);
}

void engine_disown(engine_t *engine)
{
    io_disown(engine->io);
    engine->listener = IO_SOCK_NONE;
    crew_disown(engine);
    mutex_init(&engine->requests_lock); /* another thread may have held it */
    names_disown(&engine->names);
    (void)atomic_ptr_exchange(&engine->kicked, NULL);
    /* So no token is found. What the slots hold leaks: it may have been in any thread's hands. */
    engine->disowned = table_count(&engine->table);
    atomic_u32_store(&engine->table.count, 0);
    atomic_u32_store(&engine->stop, STOP_DISOWNED);
}

int engine_address(engine_t *engine, io_addr_t *out)
{
    return io_sock_name(engine->io, engine->listener, out);
}

void engine_start(engine_t *engine)
{
    engine->recycling = RECYCLING_OFF;
    if (engine->options.recycle) {
        engine->recycling =
            io_probe_recycling(PROBE_TIMEOUT_MS) ? RECYCLING_VERIFIED : RECYCLING_UNSUPPORTED;
    }
}

recycling_t engine_recycling(const engine_t *engine)
{
    return engine->recycling;
}

void engine_stop(engine_t *engine, uint64_t drain_ns)
{
    atomic_u64_store(&engine->stop_deadline_ns, io_now_ns(engine->io) + drain_ns);
    atomic_u32_store(&engine->stop_asked, 1);
    io_wake_manager(engine->io);
}
