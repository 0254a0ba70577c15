/* application.c: the server on the engine alone: its callbacks, its threads, and what it checks. */
#include "application.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the application keeps with a client. */
typedef struct {
    token_t token;
    atomic_u32_t busy; /* a worker is in one of its events */
} client_t;

static void fatal(const char *what)
{
    printf("not ok %s\n", what);
    exit(1);
}

static call_t say(application_t *app, token_t token, uint64_t number, batch_t *batch)
{
    say_t words = {token, number};
    sendq_t chain;
    sendq_init(&chain);
    sendq_push(&chain, sendbuf_copy(&words, sizeof words));
    call_t result = engine_send(app->engine, token, &chain, batch);
    sendq_t none;
    sendq_init(&none);
    sendq_clear(&chain, &none);
    return result;
}

static void remember_for_later(application_t *app, token_t token)
{
    uint64_t at = atomic_u64_add(&app->late_next, 1) % LATE_RING;
    atomic_u64_store(&app->late_ring[at], token);
}

static void on_open(application_t *app, event_t *event, batch_t *batch)
{
    client_t *client = calloc(1, sizeof *client);
    if (client == NULL) {
        fatal("memory");
    }
    client->token = event->token;
    *event->user = client;
    atomic_u64_add(&app->opened, 1);
    (void)say(app, event->token, GREETING, batch);
}

static void on_data(application_t *app, event_t *event, batch_t *batch)
{
    const char *data;
    uint32_t len;
    while (engine_next_message(app->engine, event, &data, &len)) {
        for (uint32_t i = 0; i < len; i++) {
            (void)say(app, event->token, (unsigned char)data[i], batch);
        }
    }
    remember_for_later(app, event->token);
    asking_begin(&app->asking, app->engine, event->token);
}

/* One of the latest clients. */
static token_t choose_heir(application_t *app, uint64_t back)
{
    uint64_t last = atomic_u64_load(&app->late_next);
    return atomic_u64_load(&app->late_ring[(last - back % 8) % LATE_RING]);
}

static void on_event(application_t *app, event_t *event, batch_t *batch)
{
    if (event->kind == EVENT_OPEN) {
        on_open(app, event, batch);
        return;
    }
    client_t *client = *event->user;
    if (client == NULL || client->token != event->token) {
        atomic_u64_add(&app->disorders, 1);
        return;
    }
    if (atomic_u32_exchange(&client->busy, 1) != 0) {
        atomic_u64_add(&app->overlaps, 1);
    }
    if (event->kind == EVENT_DATA) {
        on_data(app, event, batch);
    }
    atomic_u32_store(&client->busy, 0);
    if (event->kind == EVENT_CLOSED) {
        remember_for_later(app, event->token);
        atomic_u64_add(&app->closed, 1);
        asking_lose(&app->asking, app->engine, event, choose_heir(app, event->token), batch);
        *event->user = NULL;
        free(client);
    }
}

static void work(void *arg)
{
    application_t *app = arg;
    batch_t *batch = engine_join(app->engine);
    if (batch == NULL) {
        fatal("memory");
    }
    while (engine_help(app->engine, batch) || engine_poll(app->engine, batch, IO_INFINITE)) {
        while (batch->count > 0) {
            engine_begin(app->engine, batch);
            for (event_t *event; (event = batch_take(batch)) != NULL;) {
                on_event(app, event, batch);
            }
            (void)engine_finish(app->engine, batch);
            engine_settle(app->engine, batch);
        }
    }
}

static void manage(void *arg)
{
    application_t *app = arg;
    engine_open_pool(app->engine);
    while (engine_manage(app->engine)) {
    }
}

/* Replies again and again to clients who may have gone, and whose slots others may have. */
static void reply_late(void *arg)
{
    application_t *app = arg;
    for (uint32_t i = 0; atomic_u32_load(&app->late_over) == 0; i++) {
        token_t token = atomic_u64_load(&app->late_ring[i % LATE_RING]);
        if (token != TOKEN_NONE) {
            call_t result = say(app, token, LATE, NULL);
            atomic_u64_add(&app->late_sent, 1);
            atomic_u64_add(&app->late_stale, result == CALL_STALE);
            if (i % 7 == 0 && result == CALL_STALE) {
                /* A stale close or abort must not hit the new client either. */
                (void)engine_end(app->engine, token, REASON_LOCAL_CLOSE, NULL);
                (void)engine_abort(app->engine, token, REASON_LOCAL_ABORT, true);
                (void)engine_write_eof(app->engine, token, NULL);
            }
        }
        if (i % 64 == 0) {
            thread_sleep(1);
        }
    }
}

