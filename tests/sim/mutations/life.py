"""Mutants of a slot between two clients: pool, recycling, counts."""

from tests.sim.mutations.mutant import Change, Mutant, one

# The checks that would end the run before a later guard's absence is felt.
NO_CHECKS: tuple[Change, ...] = (
    ("recycle.c", "CHECK(slot->in_flight == FLIGHT_CALLBACK && slot->state == SLOT_DRAINING);", ""),
    (
        "slot.c",
        "void slot_wipe(slot_t *slot)\n{\n    CHECK(slot->in_flight == 0);",
        "void slot_wipe(slot_t *slot)\n{",
    ),
    (
        "slot.c",
        "CHECK(operation->client == token_client(slot->token) && (slot->in_flight & flight) != 0);",
        "",
    ),
)
DRAIN = "slot->state == SLOT_DRAINING && slot->in_flight == 0 && slot->pending == 0"
NO_DRAIN: Change = (
    "session.c",
    DRAIN,
    DRAIN.replace("slot->in_flight == 0", "(slot->in_flight & ~FLIGHT_RECV) == 0"),
)
WIPE = "    memset(&slot->session, 0, sizeof slot->session);\n"
QUEUE_GUARD = "CHECK(sendq_is_empty(&slot->session.out) && slot->session.recv_buf == NULL);"


def keep(field: str) -> Mutant:
    """One field of the session survives the wipe."""
    kept = f"    session_t old = slot->session;\n{WIPE}    slot->session.{field} = old.{field};\n"
    return one(f"wipe-but-{field}", "slot.c", WIPE, kept)


