"""Large messages: on Linux they are received straight into the objects that on_data gets."""

import contextlib
import random
import threading
import time
import zlib

import pytest
from peers import WINDOWS, Client, Recorder, in_threads, noise, run_python, wait_until

KIB = 1024

# Around a quarter of an object, an object, and all that one receive may bring.
EDGES = [
    edge + off
    for edge in (16 * KIB, 32 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB)
    for off in (-1, 0, 1)
]


class Keeps(Recorder):
    """An echo that keeps what it gets, or most of it, and what that was when it came."""

    def __init__(self, *, every=1, **options):
        super().__init__(**options)
        self.kept = []
        self.sizes = []
        self.hashes_hold = True
        self._every = every

    def on_data(self, session, data):
        self.hashes_hold &= hash(data) == hash(bytes(memoryview(data)))
        self.sizes.append(len(data))
        if len(self.sizes) % self._every == 0:
            self.kept.append((data, zlib.crc32(data)))
        session.send(data)

    def content(self):
        return b"".join(data for data, _ in self.kept)

    def is_unchanged(self):
        """Whether all that was kept is what it was, and no object came twice."""
        large = [data for data, _ in self.kept if len(data) > 1]  # one byte is everybody's
        different = len({id(data) for data in large}) == len(large)
        return different and all(
            type(data) is bytes and zlib.crc32(data) == before for data, before in self.kept
        )


def echoes(client, message):
    """Whether MESSAGE comes back; it is sent meanwhile."""
    sender = threading.Thread(target=client.sendall, args=(message,))
    sender.start()
    received = client.receive(len(message))
    sender.join()
    return received == message


@pytest.mark.parametrize(
    "read_size", [32 * KIB - 1, 32 * KIB, 64 * KIB, 100_000, 256 * KIB, 257 * KIB]
)
def test_each_message_is_an_object_of_its_own(serve, read_size):
    server = serve(Keeps, read_size=read_size, write_limit=None)
    stream = []
    with Client(server.address) as client:
        for turn, size in enumerate(EDGES * 2):
            stream.append(noise(size, seed=turn))
            assert echoes(client, stream[-1])
        session = server.next_session()
        assert session.bytes_received == sum(map(len, stream))
    assert server.content() == b"".join(stream)
    assert max(server.sizes) <= read_size
    assert server.is_unchanged()
    assert server.hashes_hold
    assert not server.errors


@pytest.mark.parametrize("every", [2, 3, 1000])
def test_what_is_kept_stays_while_the_rest_is_used_again(serve, every):
    server = serve(Keeps, every=every, write_limit=None, workers=2)

    def talk(number):
        with Client(server.address) as client:
            for turn in range(6):
                assert echoes(client, noise(700_000 + turn, seed=number * 100 + turn))

    in_threads(6, talk)
    assert server.is_unchanged()
    assert server.hashes_hold
    assert not server.errors


def test_messages_and_small_talk_in_turns(serve):
    server = serve(Keeps, write_limit=None)
    sizes = random.Random(7)
    with Client(server.address) as client:
        for turn in range(200):
            size = sizes.choice([1, 100, 5000, 20_000, 70_000, 300_000])
            assert echoes(client, noise(size, seed=turn))
    assert server.is_unchanged()


class PausesOften(Keeps):
    """Takes one message at a time; somebody else lets it go on."""

    def __init__(self, **options):
        super().__init__(**options)
        self.paused = []

    def on_data(self, session, data):
        super().on_data(session, data)
        session.pause_reading()
        self.paused.append(session)


def test_a_pause_in_the_middle_of_what_was_received(serve):
    server = serve(PausesOften, write_limit=None)
    done = threading.Event()

    def resume():
        while not done.is_set():
            while server.paused:
                server.paused.pop().resume_reading()
            time.sleep(0.0005)

    message = noise(6_000_000)
    with Client(server.address) as client:
        session = server.next_session()
        resumer = threading.Thread(target=resume)
        resumer.start()
        try:
            assert echoes(client, message)
        finally:
            done.set()
            resumer.join()
        assert session.messages_received == len(server.kept)
    assert server.content() == message
    assert server.is_unchanged()


