"""The promises about callbacks: order, no overlap, once, and what a raising one does."""

import collections
import random
import sys
import threading
import time

import pytest
from peers import DEADLINE_SECONDS, Client, Recorder, in_threads, noise, wait_until

import iocpreuse
from iocpreuse import CloseReason


class Watcher(iocpreuse.Server):
    """Notes each callback of each session, and whether two of them overlap."""

    def __init__(self, **options):
        super().__init__("127.0.0.1", 0, **options)
        self.histories = {}
        self.overlaps = 0
        self.ended = threading.Semaphore(0)

    def note(self, session, what):
        if session.state is None:
            session.state = threading.Lock()
            self.histories[session.id] = []
        if not session.state.acquire(blocking=False):
            self.overlaps += 1
            return
        try:
            self.histories[session.id].append(what)
            time.sleep(random.random() * 0.0005)  # lets another worker in, if it may
        finally:
            session.state.release()

    def on_connect(self, session):
        self.note(session, "connect")

    def on_data(self, session, data):
        self.note(session, "data")
        session.send(data)

    def on_drain(self, session):
        self.note(session, "drain")

    def on_eof(self, session):
        self.note(session, "eof")

    def on_disconnect(self, session, why):
        self.note(session, "disconnect")
        self.ended.release()


@pytest.mark.parametrize("workers", [1, 4])
def test_never_overlap_and_disconnect_is_once_and_last(serve, workers):
    server = serve(Watcher, workers=workers, concurrency=workers, read_size=100, write_high=0)
    threads, turns = 12, 8

    def talk(number):
        for turn in range(turns):
            client = Client(server.address)
            message = noise(1000, seed=number)
            assert client.ask(message) == message
            if turn % 3 == 0:
                client.reset()
            elif turn % 3 == 1:
                client.half_close()
                assert client.receive_all() == b""
            client.close()

    in_threads(threads, talk)
    for _ in range(threads * turns):
        assert server.ended.acquire(timeout=30)
    assert server.overlaps == 0
    assert len(server.histories) == threads * turns
    for history in server.histories.values():
        assert history[0] == "connect"
        assert history[-1] == "disconnect"
        assert history.count("connect") == history.count("disconnect") == 1
        assert history.count("eof") <= 1
        assert "data" in history


@pytest.mark.parametrize("turn", range(10))
def test_a_blocking_callback_does_not_hold_up_others(serve, turn):
    """Not even those whose data came in the same batch."""
    blocks = threading.Event()
    go_on = threading.Event()

    class Blocks(Recorder):
        def on_data(self, session, data):
            if data == b"block":
                blocks.set()
                assert go_on.wait(30)
            session.send(data)

    server = serve(Blocks, workers=2)
    with Client(server.address) as blocked, Client(server.address) as other:
        server.next_session()
        server.next_session()
        blocked.sendall(b"block")
        if turn == 0:
            assert blocks.wait(30)
        for _ in range(20):
            assert other.ask(b"quick") == b"quick"
        go_on.set()
        assert blocked.receive(5) == b"block"


class Raises(Recorder):
    """Raises in the callback that `where` names, for clients that connect while it does."""

    where = ""

    def raise_in(self, session, where):
        if session.state == where:
            raise ZeroDivisionError(where)

    def on_connect(self, session):
        session.state = self.where
        super().on_connect(session)
        self.raise_in(session, "on_connect")

    def on_data(self, session, data):
        session.send(data)
        self.raise_in(session, "on_data")

    def on_drain(self, session):
        self.raise_in(session, "on_drain")

    def on_eof(self, session):
        self.raise_in(session, "on_eof")

    def on_disconnect(self, session, why):
        super().on_disconnect(session, why)
        self.raise_in(session, "on_disconnect")


@pytest.mark.parametrize("where", ["on_connect", "on_data", "on_drain", "on_eof", "on_disconnect"])
def test_a_raising_callback_closes_that_session_alone(serve, where):
    class RaisesHere(Raises):
        pass

    server = serve(RaisesHere, write_high=0)
    with Client(server.address) as bystander:
        assert bystander.ask(b"a") == b"a"
        server.next_session()
        RaisesHere.where = where
        with Client(server.address) as client:
            if where in ("on_data", "on_drain"):
                client.sendall(b"x")
            elif where != "on_connect":
                client.half_close()
            client.is_ended()
            session, why = server.next_end()
        wait_until(lambda: len(server.errors) == 1)
        RaisesHere.where = ""
        expected = CloseReason.CALLBACK_ERROR
        if where == "on_disconnect":
            expected = CloseReason.PEER_EOF
        assert why.reason is expected
        failed, place, exc = server.errors[0]
        assert failed is session
        assert place == where
        assert isinstance(exc, ZeroDivisionError)
        assert exc.__traceback__ is not None
        assert bystander.ask(b"b") == b"b"
        assert server.stats().callback_errors == 1


def test_on_error_logs_by_default(serve, caplog):
    class Fails(iocpreuse.Server):
        def on_data(self, session, data):
            raise ZeroDivisionError("by design")

    server = serve(Fails, "127.0.0.1")
    with Client(server.address) as client:
        client.sendall(b"x")
        client.is_ended()
        wait_until(lambda: caplog.records)
    (record,) = caplog.records
    assert record.name == "iocpreuse"
    assert record.levelname == "ERROR"
    assert "on_data" in record.getMessage()
    assert record.exc_info[0] is ZeroDivisionError


