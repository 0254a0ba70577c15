/* test_slot.c: a slot between two clients is as good as new, and changes state by the table. */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tally.h"
#include "../../csrc/engine/life/slot.h"

static tally_t tally;

static void report(bool ok, const char *name)
{
    tally_check(&tally, ok, name);
}

/* What outlives a client, each with the reason why it may. All other bytes must be as they are
 * in a slot that never served anyone. */
#define LASTING(member) {offsetof(slot_t, member), sizeof(((slot_t *)0)->member), #member}

static const struct {
    size_t offset;
    size_t size;
    const char *name;
} lasting[] = {
    LASTING(lock),                           /* guards the slot, not the client */
    LASTING(state),                          /* the life cycle goes on */
    LASTING(sock),                           /* recycled */
    LASTING(recv),                           /* armed anew for each use, as the next */
    LASTING(send),      LASTING(pool_node),  /* the pool's */
    LASTING(kick_next),                      /* a worker still has to look */
    LASTING(kicked),    LASTING(dirty_next), /* a worker still has to flush, and finds nothing */
    LASTING(dirty),     LASTING(timer),      /* comes up for whoever is there then */
};

static bool may_last(size_t offset)
{
    for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
        if (offset >= lasting[i].offset && offset < lasting[i].offset + lasting[i].size) {
            return true;
        }
    }
    return false;
}

static void test_wipe(void)
{
    static slot_t fresh;
    static slot_t used;
    slot_init(&fresh, 7);
    slot_init(&used, 7);
    memset(&used.session, 0xAB, sizeof used.session);
    used.token = 0xABABABAB;
    used.pending = 0xAB;
    used.deadline_ns = 0xABABABAB;
    /* What its owner has to take back before; slot_wipe checks it. */
    sendq_init(&used.session.out);
    used.session.recv_buf = NULL;
    used.session.cutter.kept = NULL;
    used.session.cutter.replay = NULL;
    used.session.filter = NULL;
    used.session.requests.first = NULL;
    used.session.name = NULL;
    used.in_flight = 0;
    slot_wipe(&used);
    bool same = true;
    for (size_t i = 0; i < sizeof used; i++) {
        if (!may_last(i) && ((const char *)&used)[i] != ((const char *)&fresh)[i]) {
            printf("# byte %zu of the slot outlives its client\n", i);
            same = false;
        }
    }
    report(same, "a wiped slot is a new one, byte by byte");
    slot_destroy(&fresh);
    slot_destroy(&used);
}

static void test_transitions(void)
{
    int allowed = 0;
    for (int from = 0; from < SLOT_STATE_COUNT; from++) {
        for (int to = 0; to < SLOT_STATE_COUNT; to++) {
            allowed += slot_may_change((slot_state_t)from, (slot_state_t)to);
        }
        report(!slot_may_change((slot_state_t)from, (slot_state_t)from), "no state to itself");
        report(slot_state_name((slot_state_t)from) != NULL, "every state has a name");
    }
    report(allowed == 13, "13 changes are allowed");
    report(!slot_may_change(SLOT_OPEN, SLOT_RECYCLING), "no recycling without a drain");
    report(!slot_may_change(SLOT_FLUSHING, SLOT_REPLACING), "no close without a drain");
    report(!slot_may_change(SLOT_RETIRED, SLOT_IDLE), "a retired slot stays so");
}

int main(void)
{
    test_wipe();
    test_transitions();
    return tally_close(&tally);
}
