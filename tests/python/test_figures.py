"""Each figure of Stats that time or the end of sessions makes: would a lie be found?"""

import contextlib
import sys
import threading
import time

import pytest
from peers import DEADLINE_SECONDS, Client, Recorder, tells_of_reset, wait_until

from iocpreuse import CloseReason
from iocpreuse.options import gil_enabled


def test_batches_and_completions(serve):
    """Questions one after the other: each takes a batch of its own, for its receive.

    An answer so small is done at once, and makes no completion. An accept that the pool takes
    back, because it has grown before, makes one.
    """
    server = serve()
    questions = 50
    with Client(server.address) as client:
        server.next_session()
        before = server.stats()
        for _ in range(questions):
            assert client.ask(b"x") == b"x"

        def asked(now):
            taken_back = before.accepts_pending - now.accepts_pending
            return now.completions - before.completions - taken_back

        wait_until(lambda: asked(server.stats()) >= questions)
        after = server.stats()
    assert asked(after) == questions
    assert questions <= after.batches - before.batches <= 2 * questions


class Ends(Recorder):
    """Its clients say how they want to be ended."""

    def on_connect(self, session):
        super().on_connect(session)
        return self.stats().connections_total != 7  # one is refused

    def on_data(self, session, data):
        if data == b"close":
            session.close()
        elif data == b"abort":
            session.abort()
        elif data == b"raise":
            raise ValueError("as asked")
        else:
            session.send(bytes(2_000_000))


def test_closed_by_reason(serve):
    server = serve(Ends, write_limit=1_000_000, workers=1)
    expected = {}

    def end(reason, how):
        with Client(server.address) as client:
            server.next_session()
            how(client)
            _, why = server.next_end()
        if reason is CloseReason.PEER_RESET:
            assert tells_of_reset(why)
        else:
            assert why.reason is reason
        expected[why.reason] = expected.get(why.reason, 0) + 1
        wait_until(lambda: server.stats().connections_active == 0)
        assert server.stats().closed_by_reason == expected

    end(CloseReason.LOCAL_CLOSE, lambda client: client.sendall(b"close"))
    end(CloseReason.LOCAL_ABORT, lambda client: client.sendall(b"abort"))
    end(CloseReason.CALLBACK_ERROR, lambda client: client.sendall(b"raise"))
    end(CloseReason.WRITE_OVERFLOW, lambda client: client.sendall(b"more"))
    end(CloseReason.PEER_EOF, lambda client: client.half_close())
    end(CloseReason.PEER_EOF, lambda client: client.half_close())
    end(CloseReason.REFUSED, lambda client: client.is_ended())
    end(CloseReason.PEER_RESET, lambda client: client.reset())
    with Client(server.address), Client(server.address):
        server.next_session()
        server.next_session()
        assert server.stats().closed_by_reason == expected  # they are still there
        server.stop()
    assert server.stats().closed_by_reason == expected | {CloseReason.SHUTDOWN: 2}
    assert server.stats().connections_total == sum(server.stats().closed_by_reason.values())


class Holds(Recorder):
    """A callback that lasts until it is let go."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.entered = threading.Event()
        self.release = threading.Event()

    def on_data(self, session, data):
        self.entered.set()
        assert self.release.wait(DEADLINE_SECONDS)
        session.send(data)


def test_callback_seconds_grow_while_a_callback_runs(serve):
    server = serve(Holds, workers=1)
    with Client(server.address) as client:
        client.sendall(b"x")
        assert server.entered.wait(DEADLINE_SECONDS)
        begin = time.monotonic()
        first = server.stats().callback_seconds
        wait_until(lambda: server.stats().callback_seconds >= first + 0.2)
        assert time.monotonic() - begin >= 0.19
        server.release.set()
        assert client.receive(1) == b"x"
        server.stop()
    total = server.stats().callback_seconds
    assert total >= first + 0.2
    time.sleep(0.05)
    assert server.stats().callback_seconds == total  # nothing runs


def test_callback_seconds_of_two_workers_add_up(serve):
    server = serve(Holds, workers=2)
    with Client(server.address) as one, Client(server.address) as other:
        one.sendall(b"x")
        assert server.entered.wait(DEADLINE_SECONDS)
        other.sendall(b"x")
        begin, first = time.monotonic(), server.stats().callback_seconds
        # The second comes to its callback although the first blocks.
        wait_until(lambda: server.stats().callback_seconds - first > 0.5)
        assert time.monotonic() - begin < 0.5
        server.release.set()
        assert one.receive(1) == other.receive(1) == b"x"


def test_callback_seconds_never_go_back(serve):
    server = serve(workers=3)
    stop = threading.Event()
    wrong = []

    def watch():
        seen = (0.0, 0.0)
        while not stop.is_set():
            stats = server.stats()
            now = (stats.callback_seconds, stats.gil_wait_seconds)
            if now[0] < seen[0] or now[1] < seen[1]:
                wrong.append((seen, now))
            seen = now

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.monotonic()
    with Client(server.address) as client:
        for _ in range(300):
            client.ask(b"x")
    spent = time.monotonic() - begin
    stop.set()
    watcher.join(DEADLINE_SECONDS)
    assert not wrong
    assert 0 < server.stats().callback_seconds < spent * 3
    assert 0 < server.stats().gil_wait_seconds < spent * 3


@contextlib.contextmanager
def computing():
    """A thread computes."""
    stop = threading.Event()

    def compute():
        number = 0
        while not stop.is_set():
            for _ in range(1000):
                number += 1

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)


@contextlib.contextmanager
def switch_interval(seconds):
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def waited_for_the_gil(serve):
    """A thread that computes keeps the GIL for its turns of 50 ms, while a callback is due."""
    server = serve(workers=1)
    turn = 0.05
    with Client(server.address) as client:
        for _ in range(20):
            client.ask(b"x")
        idle = server.stats()
        begin = time.monotonic()
        with switch_interval(turn), computing():
            while server.stats().gil_wait_seconds < idle.gil_wait_seconds + 5 * turn:
                assert client.ask(b"x") == b"x"
                assert time.monotonic() < begin + DEADLINE_SECONDS
    now = server.stats()
    waited = now.gil_wait_seconds - idle.gil_wait_seconds
    assert 5 * turn <= waited <= time.monotonic() - begin
    # It has not been counted as the callbacks' own time.
    assert now.callback_seconds - idle.callback_seconds < waited


def never_waited_for_a_gil(serve):
    """There is none."""
    server = serve(workers=1)
    begin = time.monotonic()
    with Client(server.address) as client, switch_interval(0.05), computing():
        for _ in range(200):
            assert client.ask(b"x") == b"x"
    assert server.stats().gil_wait_seconds < (time.monotonic() - begin) / 4


def test_gil_wait_seconds(serve):
    if gil_enabled():
        waited_for_the_gil(serve)
    else:
        never_waited_for_a_gil(serve)


def test_times_and_reasons_of_a_server_without_clients(serve):
    stats = serve().stats()
    assert stats.callback_seconds == stats.gil_wait_seconds == 0
    assert stats.closed_by_reason == {}
    with pytest.raises(TypeError):
        stats.closed_by_reason[CloseReason.NETWORK] = 1
