"""Mutants of who does it: the crew, and the stop."""

from tests.sim.mutations.mutant import one

WORK = (
    # The crew.
    one(
        "running-is-not-settled",
        "batch.c",
        "return batch->running_next > 0 ? batch->running_next - 1 : 0;",
        "return batch->running_next;",
    ),
    one(
        "stolen-is-gone",
        "batch.c",
        "    from->running_count -= count;\n",
        "",
    ),
    one("watch-goes-on", "crew.c", "        if (batch_watch(batch, now_ns)) {", "        if (0) {"),
    # The stop.
    one(
        "stop-wakes-all",
        "loop.c",
        "            io_wake(engine->io, 1);\n",
        "",
    ),
    one(
        "stop-cancels-accepts",
        "manager.c",
        "        io_cancel(engine->io, engine->listener, &slot->life.io);\n",
        "",
    ),
    one(
        "stop-cancels-disconnects",
        "manager.c",
        "        recycle_stop(engine, slot, late);\n",
        "        (void)recycle_stop;\n",
    ),
    one(
        "stop-severs-accepts",
        "manager.c",
        "            io_sock_sever(engine->io, &engine->listener, false);\n",
        "            ;\n",
    ),
    one(
        "stop-waits",
        "manager.c",
        "        sever_listener(engine, now_ns);\n        return false;\n",
        "",
    ),
)
