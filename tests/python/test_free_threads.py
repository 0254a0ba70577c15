"""All of it from many threads at once; on a free-threaded Python, without a GIL."""

import itertools
import os
import random
import sysconfig
import threading
import time

from peers import Client, Recorder, in_threads, run_python, wait_until

import iocpreuse
from iocpreuse.options import gil_enabled, processors

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
SECONDS = 2.0


def test_the_package_brings_no_gil_back(monkeypatch):
    """Where there is none, there is none afterwards either, with whatever the package imports."""
    monkeypatch.delenv("PYTHON_GIL", raising=False)
    done = run_python(
        code="""
        import sys
        import iocpreuse
        import iocpreuse.cli
        import iocpreuse.metrics

        print(getattr(sys, "_is_gil_enabled", lambda: True)())
        """
    )
    assert (done.stdout.strip(), done.stderr) == (str(not FREE_THREADED), "")


def test_as_many_workers_as_can_run():
    settings = iocpreuse.Server()._settings
    if gil_enabled():
        assert (settings.workers, settings.concurrency) == (4, 1)
    else:
        assert settings.workers == settings.concurrency == min(processors(), 256)


class Meeting(Recorder):
    """Waits in each callback for one of another session that runs at the same time."""

    def __init__(self, **options):
        super().__init__(**options)
        self.meeting = threading.Barrier(2)

    def on_data(self, session, data):
        self.meeting.wait(20)
        session.send(data)


def test_callbacks_of_two_sessions_run_at_the_same_time(serve):
    server = serve(Meeting, workers=2)
    with Client(server.address) as one, Client(server.address) as two:
        for _ in range(50):
            one.sendall(b"1")
            two.sendall(b"2")
            assert (one.receive(1), two.receive(1)) == (b"1", b"2")
    assert server.errors == []


def is_refusal(exc):
    """What a call may say to whoever was late."""
    late = (iocpreuse.SessionClosed, iocpreuse.ServerStateError, iocpreuse.WriteOverflow)
    return isinstance(exc, late) or "after write_eof()" in str(exc)


class Crowded(iocpreuse.Server):
    """Uses everything that a session has, from its callbacks."""

    def __init__(self, **options):
        super().__init__("127.0.0.1", 0, **options)
        self.lock = threading.Lock()
        self.counts = dict.fromkeys(("on_connect", "on_login", "on_abort", "on_disconnect"), 0)
        self.errors = []
        self.requests = []

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def on_connect(self, session):
        self.count("on_connect")
        session.state = [session.id]
        session.priority = session.id % 3

    def on_data(self, session, data):
        pending = session.begin(tag=data[:1], request=data)
        with self.lock:
            self.requests.append(pending)
        session.login(data[0] % 7, conflict="replace")
        session.state = [session.id, data]
        pending.reply(data)

    def on_login(self, session):
        self.count("on_login")
        assert session.net_id in range(7)
        assert session.logged_in_at >= session.connected_at

    def on_abort(self, session, lost):
        self.count("on_abort")
        return random.randrange(7)

    def on_disconnect(self, session, why):
        self.count("on_disconnect")
        assert session.is_closing()

    def on_error(self, session, where, exc):
        if not is_refusal(exc):
            self.errors.append((where, exc))


def visit(server, random_, until):
    """Clients that come and go, each in another way."""
    while time.monotonic() < until:
        try:
            with Client(server.address) as client:
                for _ in range(random_.randrange(4)):
                    client.sendall(random_.randbytes(random_.randrange(1, 3000)))
                    if random_.random() < 0.8:
                        client.recv(1 << 16)
                end = random_.randrange(3)
                if end == 0:
                    client.half_close()
                    client.is_ended()
                elif end == 1:
                    client.reset()
        except OSError:
            pass  # aborted, or the server has stopped


