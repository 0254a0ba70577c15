"""The changes that tests/sim/mutants.py makes: each takes one guard out of the engine."""

from dataclasses import dataclass

Change = tuple[str, str, str]  # a file of csrc/engine, the text there, what replaces it


@dataclass(frozen=True)
class Mutant:
    """One guard taken out."""

    name: str
    changes: tuple[Change, ...]
    flags: tuple[str, ...] = ()  # of the build in which it can be noticed


def one(name: str, file: str, old: str, new: str, flags: tuple[str, ...] = ()) -> Mutant:
    return Mutant(name, ((file, old, new),), flags)


# The build of tools/sim.py in which other threads start operations themselves.
LATE_FLAGS = ("-DIO_ACCEPT_MAKES_SOCK=0", "-DIO_THREAD_EXIT_CANCELS=0")

# And its receives borrow their buffers.
BORROW_FLAGS = (*LATE_FLAGS, "-DIO_RECV_BORROWS=1")

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


MUTANTS = (
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
            ("recycle.c", "    sendq_clear(&session->out, &batch->done);\n", ""),
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
        "session.c",
        "io_cancel(engine->io, slot->sock, &slot->recv.io);",
        "",
    ),
    one("cancel-send", "session.c", "io_cancel(engine->io, slot->sock, &slot->send.io);", ""),
    one("wipe", "slot.c", WIPE, ""),
    keep("ending"),
    one("wipe-broken", "slot.c", WIPE + "    slot->session.broken = CAUSE_NONE;\n", WIPE),
    keep("peer_eof"),
    keep("bytes_sent"),
    keep("messages_received"),
    one("wipe-token", "slot.c", "    slot->token = TOKEN_NONE;\n", ""),
    # The accept pool.
    one("repost", "pool.c", "    batch->took_accept = true;\n", ""),
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
        "pool.c",
        "#define RETRY_NS (50 * NS_PER_MS)",
        "#define RETRY_NS (3600 * NS_PER_S)",
    ),
    one(
        "grown-table-is-retried",
        "pool.c",
        "            engine->retry_at_ns = now_ns + RETRY_NS;\n        } else {",
        "        } else {",
    ),
    # Sockets are neither made nor closed without need.
    one(
        "made-for-the-least-alone",
        "pool.c",
        "engine->spare > 0 || engine->recycling != RECYCLING_VERIFIED ||",
        "true ||",
    ),
    one("waits-for-returning", "pool.c", "return returning < most ? returning : most;", "return 0;"),
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
        "unneeded-over-time",
        "pool_size.c",
        "    low_water_note(&engine->unneeded, count_extra(engine), now_ns);\n",
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
        "given-back-once",
        "pool_size.c",
        "    uint32_t kept = pending < most ? (uint32_t)pending : most;",
        "    uint32_t kept = (uint32_t)pending;",
    ),
    one(
        "one-shortage",
        "pool_size.c",
        "    if (at_ease || now_ns >= engine->shortage_ns + SHORTAGE_NS) {",
        "    if (at_ease) {",
    ),
    one(
        "window-turns-at-a-rise",
        "pool.c",
        "        pool_size_note(engine, io_now_ns(engine->io));\n",
        "",
    ),
    one(
        "max-connections",
        "pool.c",
        "engine->stats.connections_active < options->max_connections",
        "true",
    ),
    # Threads.
    one("only-workers-submit", "session.c", "IO_THREAD_EXIT_CANCELS && batch == NULL", "false"),
    # Events.
    one(
        "paused-is-kept",
        "session.c",
        "    return paused ? slot->pending & ~(PENDING_DATA | PENDING_EOF) : slot->pending;",
        "    return slot->pending;",
    ),
    one(
        "callback-overlap",
        "session.c",
        "    if (pending == 0 || (slot->in_flight & FLIGHT_CALLBACK) != 0) {\n",
        "    if (pending == 0) {\n",
    ),
    one(
        "receive-in-callback",
        "receive.c",
        "(slot->in_flight & (FLIGHT_RECV | FLIGHT_CALLBACK)) != 0",
        "(slot->in_flight & FLIGHT_RECV) != 0",
    ),
    one("first-ending", "session.c", "    if (!session->ending.known) {", "    if (true) {"),
    one(
        "kick-wakes",
        "engine.c",
        "io_now_ns(engine->io));\n        io_wake(engine->io, 1);\n",
        "io_now_ns(engine->io));\n",
    ),
    one("kick-again", "engine.c", "        slot->kicked = false;\n", ""),
    # Messages.
    one(
        "mute-in-pause", "control.c", "        atomic_u32_store(&slot->session.mute, paused);\n", ""
    ),
    one(
        "mute-at-the-end",
        "session.c",
        "    slot_set_state(slot, SLOT_FLUSHING);\n    atomic_u32_store(&slot->session.mute, 1);\n",
        "    slot_set_state(slot, SLOT_FLUSHING);\n",
    ),
    one(
        "mute-at-the-abort",
        "session.c",
        "    slot_set_state(slot, SLOT_DRAINING);\n    atomic_u32_store(&slot->session.mute, 1);\n",
        "    slot_set_state(slot, SLOT_DRAINING);\n",
    ),
    one(
        "the-rest-is-told",
        "receive.c",
        "        slot->pending |= PENDING_DATA; /* it was paused in the middle */\n",
        "",
    ),
    one("end-amid-message", "session.c", "cutter_is_amid(cutter)) {", "false) {"),
    one("faults-end", "receive.c", "        end_stream(engine, slot, frame);\n    }", "    }"),
    one(
        "faults-end-later",
        "receive.c",
        "        end_stream(engine, slot, frame);\n        m",
        "        m",
    ),
    one(
        "too-long-a-line", "framing.c", "    return len > framing->max_length;", "    return false;"
    ),
    one("kept-is-freed", "receive.c", "    cutter_drop(&slot->session.cutter);\n", ""),
    one("told-once", "receive.c", "    session->cut = false;\n    atomic", "    atomic"),
    # Time.
    one(
        "flush-deadline",
        "session.c",
        "    } else {\n        allow_flush(engine, slot);\n    }\n    slot->pending",
        "    }\n    slot->pending",
    ),
    one("linger-after-eof", "session.c", "    if (slot->session.fin_sent) {", "    if (0) {"),
    one("drain-clears-deadline", "session.c", "    engine_set_deadline(engine, slot, 0);\n", ""),
    one(
        "timer-wakes-manager",
        "engine.c",
        "slot->timer, at_ns, io_now_ns(engine->io))) {\n        io_wake_manager(engine->io);\n",
        "slot->timer, at_ns, io_now_ns(engine->io))) {\n",
    ),
    one("timer-moves-forward", "engine.c", "due_ns != 0 && due_ns <= at_ns", "due_ns != 0"),
    one(
        "timer-comes-up-again",
        "manager.c",
        "        engine_look_at(engine, slot, slot->deadline_ns);\n",
        "        ;\n",
    ),
    one(
        "manager-looks-in-time", "wheel.c", "        until_ns = wheel->next * WHEEL_TICK_NS;\n", ""
    ),
    one(
        "wheel-keeps-its-place",
        "wheel.c",
        "    tick = tick < wheel->next ? tick : wheel->next - 1;\n",
        "",
    ),
    # Silence.
    one(
        "received-is-not-silent",
        "receive.c",
        "    session->active_ns = batch->now_ns;\n",
        "",
    ),
    one(
        "sent-is-not-silent",
        "session.c",
        "        session->active_ns = batch->now_ns;\n    }\n",
        "    }\n",
    ),
    one(
        "clock-is-read",
        "engine.c",
        "    batch->now_ns = io_now_ns(engine->io);\n    batch->is_timely = true;\n",
        "    batch->is_timely = true;\n",
    ),
    one("first-byte-came", "timeout.c", "session->bytes_received == 0 &&", "true &&"),
    one("login-came", "control.c", "        slot->session.logged_in = true;\n", ""),
    one("login-is-due", "timeout.c", "options->login_timeout_ns != 0", "false"),
    one(
        "paused-is-not-silent",
        "timeout.c",
        "    bool idles = !session->read_paused || (slot->in_flight & FLIGHT_SEND) != 0;",
        "    bool idles = true;",
    ),
    one(
        "paused-before-the-first-byte",
        "timeout.c",
        "session->bytes_received == 0 && !session->peer_eof &&\n        !session->read_paused",
        "session->bytes_received == 0 && !session->peer_eof",
    ),
    one(
        "resumed-counts-anew",
        "control.c",
        "    if (resumed) {\n        timeout_restart(engine, slot);\n",
        "    if (resumed) {\n",
    ),
    one(
        "resumed-is-watched",
        "timeout.c",
        "    slot->session.resumed_ns = now_ns;\n    if (slot->state == SLOT_OPEN) {",
        "    slot->session.resumed_ns = now_ns;\n    if (0) {",
    ),
    one(
        "paused-send-is-watched",
        "session.c",
        "        timeout_restart(engine, slot); /* it could not idle until now */\n",
        "        ;\n",
    ),
    one("deaf-is-not-silent", "timeout.c", "deaf ? now_ns + 1 : 0", "0"),
    one(
        "judged-again",
        "timeout.c",
        "    if (expiry.at_ns > now_ns) {\n        await(engine, slot, &expiry);\n        return;",
        "    if (expiry.at_ns > now_ns) {\n        return;",
    ),
    one(
        "judged-late",
        "timeout.c",
        "    if (expiry.at_ns > now_ns) {\n        await(engine, slot, &expiry);\n        return;",
        "    if (0) {\n        return;",
    ),
    one(
        "looked-at-again",
        "timeout.c",
        "        await(engine, slot, &expiry);\n    } else {",
        "        ;\n    } else {",
    ),
    one(
        "overdue-is-judged", "engine.c", "        timeout_judge(engine, slot, batch->now_ns);\n", ""
    ),
    one("stirring", "timeout.c", "is_stirring(engine, slot, expiry.reason)", "false"),
    # Addresses.
    one("per-ip", "peers.c", "bool room = peer->count < limit;", "bool room = true;"),
    one(
        "per-ip-mapped", "peers.c", "    if (addr->version == 6) {", "    if (addr->version != 0) {"
    ),
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
        "        engine_set_deadline(engine, slot, now_ns + COOLING_DEADLINE_NS);\n",
        "        engine_set_deadline(engine, slot, 0);\n",
    ),
    one(
        "cooling-cap",
        "recycle.c",
        "        cancel(engine, slot, CAUSE_COOLING_CAP);\n",
        "        ;\n",
    ),
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
    one("unreserve", "recycle.c", "    engine->recycling_now--;\n", ""),
    # Sending.
    one(
        "send-after-eof",
        "send.c",
        "    if (session->fin_wanted) {\n        return CALL_EOF;\n    }\n",
        "",
    ),
    one(
        "one-send",
        "session.c",
        "    if (slot->in_flight & FLIGHT_SEND) {\n        return;\n    }\n",
        "",
    ),
    one("partial-send", "sendq.c", "            buf->sent += (size_t)sent;\n", ""),
    one(
        "buffer-goes-back",
        "receive.c",
        "        pockets_give(pockets_of(batch), session->recv_slab, session->recv_buf);\n",
        "",
    ),
    one("lent-once", "slab.c", ">kind].free = buf->next;", ">kind].bytes += 0;", BORROW_FLAGS),
    # Loans of the layer above.
    one(
        "loan-goes-back",
        "receive.c",
        "    direct->take_back(direct, pockets_of(batch), session->recv_buf, 0);\n",
        "",
        BORROW_FLAGS,
    ),
    one(
        "loan-is-fed-to-its-end", "receive.c", "recv_buf)->left > 0", "recv_buf) == 0", BORROW_FLAGS
    ),
    one("loan-is-whose-it-is", "receive.c", " && !io_op_is_passed_on(op);", ";", BORROW_FLAGS),
    # Broadcasts.
    one("broadcast-to-full", "send.c", "    if (session->write_full) {", "    if (0) {"),
    one("broadcast-past-limit", "send.c", "if (!is_too_much(engine, session, len)) {", "if (1) {"),
    one("broadcast-after-eof", "send.c", " && !session->fin_wanted &&", " &&"),
    one(
        "broadcast-after-end",
        "send.c",
        "bool taken = slot->state == SLOT_OPEN && ",
        "bool taken = ",
    ),
    one(
        "broadcast-owes-drain",
        "send.c",
        "        leave(engine, slot, batch, gather);\n",
        "        control_leave(engine, slot, batch, gather);\n",
    ),
    one(
        "shared-waits-for-others",
        "shared.c",
        "    if (atomic_u64_add(&run->left, 0 - (uint64_t)count) > 0) {",
        "    if (atomic_u64_add(&run->left, 0 - (uint64_t)count) > 1) {",
    ),
    one(
        "shared-waits-for-runs",
        "shared.c",
        "atomic_u64_add(&message->left, (uint64_t)-1) > 0 ? NULL",
        "atomic_u64_add(&message->left, (uint64_t)-1) > 1 ? NULL",
    ),
    one(
        "shared-waits-for-maker",
        "shared.c",
        "    atomic_u64_store(&message->left, 1);\n",
        "    atomic_u64_store(&message->left, 0);\n",
    ),
    one(
        "shared-gives-back-rest",
        "shared.c",
        "        (void)leave(run, RUN_BUFS - taken);",
        "        (void)leave(run, 0);",
    ),
    Mutant(
        "flood-is-kicked",
        (("control.c", "        engine_kick(engine, slot);\n", "        ;\n"),),
        LATE_FLAGS,
    ),
    one(
        "end-is-counted",
        "recycle.c",
        "    engine->stats.closed_by_reason[leaver->reason]++;\n",
        "    engine->stats.closed_by_reason[leaver->reason] += leaver->reason != REASON_SHUTDOWN;\n",
    ),
    one(
        "reason-is-taken-before-the-wipe",
        "recycle.c",
        "    engine->stats.closed_by_reason[leaver->reason]++;\n",
        "    engine->stats.closed_by_reason[0]++;\n",
    ),
    # Pages of small messages.
    one("page-goes-back", "sendq.c", "        slab_give(buf->page->home, buf->page);\n", ""),
    one(
        "page-leaves-pinned",
        "sendq.c",
        "message->last && message->owner == NULL &&",
        "message->last &&",
    ),
    one("page-knows-its-messages", "sendq.c", "++) = (uint16_t)len;", "++) = (uint16_t)(len + 1);"),
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
    one("help-tells-of-buffers", "engine.c", "batch_has_work(batch);", "batch->count > 0;"),
    # The stop.
    one(
        "stop-wakes-all",
        "engine.c",
        "            io_wake(engine->io, 1);\n",
        "",
    ),
    one(
        "stop-cancels-accepts",
        "manager.c",
        "        io_cancel(engine->io, engine->listener, &slot->life.io);\n",
        "",
    ),
    one("stop-cancels-disconnects", "manager.c", "        recycle_cancel(engine, slot);\n", ""),
    one(
        "stop-waits",
        "manager.c",
        "    if (!is_quiet(engine)) {\n        return false;\n    }\n",
        "",
    ),
)
