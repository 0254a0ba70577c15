"""How long a worker keeps the GIL, and how long it looks for work before it sleeps."""

import subprocess
import sys
import threading
import time

import pytest
from peers import (
    DEADLINE_SECONDS,
    Client,
    Recorder,
    child_environment,
    in_threads,
    run_python,
    wait_until,
)

# Another process that sends a byte for each that comes back: it needs no GIL of ours.
PING_PONG = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        sock.sendall(b"x")
        if not sock.recv(1):
            break
"""


def test_a_worker_stays_attached_beside_a_thread_that_computes(serve):
    """Several messages of one client, each sent after the answer to the last, under one attach."""

    class Counts(Recorder):
        progress = 0
        seen = 0
        run = 0
        longest = 0

        def on_data(self, session, data):
            session.send(data)
            self.run = self.run + 1 if self.seen == self.progress else 0
            self.longest = max(self.longest, self.run)
            self.seen = self.progress

    server = serve(Counts, attach_budget=0.05)
    client = subprocess.Popen(
        [sys.executable, "-c", PING_PONG, str(server.address[1])],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=child_environment(),
    )
    try:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while server.longest < 5 and time.monotonic() < deadline:
            for _ in range(1000):
                Counts.progress += 1
    finally:
        client.kill()
        client.wait()
    assert server.longest >= 5


def test_a_stop_is_heeded_while_attached():
    done = run_python(
        code="""
        import threading, time
        from peers import Client, Recorder

        server = Recorder(attach_budget=0.5).start()
        over = threading.Event()
        def compute():
            while not over.is_set():
                sum(range(1000))
        threads = [threading.Thread(target=compute) for _ in range(2)]
        for thread in threads:
            thread.start()
        with Client(server.address) as client:
            for _ in range(5):
                client.ask(b"x")
        begin = time.monotonic()
        server.stop(drain=0)
        assert time.monotonic() - begin < 20
        over.set()
        for thread in threads:
            thread.join()
        print("ok")
        """
    )
    assert done.stdout.split()[-1:] == ["ok"], done.stdout + done.stderr


@pytest.mark.parametrize("workers", [1, 4])
def test_busy_poll(serve, workers):
    server = serve(Recorder, busy_poll=0.002, workers=workers)

    def talk(number):
        with Client(server.address) as client:
            for turn in range(100):
                message = b"%d:%d" % (number, turn)
                assert client.ask(message) == message

    in_threads(4, talk)
    for _ in range(4):
        server.next_end()
    assert server.errors == []

    def sleeps():
        """A spin that finds nothing counts no batch; what was still under way does."""
        before = server.stats().batches
        assert not threading.Event().wait(0.05)
        return server.stats().batches == before

    wait_until(sleeps, "quiet")


def test_busy_poll_leaves_room_for_others(serve):
    """A callback that blocks holds up nobody, though its worker does not sleep between them."""
    held = threading.Event()

    class Holds(Recorder):
        def on_data(self, session, data):
            if data == b"hold":
                held.wait(DEADLINE_SECONDS)
            session.send(data)

    server = serve(Holds, busy_poll=0.001, workers=2)
    with Client(server.address) as first, Client(server.address) as second:
        first.sendall(b"hold")
        assert second.ask(b"go") == b"go"
        held.set()
        assert first.receive(4) == b"hold"
