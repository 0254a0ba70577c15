"""The generator against servers that do what they should, and against those that do not."""

import contextlib
import socket
import threading
import time

import pytest

from benchmarks import workloads
from benchmarks.trial import Running, Timing, TrialError, figures, generate
from benchmarks.workloads import Workload

ECHO = Workload("test", "echo", "echo", "echo", connections=3, size=100, depth=2)
TIMING = Timing(warmup=0.05, seconds=0.2)


class Peer:
    """A server with a thread for each client; HANDLE sees every piece that comes."""

    def __init__(self, handle, greet=None):
        self._handle, self._greet = handle, greet
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.members = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self.members.append(client)
                if self._greet:
                    client.sendall(self._greet)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError), client:
            while data := client.recv(1 << 16):
                with self._lock:
                    self._handle(self, client, data)

    @property
    def running(self):
        return Running(self._listener.getsockname()[1], (), {})

    def stop(self):
        # shutdown wakes the thread that waits in accept; close alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def run(generator):
    """Runs a workload against a Peer."""
    with contextlib.ExitStack() as stack:

        def start(workload, handle, greet=None):
            peer = Peer(handle, greet)
            stack.callback(peer.stop)
            return generate(generator, peer.running, workload, TIMING)

        yield start


def echo(_peer, client, data):
    client.sendall(data)


def tell_all(peer, _client, data):
    for member in peer.members:
        member.sendall(data)


@pytest.mark.parametrize("mode", ["echo", "framed", "churn", "bulk", "idle"])
def test_an_echo_server_passes(run, mode):
    load = Workload("test", "echo", "echo", mode, connections=3, size=100, depth=2)
    said = run(load, echo)
    assert said["wrong_bytes"] == said["errors"] == 0
    assert said["bytes_per_s"] > 0
    assert TIMING.seconds <= said["seconds"] < TIMING.seconds + 1


def test_clients_may_end_with_a_reset(run):
    load = Workload("test", "churn", "echo", "churn", connections=3, reset=True)
    assert run(load, echo)["messages"] > 0


def test_a_chat_server_passes(run):
    load = Workload("test", "chat", "chat", "chat", connections=5, senders=3)
    said = run(load, tell_all, greet=b"+")
    # Everybody gets everything: a round is 15 deliveries, and the last may be under way.
    assert said["messages"] > 15


def test_a_wrong_byte_is_noticed(run):
    with pytest.raises(TrialError, match="wrong bytes"):
        run(ECHO, lambda _peer, client, data: client.sendall(data[:-1] + b"\0"))


@pytest.mark.parametrize("size", [100, 40_000])
def test_bytes_of_another_client_are_wrong(run, size):
    load = Workload("test", "echo", "echo", "echo", connections=3, size=size)
    with pytest.raises(TrialError, match="wrong bytes"):
        run(load, lambda peer, _client, data: peer.members[0].sendall(data))


@pytest.mark.parametrize("mode", ["echo", "framed"])
@pytest.mark.parametrize("size", [1, 65_536, 1 << 18])
def test_messages_of_any_size(run, mode, size):
    """Also those that are longer than what the generator sends is before it repeats."""
    said = run(Workload("test", mode, mode, mode, connections=2, size=size), echo)
    assert said["messages"] > 0
    assert said["wrong_bytes"] == said["errors"] == 0


def test_a_wrong_length_in_front_of_a_message_is_noticed(run):
    load = Workload("test", "framed", "framed", "framed", size=100)
    with pytest.raises(TrialError, match="wrong bytes"):
        run(load, lambda _peer, client, data: client.sendall(b"\0\0\0\1" + data[4:]))


def test_a_message_that_comes_twice_in_a_chat_is_noticed(run):
    load = Workload("test", "chat", "chat", "chat", connections=2)
    with pytest.raises(TrialError, match="wrong bytes"):
        run(load, lambda peer, client, data: tell_all(peer, client, data * 2), greet=b"+")


def test_a_closed_connection_is_noticed(run):
    with pytest.raises(TrialError, match=r"closed a connection|reset"):
        run(ECHO, lambda _peer, client, _data: client.shutdown(socket.SHUT_RDWR))


def test_nobody_listens(generator):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TrialError, match="connect"):
        generate(generator, Running(port, (), {}), ECHO, TIMING)


def test_latency_is_what_the_server_takes(run):
    load = Workload("test", "echo", "echo", "echo", connections=1)

    def slowly(_peer, client, data):
        time.sleep(0.01)
        client.sendall(data)

    said = run(load, slowly)
    assert 10_000 <= said["latency_us"]["p50"] <= said["latency_us"]["max"]
    assert said["rate"] <= 101
    # Closed loop with one message under way: rate and latency say the same.
    assert said["rate"] == pytest.approx(1e6 / said["latency_us"]["p50"], rel=0.5)


def test_a_server_that_never_answers_is_no_error_but_has_no_figures(run):
    said = run(ECHO, lambda *_: None)
    found = figures(said, ECHO)
    assert found["rate"] == 0
    assert "p50_us" not in found
    assert "cpu_us" not in found


def test_every_workload_is_understood(generator):
    # Refused for the mode or an option, it would end before it tries to connect.
    for load in workloads.WORKLOADS:
        small = Workload(load.name, load.group, load.role, load.mode, reset=load.reset)
        with pytest.raises(TrialError, match="connect"):
            generate(generator, Running(1, (), {}), small, TIMING)