LIFE = (
    # Generations.
    one(
        "token-at-queue",
        "control.c",
        "if (slot->token == token) {",
        "if (slot->token != TOKEN_NONE) {",
    ),
    Mutant(
        "token-at-start",
        (
            ("session.c", "    sendq_clear(&slot->session.out, &batch->done);\n", ""),
            ("slot.c", QUEUE_GUARD, ""),
            (
                "slot.c",
                WIPE,
                f"    sendq_t out = slot->session.out;\n{WIPE}    slot->session.out = out;\n",
            ),
        ),
    ),
    Mutant("token-at-completion", (NO_DRAIN, *NO_CHECKS)),
    # Drain, cancel, wipe.
    Mutant("drain-before-disconnect", (NO_DRAIN,)),
    one(
        "cancel-receive",
        "closing.c",
        "io_cancel(engine->io, slot->sock, &slot->recv.io);",
        "",
    ),
    one("cancel-send", "closing.c", "io_cancel(engine->io, slot->sock, &slot->send.io);", ""),
    one("wipe", "slot.c", WIPE, ""),
    keep("ending"),
    one("wipe-broken", "slot.c", WIPE + "    slot->session.broken = CAUSE_NONE;\n", WIPE),
    keep("peer_eof"),
    keep("bytes_sent"),
    keep("messages_received"),
    one("wipe-token", "slot.c", "    slot->token = TOKEN_NONE;\n", ""),
    # The accept pool.
    one("repost", "loop.c", "    batch->took_accept = true;\n    if (pool", "    if (pool"),
    one(
        "accept-finish",
        "pool.c",
        "    if (status >= 0) {\n        status = io_accept_finish(",
        "    if (0) {\n        status = io_accept_finish(",
    ),
    one(
        "failed-accept-closes",
        "pool.c",
        "    if (closed) {\n        io_sock_close(engine->io, &slot->sock, false);\n    }\n",
        "",
    ),
    one(
        "pause-wakes-manager",
        "pool.c",
        "    if (pause || engine_is_stopping(engine)) {",
        "    if (engine_is_stopping(engine)) {",
    ),
    one("pause-ends", "manager.c", "    if (engine->retry_at_ns <= now_ns) {", "    if (0) {"),
    one(
        "pause-is-short",
        "pool_size.c",
        "#define RETRY_NS (50 * NS_PER_MS)",
        "#define RETRY_NS (3600 * NS_PER_S)",
    ),
    one(
        "grown-table-is-retried",
        "idle.c",
        "            pool_size_put_off(engine, now_ns, 0);\n",
        "            ;\n",
    ),
    # Sockets are neither made nor closed without need.
    one(
        "made-for-the-least-alone",
        "idle.c",
        "engine->spare > 0 || engine->recycling != RECYCLING_VERIFIED ||",
        "true ||",
    ),
    one(
        "waits-for-returning", "idle.c", "return returning < most ? returning : most;", "return 0;"
    ),
    one(
        "surplus-at-the-instant",
        "recycle.c",
        "(uint64_t)engine->pool_target + engine->options.spare_max;",
        "engine->options.accept_pool_max;",
    ),
    one(
        "unused-over-time",
        "pool_size.c",
        "    low_water_note(&engine->unused, count_unused(engine), now_ns);\n",
        "",
    ),
    one(
        "unused-is-what-a-full-pool-leaves",
        "pool_size.c",
        "engine->spare > wanted ? engine->spare - (uint32_t)wanted : 0;",
        "engine->spare;",
    ),
    one("the-lost-are-replaced", "pool_size.c", "    low_water_lower(&engine->unused, 1);\n", ""),
    one(
        "one-shortage",
        "pool_size.c",
        "    if (at_ease || now_ns >= engine->shortage_ns + SHORTAGE_NS) {",
        "    if (at_ease) {",
    ),
    one(
        "window-turns-at-a-rise",
        "idle.c",
        "        pool_size_note(engine, io_now_ns(engine->io));\n",
        "",
    ),
    one(
        "max-connections",
        "pool.c",
        "engine->stats.connections_active < options->max_connections",
        "true",
    ),
    # Addresses.
    one("per-ip", "peers.c", "bool room = peer->count < limit;", "bool room = true;"),
    one("per-ip-mapped", "ip.h", "    if (addr->version == 6) {", "    if (addr->version != 0) {"),
    one(
        "per-ip-counts-out",
        "recycle.c",
        "        peers_leave(&engine->peers, &leaver->peer);\n",
        "",
    ),
    one(
        "per-ip-closes-gaps",
        "peers.c",
        "            peers->places[place] = *peer;\n            place = next;\n",
        "",
    ),
    one(
        "per-ip-after-the-limit",
        "pool.c",
        "                    engine->stats.connections_active < options->max_connections &&\n"
        "                    (per_ip == 0 || peers_enter(&engine->peers, peer, per_ip));",
        "                    (per_ip == 0 || peers_enter(&engine->peers, peer, per_ip)) &&\n"
        "                    engine->stats.connections_active < options->max_connections;",
    ),
    one(
        "cooling-deadline",
        "recycle.c",
        "    agenda_set_deadline(engine, slot, now_ns + wait_ns);\n",
        "    agenda_set_deadline(engine, slot, 0);\n",
    ),
    one(
        "cooling-cap",
        "recycle.c",
        "atomic_u64_add(&engine->cooling, 1) > engine->options.cooling_max",
        "atomic_u64_add(&engine->cooling, 1) > UINT64_MAX - 1",
    ),
    # What no cancel ends.
    one(
        "drain-is-bounded",
        "closing.c",
        "waits ? io_now_ns(engine->io) + CANCEL_PATIENCE_NS : 0",
        "waits ? 0 : 0",
    ),
    one(
        "drain-severs",
        "closing.c",
        "        io_sock_sever(engine->io, &slot->sock, reset);\n",
        "        (void)reset;\n",
    ),
    one(
        "severed-is-counted-once",
        "closing.c",
        "        return; /* it was severed, and",
        "        ; /* it was severed, and",
    ),
    one(
        "severed-is-closed-once",
        "recycle.c",
        "    if (slot->sock != IO_SOCK_NONE) {\n        io_sock_close(engine->io,",
        "    if (1) {\n        io_sock_close(engine->io,",
    ),
    one(
        "disconnect-is-bounded",
        "recycle.c",
        "    agenda_set_deadline(engine, slot, io_now_ns(engine->io) + CANCEL_PATIENCE_NS);\n",
        "    agenda_set_deadline(engine, slot, 0);\n",
    ),
    one(
        "disconnect-severs",
        "recycle.c",
        "        io_sock_sever(engine->io, &slot->sock, false);\n",
        "",
    ),
    one(
        "given-up-once",
        "recycle.c",
        "    slot->given_up = true;\n",
        "",
    ),
    one("given-up-is-over", "recycle.c", "    slot->given_up = false;\n", ""),
    one(
        "cap-lets-read",
        "recycle.c",
        "        if (!may_read(engine, slot, true)) {\n",
        "        if (1) {\n",
    ),
    one("stop-lets-read", "recycle.c", "(late || !may_read(engine, slot, !cools))", "true"),
    # Recycling.
    one("reset-is-not-recycled", "recycle.c", "    if (session->reset) {", "    if (0) {"),
    one(
        "linger-is-not-recycled",
        "recycle.c",
        "return session->peer_eof ? CAUSE_NONE : CAUSE_LINGER;",
        "return CAUSE_NONE;",
    ),
    one(
        "failed-disconnect-closes",
        "recycle.c",
        "    if (!good && slot->sock != IO_SOCK_NONE) {",
        "    if (0) {",
    ),
    one("unreserve", "idle.c", "    engine->recycling_now--;\n", ""),
    one(
        "end-is-counted",
        "recycle.c",
        "    engine->stats.closed_by_reason[leaver->reason]++;\n",
        "    engine->stats.closed_by_reason[leaver->reason] += leaver->reason > 0;\n",
    ),
    one(
        "reason-is-taken-before-the-wipe",
        "recycle.c",
        "    engine->stats.closed_by_reason[leaver->reason]++;\n",
        "    engine->stats.closed_by_reason[0]++;\n",
    ),
)