def test_on_error_that_raises_is_unraisable(serve, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda hook: seen.append(hook.exc_value))

    class FailsTwice(Recorder):
        def on_data(self, session, data):
            raise ZeroDivisionError("first")

        def on_error(self, session, where, exc):
            raise KeyError("second")

    server = serve(FailsTwice)
    with Client(server.address) as client:
        client.sendall(b"x")
        client.is_ended()
        assert server.next_end()[1].reason is CloseReason.CALLBACK_ERROR
    assert [type(exc) for exc in seen] == [KeyError]
    with Client(server.address) as client:
        client.half_close()
        assert client.receive_all() == b""


def test_exceptions_that_are_no_errors_end_the_session_too(serve):
    """SystemExit in a worker must not take the worker away."""

    class Exits(Recorder):
        def on_data(self, session, data):
            if data == b"exit":
                sys.exit(3)
            super().on_data(session, data)

    server = serve(Exits, workers=1)
    with Client(server.address) as client:
        client.sendall(b"exit")
        client.is_ended()
        server.next_end()
    assert isinstance(server.errors[0][2], SystemExit)
    with Client(server.address) as client:
        assert client.ask(b"on we go") == b"on we go"


def test_callbacks_set_on_the_instance(serve):
    """A callback may be any attribute that the server has when it starts."""
    server = iocpreuse.Server("127.0.0.1", 0)
    server.on_data = lambda session, data: session.send(data.upper()) and None
    with server, Client(server.address) as client:
        client.sendall(b"abc")
        assert client.receive(3) == b"ABC"


def test_a_server_without_callbacks_takes_and_drops_everything(serve):
    server = serve(iocpreuse.Server, "127.0.0.1")
    with Client(server.address) as client:
        client.sendall(noise(100_000))
        client.half_close()
        assert client.receive_all() == b""
    wait_until(lambda: server.stats().connections_active == 0)
    assert server.stats().bytes_received == 100_000


def test_callbacks_run_in_named_threads(serve):
    class Names(Recorder):
        def on_data(self, session, data):
            thread = threading.current_thread()
            session.send(f"{thread.name} {thread.daemon}".encode())
            session.close()

    server = serve(Names, workers=2)
    with Client(server.address) as client:
        client.sendall(b"who?")
        name, daemon = client.receive_all().decode().split()
    assert name in ("iocpreuse-worker-1", "iocpreuse-worker-2")
    assert daemon == "True"
    assert any(thread.name == "iocpreuse-manager" for thread in threading.enumerate())


def test_connects_are_logged_at_debug(caplog):
    with caplog.at_level("DEBUG", "iocpreuse"):
        server = Recorder()
        with server:
            with Client(server.address) as client:
                assert client.ask(b"x") == b"x"
            server.next_end()
        texts = [record.getMessage() for record in caplog.records]
    assert any(text.startswith("connect ('127.0.0.1'") for text in texts)
    assert any(text.startswith("disconnect") and "PEER_EOF" in text for text in texts)


@pytest.mark.parametrize("clients", [8, 40])
def test_callbacks_that_block_as_a_habit_share_the_workers(serve, clients):
    """Nobody waits to see whether the next one blocks as well: all eight workers run theirs."""
    lock = threading.Lock()

    class Sleeps(Recorder):
        running = 0
        seen = collections.Counter()

        def on_data(self, session, data):
            with lock:
                self.running += 1
                self.seen[self.running] += 1
            time.sleep(0.005)
            with lock:
                self.running -= 1
            session.send(data)

    Sleeps.seen.clear()
    server = serve(Sleeps, workers=8)

    def talk(number):
        with Client(server.address) as client:
            for _ in range(1600 // clients):
                assert client.ask(b"x") == b"x"

    in_threads(clients, talk)
    assert sum(server.seen.values()) == 1600
    assert max(server.seen) >= 6
    assert sum(count for running, count in server.seen.items() if running >= 3) > 800


def test_a_blocking_callback_does_not_hold_up_its_batch(serve):
    """Clients whose events came together with one that blocks are served by another worker."""
    release = threading.Event()

    class Blocks(Recorder):
        def on_data(self, session, data):
            if data == b"block":
                release.wait(DEADLINE_SECONDS)
            session.send(data)

    server = serve(Blocks, workers=2)
    clients = [Client(server.address) for _ in range(40)]
    try:
        for turn in range(20):
            blocked = turn % len(clients)
            for number, client in enumerate(clients):
                client.sendall(b"block" if number == blocked else b"x")
            for number, client in enumerate(clients):
                if number != blocked:
                    assert client.receive(1) == b"x"
            assert not release.is_set()
            release.set()
            assert clients[blocked].receive(5) == b"block"
            release.clear()
    finally:
        release.set()
        for client in clients:
            client.close()


def test_callbacks_that_each_block_a_little_are_shared(serve):
    """None takes long, but those of one batch do together: several workers run them at once."""

    class Sleeps(Recorder):
        inside = 0
        peak = 0
        lock = threading.Lock()

        def on_data(self, session, data):
            with self.lock:
                self.inside += 1
                self.peak = max(self.peak, self.inside)
            time.sleep(0.005)
            with self.lock:
                self.inside -= 1
            session.send(data)

    server = serve(Sleeps, workers=6)
    clients = [Client(server.address) for _ in range(60)]
    try:
        for _ in clients:
            server.next_session()
        for client in clients:
            client.sendall(b"x")
        for client in clients:
            assert client.receive(1) == b"x"
    finally:
        for client in clients:
            client.close()
    assert server.peak >= 3
