"""What can be called on a Server, a Session and a Pending, each with arguments at random."""

import iocpreuse

NAMES = range(5)  # to log in with: few, so that they meet
EXTRA = ("peername", "sockname", "socket", "no such thing")


def mark_of(session):
    """Bytes that are for SESSION alone."""
    return b"<%016x>" % session.id


def is_refusal(exc):
    """What calls may say to a thread that came late, or on a server that is not for them."""
    refusals = (
        iocpreuse.SessionClosed,
        iocpreuse.ServerStateError,
        iocpreuse.WriteOverflow,
        iocpreuse.LoginConflict,
    )
    texts = ("after write_eof()", "framing")
    return isinstance(exc, refusals) or any(text in str(exc) for text in texts)


def _own(luck, session):
    return mark_of(session) * luck.choice((1, 1, 2, 40, 400))


def _anybody(server, luck, session):
    """A session's id, that of one that has ended, or of none."""
    other = server.any_session()
    return luck.choice((session.id, other.id if other else 1, 12345))


def _heir(server, luck):
    return luck.choice((server.any_session(), luck.choice(NAMES), "nobody")) or "nobody"


def _send_to(server, luck):
    if session := server.any_session():
        server.send(session.id, _own(luck, session))


def _send_message_to(server, luck):
    if session := server.any_session():
        server.send_message(session.id, mark_of(session))


def _broadcast(server, luck):
    to = None if luck.random() < 0.5 else [session.id for session in list(server.sessions.values())]
    server.broadcast(b"x" * luck.choice((1, 300, 5000)), to=to)


def _look(view):
    """Iterates a live view, and looks up what it finds."""
    for key in view:
        view.get(key)
    return len(view), list(view.items()), repr(view)


def _begin(server, luck, session):
    pending = session.begin(luck.random(), b"request")
    server.requests.append(pending)


def _reply(server, luck, pending):
    if pending.reply(b"y" * luck.choice((1, 600))):
        server.answered.add(id(pending))
    else:
        server.offered.add(id(pending))  # it may be kept, for whoever takes the request over


def _rarely(luck, chance, action):
    return action() if luck.random() < chance else None


SERVER_CALLS = {
    "broadcast": _broadcast,
    "get": lambda server, luck: server.get(luck.randrange(1 << 40)),
    "pause_accepting": lambda server, luck: _rarely(luck, 0.2, server.pause_accepting),
    "resume_accepting": lambda server, luck: server.resume_accepting(),
    "send": _send_to,
    "send_message": _send_message_to,
    "start": lambda server, luck: server.start(),
    "stats": lambda server, luck: repr(server.stats()),
    "stop": lambda server, luck: _rarely(luck, 0.0002, lambda: server.stop(drain=0.1)),
    "wait": lambda server, luck: server.wait(0.001),
    "serve_forever": lambda server, luck: None,  # threads of their own do
    "sessions": lambda server, luck: _look(server.sessions),
    "logged_in": lambda server, luck: _look(server.logged_in),
    "connected_only": lambda server, luck: _look(server.connected_only),
}

SESSION_CALLS = {
    "abort": lambda server, luck, session: _rarely(luck, 0.05, session.abort),
    "begin": _begin,
    "close": lambda server, luck, session: _rarely(luck, 0.1, session.close),
    "get_extra_info": lambda server, luck, session: session.get_extra_info(luck.choice(EXTRA)),
    "is_closing": lambda server, luck, session: session.is_closing(),
    "login": lambda server, luck, session: session.login(
        luck.choice(NAMES), conflict=luck.choice(("reject", "replace"))
    ),
    "pause_reading": lambda server, luck, session: session.pause_reading(),
    "priority": lambda server, luck, session: setattr(session, "priority", luck.randrange(9)),
    "resume_reading": lambda server, luck, session: session.resume_reading(),
    "send": lambda server, luck, session: session.send(b"z", _own(luck, session)),
    "send_message": lambda server, luck, session: session.send_message(mark_of(session)),
    "state": lambda server, luck, session: setattr(session, "state", [luck.random()]),
    "write_eof": lambda server, luck, session: _rarely(luck, 0.1, session.write_eof),
}

PENDING_CALLS = {
    "handoff": lambda server, luck, pending: pending.handoff(_heir(server, luck)),
    "reply": _reply,
}


def public_names(kind):
    """What a type offers to its users; callbacks are what it asks of them."""
    return {name for name in dir(kind) if not name.startswith(("_", "on_"))}


CALLS = {
    iocpreuse.Server: SERVER_CALLS,
    iocpreuse.Session: SESSION_CALLS,
    iocpreuse.Pending: PENDING_CALLS,
}
OFFERED = {kind: sorted(public_names(kind)) for kind in CALLS}


def call(server, luck, target):
    """One call on TARGET, or a look at one of its attributes; a refusal is as good."""
    kind = iocpreuse.Server if target is server else type(target)
    name = luck.choice(OFFERED[kind])
    action = CALLS[kind].get(name)
    try:
        if action is None:
            getattr(target, name)
        elif kind is iocpreuse.Server:
            action(server, luck)
        else:
            action(server, luck, target)
        repr(target)
    except Exception as exc:
        if not is_refusal(exc):
            raise
