/* gate.c: workers pass the gate, wait at it, and watch those who run. */
#include "gate.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../../base/check.h"
#include "clock.h"

static uint32_t gate__processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (uint32_t)CPU_COUNT(&set);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

int gate_init(gate_t *gate, uint32_t concurrency)
{
    if (concurrency == 0) {
        concurrency = gate__processors();
    }
    gate->concurrency = concurrency < GATE_MAX ? concurrency : GATE_MAX;
    gate->places = calloc(gate->concurrency, sizeof(gate_place_t));
    if (gate->places == NULL) {
        return -ENOMEM;
    }
    cond_init(&gate->turn);
    return 0;
}

void gate_destroy(gate_t *gate)
{
    free(gate->places);
}

static gate_place_t *gate__take(gate_t *gate, gate_place_t *place)
{
    place->owner = pthread_self();
    place->taken = true;
    place->polled = false;
    place->take = 1;
    if (place->running) {
        place->running = false;
        gate->running--;
    }
    return place;
}

/* The place that the calling thread has kept, or a free one. */
static gate_place_t *gate__find(gate_t *gate)
{
    gate_place_t *vacant = NULL;
    pthread_t self = pthread_self();
    for (uint32_t i = 0; i < gate->concurrency; i++) {
        gate_place_t *place = &gate->places[i];
        if (place->taken && pthread_equal(place->owner, self)) {
            if (place->running) {
                place->running = false;
                gate->running--;
            }
            return place;
        }
        if (!place->taken && vacant == NULL) {
            vacant = place;
        }
    }
    return vacant == NULL ? NULL : gate__take(gate, vacant);
}

/* The watcher's look: a place whose owner has been in one batch since the last look. */
static gate_place_t *gate__stuck(gate_t *gate, uint64_t now_ns)
{
    gate_place_t *stuck = NULL;
    for (uint32_t i = 0; i < gate->concurrency; i++) {
        gate_place_t *place = &gate->places[i];
        if (place->running && place->batch == place->seen && stuck == NULL) {
            stuck = place;
        }
        place->seen = place->batch;
    }
    gate->look_at_ns = now_ns + clock_ms_to_ns(GATE_WATCH_MS);
    return stuck;
}

/* One wait of a follower: timed and as the watcher, if batches flow and no other watches. */
static void gate__wait(gate_t *gate, mutex_t *lock, uint64_t deadline_ns)
{
    bool flows = gate->running > 0 || gate->batches != gate->seen;
    bool watches = flows && gate->watch != WATCH_KEPT;
    if (watches) {
        gate->watch = WATCH_KEPT;
        gate->seen = gate->batches;
        cond_wait(&gate->turn, lock,
                  deadline_ns < gate->look_at_ns ? deadline_ns : gate->look_at_ns);
    } else {
        if (gate->watch == WATCH_CALLED) {
            gate->watch = WATCH_NONE; /* too late to be of use; the next batch calls again */
        }
        cond_wait(&gate->turn, lock, deadline_ns);
    }
    if (watches) {
        gate->watch = WATCH_NONE;
    }
}

static void gate__call_watcher(gate_t *gate)
{
    if (gate->followers > 0 && gate->watch == WATCH_NONE) {
        gate->watch = WATCH_CALLED;
        cond_signal(&gate->turn);
    }
}

gate_place_t *gate_enter(gate_t *gate, mutex_t *lock, uint64_t deadline_ns)
{
    gate_place_t *place = gate__find(gate);
    if (place != NULL) {
        return place;
    }
    gate->followers++;
    for (;;) {
        if (gate->wakes > 0) {
            gate->wakes--;
            break;
        }
        place = gate__find(gate);
        if (place != NULL) {
            break;
        }
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= gate->look_at_ns) {
            place = gate__stuck(gate, now_ns);
            if (place != NULL) {
                (void)gate__take(gate, place);
                break;
            }
        }
        if (now_ns >= deadline_ns) {
            break;
        }
        gate__wait(gate, lock, deadline_ns);
    }
    gate->followers--;
    /* The call to the watch may have been for this thread: hand it on. */
    if (gate->watch == WATCH_CALLED) {
        gate->watch = WATCH_NONE;
    }
    if (gate->running > 0) {
        gate__call_watcher(gate);
    }
    return place;
}

void gate_run(gate_t *gate, gate_place_t *place)
{
    place->running = true;
    place->batch++;
    gate->running++;
    gate->batches++;
    gate__call_watcher(gate);
}

void gate_release(gate_t *gate, gate_place_t *place)
{
    place->taken = false;
    if (gate->followers > 0) {
        cond_signal(&gate->turn);
    }
}

void gate_yield(gate_t *gate)
{
    pthread_t self = pthread_self();
    for (uint32_t i = 0; i < gate->concurrency; i++) {
        gate_place_t *place = &gate->places[i];
        if (place->taken && place->running && pthread_equal(place->owner, self)) {
            place->running = false;
            gate->running--;
            gate_release(gate, place);
        }
    }
}

void gate_wake(gate_t *gate, uint32_t count)
{
    gate->wakes += count;
    if (gate->followers > 0) {
        cond_broadcast(&gate->turn);
    }
}
