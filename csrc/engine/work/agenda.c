/* agenda.c: who is to look at a slot next, and when. */
#include "agenda.h"

void agenda_kick(engine_t *engine, slot_t *slot)
{
    if (slot->kicked) {
        return;
    }
    slot->kicked = true;
    void *head = atomic_ptr_load(&engine->kicked);
    do {
        slot->kick_next = head;
    } while (!atomic_ptr_cas(&engine->kicked, &head, slot));
    /* The worker that comes takes the whole list: the first on it has called it already. */
    if (head == NULL) {
        atomic_u64_store(&engine->kicked_ns, io_now_ns(engine->io));
        io_wake(engine->io, 1);
    }
}

void agenda_look_at(engine_t *engine, slot_t *slot, uint64_t at_ns)
{
    /* Mostly it comes up early enough as it is, and is then asked again. If it comes up at this
     * very moment, the manager waits for the slot's lock. */
    uint64_t due_ns = atomic_u64_load(&slot->timer.due_ns);
    if (due_ns != 0 && due_ns <= at_ns) {
        return;
    }
    if (wheel_arm(&engine->wheel, &slot->timer, at_ns, io_now_ns(engine->io))) {
        io_wake_manager(engine->io);
    }
}

void agenda_set_deadline(engine_t *engine, slot_t *slot, uint64_t deadline_ns)
{
    slot->deadline_ns = deadline_ns;
    if (deadline_ns != 0) {
        agenda_look_at(engine, slot, deadline_ns);
    }
}

slot_t *agenda_take_kicked(engine_t *engine)
{
    slot_t *newest = atomic_ptr_load(&engine->kicked);
    if (newest != NULL) {
        newest = atomic_ptr_exchange(&engine->kicked, NULL);
    }
    slot_t *oldest = NULL;
    while (newest != NULL) {
        slot_t *next = newest->kick_next;
        newest->kick_next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
