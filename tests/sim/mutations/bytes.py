"""Mutants of what carries bytes: queues, loans, broadcasts."""

from tests.sim.mutations.mutant import BORROW_FLAGS, LATE_FLAGS, Mutant, one

BYTES = (
    # Messages.
    one("field-below-nothing", "framing.c", "    if (negative || whole", "    if (whole"),
    one("field-amid-strip", "framing.c", "negative || whole < framing->strip", "negative"),
    one(
        "field-has-a-limit",
        "framing.c",
        "whole - framing->strip > framing->max_length",
        "whole > UINT32_MAX",
    ),
    # Messages that are cut anew.
    one("recut-takes-back", "framing.c", "    if (taken && !cutter->handed) {", "    if (0) {"),
    one(
        "recut-has-what-follows",
        "framing.c",
        "        cutter->later_len = cutter->input_len;\n",
        "",
    ),
    one(
        "feed-behind-recut",
        "framing.c",
        "    if (cutter->replay != NULL) {\n        cutter->later = data;",
        "    if (0) {\n        cutter->later = data;",
    ),
    one("recut-cuts-first", "receive.c", "    if (!tells) {", "    if (0) {"),
    one("recut-is-not-lost", "receive.c", "        if (!session->cut) {", "        if (1) {"),
    one(
        "recut-of-a-loan",
        "receive.c",
        " while (frame == FRAME_MORE && receive_has_more(session));",
        " while (0);",
        BORROW_FLAGS,
    ),
    one(
        "recut-loan-is-no-message",
        "receive.c",
        "return session->cutter.message == *place ? place : NULL;",
        "return place;",
        BORROW_FLAGS,
    ),
    one(
        "framed-loan-is-no-message",
        "receive.c",
        "    if (!session->recv_direct || session->framing->kind != FRAMING_NONE) {",
        "    if (!session->recv_direct) {",
        BORROW_FLAGS,
    ),
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
        "(slot->in_flight & FLIGHT_SEND) != 0 || slot->session.send_failed) {",
        "slot->session.send_failed) {",
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
        "sendbuf.c",
        "    if (atomic_u64_add(&run->left, 0 - (uint64_t)count) > 0) {",
        "    if (atomic_u64_add(&run->left, 0 - (uint64_t)count) > 1) {",
    ),
    one(
        "shared-waits-for-runs",
        "sendbuf.c",
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
        "        (void)sendrun_finish(run, SENDRUN_BUFS - taken);",
        "        (void)sendrun_finish(run, 0);",
    ),
    Mutant(
        "flood-is-kicked",
        (("control.c", "        agenda_kick(engine, slot);\n", "        ;\n"),),
        LATE_FLAGS,
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
)
