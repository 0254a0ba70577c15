"""Mutants of filters: handshakes, records, goodbyes."""

from tests.sim.mutations.mutant import LATE_FLAGS, one

FILTER = (
    # A step is an operation in flight.
    one(
        "step-is-alone",
        "filtering.c",
        "    if ((slot->in_flight & FLIGHT_FILTER) != 0) {\n"
        "        return false; /* whoever makes that step goes on */\n    }\n",
        "",
    ),
    one("step-is-in-flight", "filtering.c", "    slot->in_flight |= FLIGHT_FILTER;\n", ""),
    # What is received.
    one(
        "feed-before-receive",
        "receive.c",
        "    if (session->filter != NULL && is_to_be_fed(slot)) {",
        "    if (0 && is_to_be_fed(slot)) {",
    ),
    one(
        "feed-what-is-left-within",
        "filtering.c",
        "(filter->in_len > 0 || filter->more) && is_feeding(filter) &&",
        "filter->in_len > 0 && is_feeding(filter) &&",
    ),
    one(
        "feed-not-in-a-callback",
        "filtering.c",
        "is_feeding(filter) &&\n           (slot->in_flight & FLIGHT_CALLBACK) == 0 &&",
        "is_feeding(filter) &&",
    ),
    one(
        "feed-not-before-told",
        "filtering.c",
        "(slot->pending & (PENDING_OPEN | PENDING_DATA)) == 0 && !session->read_paused;",
        "!session->read_paused;",
    ),
    one(
        "sealed-buffer-goes-back",
        "filter.c",
        "        pockets_give(pockets, filter->in_slab, filter->in_buf);\n",
        "",
    ),
    # What is sent.
    one(
        "queue-keeps-what-is-sealed",
        "session.c",
        "        plain = filter_sent(",
        "        (void)filter_sent(",
    ),
    one(
        "sealed-once",
        "filtering.c",
        "filter->phase == FILTER_OPEN && (slot->in_flight & FLIGHT_SEND) == 0 &&\n",
        "filter->phase == FILTER_OPEN &&\n",
    ),
    one("sealed-in-part", "session.c", "(uint32_t)outbox_touched(&session->filter->out)", "0"),
    one("chunk-in-part", "outbox.c", "            chunk->sent += (uint32_t)sent;\n", ""),
    one("record-ends", "filtering.c", "outbox_end_record(&step->out, step->data_len);", ";"),
    one("chunk-goes-back", "outbox.c", "    pockets_give(pockets, slab, chunk);\n", ""),
    one(
        "unacked-is-plain",
        "closing.c",
        "            filter_unacked(session->filter, session->filter->sent - unacked, "
        "session->bytes_sent);\n",
        "            unacked;\n",
    ),
    # Handshakes.
    one("unmet-is-not-told", "session.c", "kind == EVENT_CLOSED && slot->session.unmet", "0"),
    one(
        "handshake-has-a-deadline",
        "timeout.c",
        "        return expiry;\n    }\n    if (options->login_timeout_ns",
        "    }\n    if (options->login_timeout_ns",
    ),
    one("handshake-in-turn", "filtering.c", "    return filter->turn;\n", "    return true;\n"),
    one("turn-is-one-step", "filtering.c", "    filter->turn = false;\n", ""),
    one("turn-is-called-for", "filtering.c", "turns_enter(&engine->turns, filter)) {", "0) {"),
    one(
        "events-go-first-and-call",
        "loop.c",
        "    if (batch->put_off) {\n        io_wake(engine->io, 1);\n",
        "    if (batch->put_off) {\n",
    ),
    one("places-are-counted", "turns.c", "    turns->placed -= freed;\n", ""),
    one(
        "places-are-kept",
        "turns.c",
        "if (node == NULL && turns->placed < turns->places) {",
        "if (node == NULL) {",
    ),
    one(
        "place-is-taken-next",
        "turns.c",
        "bool wanted = freed && is_wanted(turns);",
        "bool wanted = false;",
    ),
    one(
        "place-ends-with-the-handshake",
        "filtering.c",
        "        filter->phase = FILTER_BROKEN;\n"
        "        end_handshake(engine, filter);\n    }\n    bool",
        "        filter->phase = FILTER_BROKEN;\n    }\n    bool",
    ),
    one(
        "called-is-answered",
        "filtering.c",
        "filter == NULL || !turns_answer(&engine->turns, filter)",
        "filter == NULL",
    ),
    # Ends.
    one(
        "goodbye-before-fin",
        "filtering.c",
        "return sendq_is_empty(&session->out) && !session->fin_wanted;",
        "return sendq_is_empty(&session->out);",
        LATE_FLAGS,
    ),
    one(
        "nothing-after-goodbye",
        "filtering.c",
        "    if (filter->phase == FILTER_SHUT) {\n        outbox_clear",
        "    if (0) {\n        outbox_clear",
    ),
    one("fin-without-goodbye", "receive.c", "        filter->cut_off = true;\n", ""),
    one("failed-is-over", "filtering.c", "    filter->cut_off = true;\n", ""),
    one(
        "told-before-cut-off",
        "session.c",
        "(tellable(slot) & (PENDING_EOF | PENDING_DATA)) != PENDING_EOF ||",
        "(tellable(slot) & PENDING_EOF) != PENDING_EOF ||",
    ),
    one(
        "fed-before-unsendable",
        "session.c",
        "    if (session->filter != NULL && !session->read_paused && filtering_has_more(slot)) {",
        "    if (0) {",
    ),
    one(
        "broken-leaves-unsent",
        "closing.c",
        "        session_count_unsent(engine, slot); /* its filter is broken */\n",
        "",
    ),
)
