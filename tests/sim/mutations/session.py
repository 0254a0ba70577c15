"""Mutants of one session: its events, messages and times."""

from tests.sim.mutations.mutant import one

SESSION = (
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
        "(slot->in_flight & (FLIGHT_CALLBACK | FLIGHT_FILTER)) != 0",
        "(slot->in_flight & FLIGHT_FILTER) != 0",
    ),
    one(
        "callback-in-a-step",
        "session.c",
        "(slot->in_flight & (FLIGHT_CALLBACK | FLIGHT_FILTER)) != 0",
        "(slot->in_flight & FLIGHT_CALLBACK) != 0",
    ),
    one(
        "receive-in-callback",
        "receive.c",
        "(slot->in_flight & (FLIGHT_RECV | FLIGHT_CALLBACK)) != 0",
        "(slot->in_flight & FLIGHT_RECV) != 0",
    ),
    one("first-ending", "closing.c", "    if (!session->ending.known) {", "    if (true) {"),
    one(
        "kick-wakes",
        "agenda.c",
        "io_now_ns(engine->io));\n        io_wake(engine->io, 1);\n",
        "io_now_ns(engine->io));\n",
    ),
    one("kick-again", "loop.c", "        slot->kicked = false;\n", ""),
    # Messages.
    one(
        "mute-in-pause",
        "control.c",
        "paused || (slot->pending & PENDING_LOGIN) != 0",
        "(slot->pending & PENDING_LOGIN) != 0",
    ),
    one(
        "mute-at-the-end",
        "closing.c",
        "    atomic_u32_store(&session->mute, 1);\n",
        "",
    ),
    one(
        "mute-at-the-abort",
        "closing.c",
        "    atomic_u32_store(&slot->session.mute, 1);\n",
        "",
    ),
    one(
        "the-rest-is-told",
        "receive.c",
        "        slot->pending |= PENDING_DATA; /* it was paused, or its turn is over */\n",
        "",
    ),
    one("end-amid-message", "session.c", "!cutter_is_amid(&session->cutter)) {", "true) {"),
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
    one(
        "login-is-told-first",
        "login.c",
        "    atomic_u32_store(&slot->session.mute, 1); /* until that has been told */\n",
        "",
    ),
    one(
        "login-lets-messages-follow",
        "session.c",
        "                atomic_u32_store(&slot->session.mute, 0);\n",
        "                ;\n",
    ),
    one(
        "login-outlasts-the-pause",
        "control.c",
        "paused || (slot->pending & PENDING_LOGIN) != 0",
        "paused",
    ),
    # Time.
    one(
        "flush-deadline",
        "closing.c",
        "    session_progress(engine, slot);\n    slot->pending",
        "    slot->pending",
    ),
    one(
        "flushed-is-progress",
        "session.c",
        "    if (slot->state == SLOT_FLUSHING && bytes > 0) {",
        "    if (0) {",
    ),
    one("acked-is-progress", "closing.c", "acked > session->acked || took", "took"),
    one(
        "progress-is-bounded",
        "closing.c",
        "least(session->progress_ns + linger_ns, session->closing_ns + LINGERS_MAX * linger_ns)",
        "(session->progress_ns + linger_ns)",
    ),
    one(
        "quiet-has-all", "closing.c", "session->fin_sent && unacked == 0 &&", "session->fin_sent &&"
    ),
    one(
        "quiet-says-nothing",
        "closing.c",
        "session_heard(session) == session->heard_open &&",
        "true &&",
    ),
    one(
        "quiet-is-listened-to",
        "closing.c",
        "           !io_is_due(engine->io, slot->sock, &slot->recv.io);",
        "           true;",
    ),
    one("stop-has-its-drain", "closing.c", "    if (stopping) {", "    if (0) {"),
    one("unacked-is-unsent", "closing.c", "session->out.bytes + unacked;", "session->out.bytes;"),
    one(
        "unsent-is-counted-again",
        "session.c",
        "        session_count_unsent(engine, slot);\n",
        "        ;\n",
    ),
    # An answer that cannot be sent.
    one("received-is-told", "session.c", "tellable(slot) != 0 ||", ""),
    one("failed-send-ends", "session.c", "    end_unsendable(engine, slot);\n", ""),
    one("failed-send-is-the-last", "session.c", " || slot->session.send_failed) {", ") {"),
    one(
        "failed-send-flushes-nothing",
        "closing.c",
        "    if (session->send_failed) {",
        "    if (0) {",
    ),
    one("drain-clears-deadline", "closing.c", "    agenda_set_deadline(engine, slot, 0);\n", ""),
    one(
        "timer-wakes-manager",
        "agenda.c",
        "slot->timer, at_ns, io_now_ns(engine->io))) {\n        io_wake_manager(engine->io);\n",
        "slot->timer, at_ns, io_now_ns(engine->io))) {\n",
    ),
    one("timer-moves-forward", "agenda.c", "due_ns != 0 && due_ns <= at_ns", "due_ns != 0"),
    one(
        "timer-comes-up-again",
        "manager.c",
        "        agenda_look_at(engine, slot, slot->deadline_ns);\n",
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
        "loop.c",
        "    batch->now_ns = io_now_ns(engine->io);\n    batch->is_timely = true;\n",
        "    batch->is_timely = true;\n",
    ),
    one("acked-is-not-silent", "timeout.c", "        session->acked_ns = now_ns;\n", ""),
    one(
        "acks-are-looked-for",
        "timeout.c",
        "        slot->session.unsettled = true;\n        await_acks(engine, slot, now_ns);\n",
        "",
    ),
    one("message-begins", "receive.c", "if (session->cut || !amid) {", "if (false) {"),
    one("message-is-watched", "session.c", "    timeout_cut(engine, slot); /*", "    /*"),
    one("message-is-watched-at-once", "receive.c", "        timeout_cut(engine, slot);\n", ""),
    one("message-is-whole", "timeout.c", " && cutter_is_amid(&session->cutter);", ";"),
    one("first-byte-came", "timeout.c", "session->bytes_received == 0 &&", "true &&"),
    # Names.
    one("login-while-open", "login.c", "    if (slot->state != SLOT_OPEN) {", "    if (false) {"),
    one("name-is-refused", "names.c", " && !name->parting && !replaces) {", " && false) {"),
    one("parting-name-is-to-be-had", "names.c", " && !name->parting && !replaces", " && !replaces"),
    one("name-is-taken-over", "names.c", "!name->parting && !replaces", "!name->parting"),
    one("old-name-is-free", "names.c", "            set_free(names, old);\n", ""),
    one("old-name-may-be-anothers", "names.c", " && old->owner == token) {", ") {"),
    one("name-parts-while-owned", "names.c", "parting |= name->owner == token;", "parting = true;"),
    one(
        "flushing-parts", "closing.c", "FLUSHING);\n    part_name(engine, slot);\n", "FLUSHING);\n"
    ),
    one(
        "draining-parts", "closing.c", "DRAINING);\n    part_name(engine, slot);\n", "DRAINING);\n"
    ),
    one(
        "name-is-given-back-while-owned",
        "names.c",
        "    if (name->owner == token) {\n        set_free(names, name);",
        "    if (name->owner != TOKEN_NONE) {\n        set_free(names, name);",
    ),
    one(
        "name-is-given-back",
        "session.c",
        "            names_give_back(&engine->names, slot->session.name, slot->token);\n",
        "",
    ),
    one(
        "replaced-ends",
        "login.c",
        "    if (result == LOGIN_DONE && *other != TOKEN_NONE) {",
        "    if (false) {",
    ),
    one("name-is-overtaken", "names.c", "    if (!overtaken) {", "    if (true) {"),
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
    one("overdue-is-judged", "loop.c", "        timeout_judge(engine, slot, batch->now_ns);\n", ""),
    one("stirring", "timeout.c", "is_stirring(engine, slot, &expiry, now_ns)", "false"),
    # Requests.
    one(
        "begun-while-open",
        "request.c",
        "    bool open = slot->state == SLOT_OPEN;",
        "    bool open = true;",
    ),
    one(
        "handed-to-the-open",
        "request.c",
        "    if (!is_going(slot)) {\n        mutex_lock(",
        "    if (true) {\n        mutex_lock(",
    ),
    one(
        "told-is-not-handed",
        "request.c",
        "request->list != NULL && request->list->told == tells",
        "request->list != NULL",
    ),
    one(
        "told-is-told",
        "request.c",
        "    lost->told = lost->first != NULL;\n",
        "",
    ),
    one(
        "answered-once",
        "request.c",
        "    if (reply != REPLY_SENT) {\n        return reply;\n    }\n",
        "",
    ),
    one(
        "answered-before-a-send-failed",
        "request.c",
        "return slot->state != SLOT_OPEN || slot->session.send_failed;",
        "return slot->state != SLOT_OPEN;",
    ),
    one(
        "answered-where-admitted",
        "request.c",
        "    if (*why != CALL_OK) {\n        return REPLY_REFUSED;\n    }\n",
        "",
    ),
    one("first-answer-is-kept", "request.c", "is && !request->has_kept", "is"),
    one(
        "kept-answer-is-sent",
        "request.c",
        "    if (!has_kept || admit",
        "    if (true || admit",
    ),
    one(
        "kept-answer-is-admitted",
        "request.c",
        "!has_kept || admit(engine, slot, bytes, batch) != CALL_OK ||",
        "!has_kept || admit(engine, slot, bytes, batch) == CALL_STALE ||",
    ),
    one("kept-answer-is-told", "request.c", "&kept, true)) {", "&kept, false)) {"),
    one("passed-is-said-once", "request.c", "    request->passed = false;\n", ""),
    one(
        "aborted-answer-is-released",
        "request.c",
        "REQUEST_ABORTED);\n    *kept = request->kept;\n",
        "REQUEST_ABORTED);\n",
    ),
    one(
        "passed-on-or-aborted",
        "request.c",
        "    if (handover == HANDOVER_NONE) {\n        abort_request",
        "    if (heir == TOKEN_NONE) {\n        abort_request",
    ),
    one(
        "requests-leave-in-the-middle",
        "requests.c",
        "        request->next->prev = request->prev;",
        "        request->next->prev = NULL;",
    ),
    one(
        "requests-leave-at-the-end",
        "requests.c",
        "        list->last = request->prev;",
        "        ;",
    ),
)