def meddle(server, random_):
    """One call of any kind, on any session, from a thread that is none of the server's."""
    sessions = list(random_.choice((server.sessions, server.logged_in)).values())
    if not sessions:
        return
    session = random_.choice(sessions)
    doings = (
        lambda: session.send(b"x" * random_.choice((1, 100, 5000)), bytearray(b"y")),
        lambda: server.send(session.id, b"late"),
        lambda: server.broadcast(b"to all" * random_.choice((1, 1000))),
        lambda: server.broadcast(b"to some", to=[each.id for each in sessions]),
        lambda: session.login(random_.randrange(7), conflict="replace"),
        lambda: session.begin(tag=1).handoff(random_.randrange(7)),
        lambda: server.requests and random_.choice(server.requests).handoff(session),
        lambda: server.requests and random_.choice(server.requests).reply(b"an answer"),
        lambda: (session.pause_reading(), session.resume_reading()),
        lambda: setattr(session, "state", [session.id]),
        lambda: setattr(session, "priority", random_.randrange(-5, 5)),
        lambda: (session.state, session.net_id, session.logged_in_at),
        lambda: (
            repr(session),
            session.rtt,
            session.bytes_sent,
            session.get_extra_info("peername"),
        ),
        lambda: (repr(server), server.stats(), len(server.connected_only)),
        lambda: random_.random() < 0.3 and session.close(),
        lambda: random_.random() < 0.3 and session.abort(),
        lambda: random_.random() < 0.3 and session.write_eof(),
    )
    try:
        random_.choice(doings)()
    except Exception as exc:
        if not is_refusal(exc):
            raise


def test_everything_at_once(serve):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    server = serve(Crowded, workers=4, concurrency=4, drain_timeout=1.0)
    until = time.monotonic() + SECONDS

    def body(number):
        random_ = random.Random(seed + number)
        if number < 4:
            visit(server, random_, until)
        else:
            # They go on while it stops, and for a moment after that.
            while not server.wait(0) or time.monotonic() < until + 0.2:
                meddle(server, random_)
        if number == 0:
            server.stop(drain=0.5)

    in_threads(8, body)
    assert server.errors == []
    assert dict(server.sessions) == dict(server.logged_in) == dict(server.connected_only) == {}
    counts, stats = server.counts, server.stats()
    assert counts["on_connect"] == counts["on_disconnect"] == stats.connections_total > 0
    assert counts["on_login"] > 0 < counts["on_abort"]
    assert sum(stats.closed_by_reason.values()) == stats.connections_total
    assert stats.send_queue_bytes == 0


def test_what_a_session_has_while_others_change_it(serve):
    """State, name and priority: what is read is always one of those that were written."""
    server = serve()
    with Client(server.address) as client:
        session = server.next_session()
        session.state = (-1, "state")
        until = time.monotonic() + SECONDS / 2

        def body(number):
            for turn in itertools.count():
                if time.monotonic() >= until:
                    break
                if number % 2:
                    session.state = (turn, "state")
                    session.login((number, turn))
                    session.priority = number
                else:
                    assert session.state[1] == "state"
                    name = session.net_id
                    assert name is None or name[0] in (1, 3)
                    assert session.priority in (0, 1, 3)

        in_threads(4, body)
        assert client.ask(b"x") == b"x"
    assert server.next_end()[0] is session
    assert session.state[1] == "state"
    assert dict(server.logged_in) == {}


def test_statistics_never_go_back(serve):
    """Whoever asks, while others ask as well."""
    server = serve(workers=2)
    until = time.monotonic() + SECONDS / 2

    def body(number):
        if number < 2:
            with Client(server.address) as client:
                while time.monotonic() < until:
                    assert client.ask(b"x") == b"x"
            return
        before = server.stats()
        while time.monotonic() < until:
            now = server.stats()
            assert now.callback_seconds >= before.callback_seconds
            assert now.gil_wait_seconds >= before.gil_wait_seconds
            assert now.bytes_received >= before.bytes_received
            assert now.batches >= before.batches
            before = now

    in_threads(4, body)
    wait_until(lambda: not server.sessions)
    assert server.errors == []
