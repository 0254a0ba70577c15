"""A server that keeps what its callbacks were told, and what a model knows of each client."""

import threading

from peers import DEADLINE_SECONDS, Client

import iocpreuse
from iocpreuse import Framing

DO = b"!"  # a message that has on_data do what the test wants done in a callback
FRAMING = Framing.lines()


class Told(iocpreuse.Server):
    """Keeps what the callbacks of each session were told."""

    def __init__(self):
        super().__init__("127.0.0.1", framing=FRAMING, accept_pool=2)
        self.changed = threading.Condition()
        self.events = {}
        self.by_port = {}
        self.todo = None
        self.unsent = {}  # what on_abort was told of messages
        self.heirs = {}
        self.keeps_open = set()
        self.errors = []

    def tell(self, session, *event):
        with self.changed:
            self.events.setdefault(session.id, []).append(event)
            self.by_port[session.peername[1]] = session
            self.changed.notify_all()

    def wait_for(self, condition):
        with self.changed:
            return self.changed.wait_for(condition, DEADLINE_SECONDS)

    def on_connect(self, session):
        self.tell(session, "connect")

    def on_data(self, session, data):
        self.tell(session, "data", data)
        if data == DO:
            self.todo()

    def on_eof(self, session):
        self.tell(session, "eof")
        return session.id in self.keeps_open

    def on_login(self, session):
        self.tell(session, "login", session.net_id)

    def on_abort(self, session, lost):
        self.unsent[session.id] = b"".join(lost.unsent), lost.partial
        if lost.pending:
            self.tell(session, "abort", {pending.tag for pending in lost.pending})
        return self.heirs.get(session.id)

    def on_disconnect(self, session, why):
        self.tell(session, "disconnect", why.reason)

    def on_error(self, session, where, exc):
        self.errors.append((where, exc))


class Peer:
    """One client, and what the model knows of its session."""

    def __init__(self, server):
        self.socket = Client(server.address)
        port = self.socket.getsockname()[1]
        assert server.wait_for(lambda: port in server.by_port)
        self.session = server.by_port[port]
        self.expected = [("connect",)]  # what its callbacks are told
        self.due = b""  # bytes that it has still to get
        self.held = []  # what it said while reading was paused
        self.open = True  # the session is, for sends
        self.paused = False
        self.said_eof = False  # the client
        self.wrote_eof = False  # the server
        self.name = None

    def may_send(self):
        return self.open and not self.wrote_eof

    def may_talk(self):
        return self.open and not self.said_eof

    def may_do(self):
        return self.may_talk() and not self.paused
