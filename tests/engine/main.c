/* main.c: the engine with real threads and real clients, for the thread and address sanitizers:
 * clients come and go in every way while late replies and broadcasts are sent to them, to those
 * before them on the same slots, and to no one. Not one byte may reach a client that is not its
 * own. */
#include <stdio.h>
#include <string.h>

#include "../c/tally.h"
#include "application.h"

#define CLIENT_THREADS 6
#define VISITS         250

typedef struct {
    application_t *app;
    uint32_t seed;
    uint32_t wrong;  /* something that is not this client's own */
    uint32_t failed; /* a connection that did not do what it should */
} crowd_t;

static tally_t tally;

static void check(bool good, const char *name)
{
    tally_check(&tally, good, name);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Whether WORDS are a broadcast, and were meant for the client that has TOKEN. */
static bool is_cast(crowd_t *crowd, const say_t *words, uint64_t token)
{
    if (words->token != CAST) {
        return false;
    }
    crowd->wrong += token >> TOKEN_INDEX_BITS > words->number;
    return true;
}

/* Reads until the reply to BYTE; false where the connection ended before. */
static bool await(crowd_t *crowd, peer_t peer, uint64_t token, uint64_t number)
{
    for (;;) {
        say_t words;
        if (!peer_recv_all(peer, &words, sizeof words)) {
            return false;
        }
        if (is_cast(crowd, &words, token)) {
            continue;
        }
        if (words.token != token || (words.number != number && words.number != LATE)) {
            crowd->wrong++;
            return false;
        }
        if (words.number == number) {
            return true;
        }
    }
}

/* After our FIN: late replies may still come, then the server's FIN. */
static bool leave_in_order(crowd_t *crowd, peer_t peer, uint64_t token)
{
    peer_shutdown(peer);
    say_t words;
    size_t have = 0;
    for (;;) {
        long got = peer_recv(peer, (char *)&words + have, sizeof words - have);
        if (got == 0) {
            return have == 0;
        }
        if (got < 0) {
            return false;
        }
        have += (size_t)got;
        if (have == sizeof words) {
            have = 0;
            crowd->wrong +=
                !is_cast(crowd, &words, token) && (words.token != token || words.number != LATE);
        }
    }
}

static bool visit(crowd_t *crowd)
{
    peer_t peer = peer_connect(&crowd->app->address);
    say_t greeting;
    if (peer == PEER_NONE || !peer_recv_all(peer, &greeting, sizeof greeting)) {
        return false;
    }
    crowd->wrong += greeting.number != GREETING;
    bool good = true;
    uint32_t messages = next_random(&crowd->seed) % 6;
    for (uint32_t i = 0; i < messages && good; i++) {
        unsigned char byte = (unsigned char)next_random(&crowd->seed);
        good = peer_send(peer, &byte, 1) && await(crowd, peer, greeting.token, byte);
    }
    switch (next_random(&crowd->seed) % 4) {
    case 0:
        peer_reset(&peer);
        break;
    case 1:
        (void)peer_send(peer, "unanswered", 10);
        peer_close(&peer);
        break;
    default:
        good = leave_in_order(crowd, peer, greeting.token) && good;
        peer_close(&peer);
        break;
    }
    return good;
}

static void run_crowd(void *arg)
{
    crowd_t *crowd = arg;
    for (int i = 0; i < VISITS; i++) {
        crowd->failed += !visit(crowd);
    }
}

static void test_stress(bool recycle)
{
    static application_t app;
    application_start(&app, recycle);
    recycling_t recycling = engine_recycling(app.engine);
    crowd_t crowds[CLIENT_THREADS];
    thread_t *threads[CLIENT_THREADS];
    for (uint32_t i = 0; i < CLIENT_THREADS; i++) {
        crowds[i] = (crowd_t){.app = &app, .seed = 7u * i + 1};
        threads[i] = thread_start(run_crowd, &crowds[i]);
    }
    uint32_t wrong = 0;
    uint32_t failed = 0;
    for (int i = 0; i < CLIENT_THREADS; i++) {
        thread_join(threads[i]);
        wrong += crowds[i].wrong;
        failed += crowds[i].failed;
    }
    /* One client stays connected and silent: the stop has to deal with it. */
    peer_t silent = peer_connect(&app.address);
    say_t greeting;
    check(peer_recv_all(silent, &greeting, sizeof greeting), "a client waits while it stops");
    engine_stats_t stats;
    application_stop(&app, 1000000000, &stats);
    peer_close(&silent);
    uint64_t visits = CLIENT_THREADS * VISITS + 1;
    check(wrong == 0, "no byte of another client");
    check(failed == 0, "every client is served");
    check(atomic_u64_load(&app.overlaps) == 0, "no two events of a session at once");
    check(atomic_u64_load(&app.disorders) == 0, "events in order");
    check(atomic_u64_load(&app.opened) == visits, "each client opened once");
    check(atomic_u64_load(&app.closed) == visits, "each client closed once");
    check(stats.connections_total == visits && stats.connections_active == 0, "all counted");
    check(atomic_u64_load(&app.late_stale) > 0, "late replies found another client");
    check(stats.stale_sends_blocked >= atomic_u64_load(&app.late_stale), "and were blocked");
    uint64_t cast_queued = atomic_u64_load(&app.cast_queued);
    check(cast_queued > 0 && cast_queued < atomic_u64_load(&app.cast_wanted),
          "broadcasts reached some, and others had gone");
    asking_t *asking = &app.asking;
    uint64_t answered = atomic_u64_load(&asking->sent) + atomic_u64_load(&asking->passed);
    check(atomic_u64_load(&asking->begun) == answered + atomic_u64_load(&asking->aborted),
          "each request ended once");
    check(answered > 0 && atomic_u64_load(&asking->handed) > 0 &&
              atomic_u64_load(&asking->wrong) == 0,
          "requests were answered, and handed over");
    check(stats.send_queue_bytes == 0 && stats.accepts_pending == 0, "nothing is left");
    check(stats.sockets_created == stats.sockets_replaced, "every socket made is closed once");
    if (recycling == RECYCLING_VERIFIED) {
        check(stats.sockets_recycled > visits / 3, "sockets are recycled");
    }
    printf("# recycled %llu of %llu, %llu late replies, %llu of them stale\n",
           (unsigned long long)stats.sockets_recycled, (unsigned long long)visits,
           (unsigned long long)atomic_u64_load(&app.late_sent),
           (unsigned long long)atomic_u64_load(&app.late_stale));
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    peer_startup();
    test_stress(true);
    test_stress(false);
    return tally_close(&tally);
}