/* Some of those clients, each once. */
static size_t choose(application_t *app, uint32_t from, token_t *out)
{
    size_t count = 0;
    for (uint32_t i = 0; i < CAST_MAX; i++) {
        token_t token = atomic_u64_load(&app->late_ring[(from + i) % LATE_RING]);
        bool fresh = token != TOKEN_NONE;
        for (size_t k = 0; k < count; k++) {
            fresh = fresh && out[k] != token;
        }
        if (fresh) {
            out[count++] = token;
        }
    }
    return count;
}

/* Tells many of them at once; a client that came later must not hear of it. */
static void broadcast(void *arg)
{
    application_t *app = arg;
    for (uint32_t turn = 0; atomic_u32_load(&app->late_over) == 0; turn++) {
        token_t to[CAST_MAX];
        size_t count = choose(app, (uint32_t)atomic_u64_load(&app->late_next) - CAST_MAX / 2, to);
        say_t words = {CAST, atomic_u64_load(&app->generation)};
        sendq_t done;
        sendq_init(&done);
        shared_t *message = shared_new(&words, sizeof words, NULL, count);
        if (message == NULL) {
            fatal("memory");
        }
        size_t queued = engine_broadcast(app->engine, message, to, count, NULL);
        shared_close(message, &done);
        atomic_u64_add(&app->cast_wanted, count);
        atomic_u64_add(&app->cast_queued, queued);
        if (turn % 16 == 0) {
            thread_sleep(1);
        }
    }
}

/* Works on requests, whose clients may go meanwhile. */
static void serve_desk(void *arg)
{
    application_t *app = arg;
    say_t words = {CAST, ANSWER};
    for (uint64_t turn = 0; atomic_u32_load(&app->late_over) == 0; turn++) {
        asking_work(&app->asking, app->engine, choose_heir(app, turn), &words, sizeof words);
        if (turn % 64 == 0) {
            thread_sleep(1);
        }
    }
}

void application_start(application_t *app, bool recycle)
{
    memset(app, 0, sizeof *app);
    app->address = (io_addr_t){.version = 4, .ip = {127, 0, 0, 1}};
    engine_options_t options = {
        .address = &app->address,
        .listen = {.backlog = -1, .accepted = {.nodelay = true}},
        .concurrency = WORKERS,
        .accept_pool = 4,
        .accept_pool_max = 64,
        .spare_max = 65536,
        .quiet_ns = 1000000000,
        .cooling_max = 16,
        .max_connections = UINT64_MAX,
        .max_connections_per_ip = 1000,        /* reached by nobody, */
        .idle_timeout_ns = 20 * 1000000000ull, /* nor this: but all are counted and watched */
        .ip_prefix_4 = 32,
        .ip_prefix_6 = 64,
        .linger_ns = 30 * 1000000000ull,
        .read_size = 4096,
        .write_high = 65536,
        .write_low = 16384,
        .write_limit = 1 << 24,
        .recycle = recycle,
        .generation = &app->generation,
    };
    if (engine_open(&app->engine, &options) < 0 || engine_address(app->engine, &app->address) < 0) {
        fatal("engine_open");
    }
    engine_start(app->engine);
    for (int i = 0; i < WORKERS; i++) {
        app->workers[i] = thread_start(work, app);
    }
    app->manager = thread_start(manage, app);
    app->late = thread_start(reply_late, app);
    app->cast = thread_start(broadcast, app);
    for (int i = 0; i < DESKS; i++) {
        app->desks[i] = thread_start(serve_desk, app);
    }
}

void application_stop(application_t *app, uint64_t drain_ns, engine_stats_t *stats)
{
    engine_stop(app->engine, drain_ns);
    thread_join(app->manager);
    for (int i = 0; i < WORKERS; i++) {
        thread_join(app->workers[i]);
    }
    atomic_u32_store(&app->late_over, 1);
    thread_join(app->late);
    thread_join(app->cast);
    for (int i = 0; i < DESKS; i++) {
        thread_join(app->desks[i]);
    }
    asking_end(&app->asking);
    engine_stats(app->engine, stats);
    engine_close(app->engine);
}