@pytest.mark.parametrize("how", ["reset", "close"])
def test_clients_that_leave_in_the_middle(serve, how):
    server = serve(Keeps, write_limit=None, workers=2)
    message = noise(1_000_000)

    def leave(number):
        client = Client(server.address)
        for _ in range(3):
            client.sendall(message[: 300_000 * (1 + number % 3)])
            client.receive(100_000)
        client.reset() if how == "reset" else client.close()

    for _ in range(5):
        in_threads(8, leave)
    with Client(server.address) as client:
        assert echoes(client, message)
    assert server.is_unchanged()


def test_sessions_that_are_aborted_in_the_middle(serve):
    class Aborts(Keeps):
        def on_data(self, session, data):
            super().on_data(session, data)
            if data.startswith(b"abort"):
                session.abort()

    server = serve(Aborts, write_limit=None)
    message = noise(1_000_000)
    for _ in range(20):
        with Client(server.address) as client:
            assert echoes(client, message)
            client.sendall((b"abort" * 60_000)[:290_000])
            client.is_ended()
    with Client(server.address) as client:
        assert echoes(client, message)
    assert server.is_unchanged()


def test_a_stop_while_much_is_held_up(serve):
    server = serve(PausesOften, write_limit=None)

    def fill(_):
        with Client(server.address) as client:
            client.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                while True:
                    client.sendall(bytes(100_000))

    in_threads(8, fill)
    clients = [Client(server.address) for _ in range(8)]
    for client in clients:
        client.sendall(bytes(100_000))
    wait_until(lambda: len(server.paused) >= 8)
    server.stop(drain=0)
    for client in clients:
        client.close()
    assert server.is_unchanged()


TRACED = """
    import gc, hashlib, threading, time, tracemalloc
    from peers import Client, Recorder, noise, wait_until

    message = noise(1_000_000)
    tracemalloc.start()

    def traced():
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    def talk(server, times, size=1_000_000):
        with Client(server.address) as client:
            for _ in range(times):
                sender = threading.Thread(target=client.sendall, args=(message[:size],))
                sender.start()
                assert client.receive(size) == message[:size]
                sender.join()
"""


def check(code):
    done = run_python(code=TRACED + code)
    assert done.stderr == ""
    assert done.stdout.split() == ["ok"], done.stdout
    assert done.returncode == 0


def test_a_server_that_has_ended_keeps_none():
    check(
        """
    def serve():
        with Recorder(write_limit=None) as server:
            talk(server, 10)

    serve()
    before = traced()
    for _ in range(3):
        serve()
    assert traced() - before < 100_000, traced() - before
    print("ok")
    """
    )


def test_small_talk_needs_none():
    check(
        """
    with Recorder() as server:
        talk(server, 50, 1000)
        before = traced()
        tracemalloc.reset_peak()
        talk(server, 500, 10_000)
        peak = tracemalloc.get_traced_memory()[1] - before
        assert peak < 200_000, peak
    print("ok")
    """
    )


def test_those_that_nobody_uses_any_more_are_freed():
    check(
        """
    with Recorder(write_limit=None) as server:
        talk(server, 2, 1000)
        before = traced()
        talk(server, 20)
        deadline = time.monotonic() + 20
        while traced() - before > 50_000 and time.monotonic() < deadline:
            talk(server, 1, 1000)
            time.sleep(0.1)
        assert traced() - before < 50_000, traced() - before
    print("ok")
    """
    )


@pytest.mark.skipif(WINDOWS, reason="Windows has no fork")
def test_a_child_of_a_fork_leaves_them_alone():
    check(
        """
    import os, warnings
    warnings.filterwarnings("ignore", "This process .*is multi-threaded", DeprecationWarning)

    class Forks(Recorder):
        forked = False
        def on_data(self, session, data):
            if not self.forked and len(data) > 60_000:
                self.forked = True
                pid = os.fork()
                if pid == 0:
                    os._exit(0 if len(data) > 60_000 else 1)
                self.status = os.waitpid(pid, 0)[1]
            session.send(data)

    with Forks(write_limit=None) as server:
        talk(server, 10)
        assert server.forked and server.status == 0
        pid = os.fork()
        if pid == 0:
            del server
            gc.collect()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        talk(server, 10)
    print("ok")
    """
    )
