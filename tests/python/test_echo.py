"""Data both ways: small, large, in order, copied."""

import contextlib
import itertools
import threading

import pytest
from peers import Client, Recorder, in_threads, noise, wait_until, was_reset

import iocpreuse


def test_echoes(serve):
    server = serve()
    with Client(server.address) as client:
        assert client.ask(b"hello") == b"hello"
        assert client.ask(b"again") == b"again"


def test_many_clients_at_once_get_their_own_bytes(serve):
    server = serve(workers=4)

    def talk(number):
        for turn in range(10):
            with Client(server.address) as client:
                message = noise(3000 + turn, seed=number * 100 + turn)
                assert client.ask(message) == message

    in_threads(20, talk)
    wait_until(lambda: server.stats().connections_active == 0)
    assert server.stats().connections_total == 200


@pytest.mark.parametrize("size", [1, 16 * 1024, 16 * 1024 + 1, 3 * 1024 * 1024])
def test_echoes_any_size(serve, size):
    server = serve(write_limit=None)
    message = noise(size)
    with Client(server.address) as client:
        sender = threading.Thread(target=client.sendall, args=(message,))
        sender.start()
        assert client.receive(size) == message
        sender.join()


class Downloads(Recorder):
    """Sends 8 MiB, as one send or as many."""

    CONTENT = noise(8 * 1024 * 1024)

    def on_data(self, session, data):
        if data == b"one":
            session.send(self.CONTENT)
        elif data == b"many":
            for start in range(0, len(self.CONTENT), 1000):
                session.send(self.CONTENT[start : start + 1000])
        elif data == b"parts":
            half = len(self.CONTENT) // 2
            session.send(self.CONTENT[:half], b"", memoryview(self.CONTENT)[half:])


@pytest.mark.parametrize("how", [b"one", b"many", b"parts"])
def test_large_download(serve, how):
    server = serve(Downloads)
    with Client(server.address) as client:
        client.sendall(how)
        assert client.receive(len(Downloads.CONTENT)) == Downloads.CONTENT
    session, _ = server.next_end()
    assert session.bytes_sent == len(Downloads.CONTENT)


@pytest.mark.parametrize("read_size", [1, 7, 100_000])
def test_large_upload(serve, read_size):
    received = []

    class Collects(Recorder):
        def on_data(self, session, data):
            assert 1 <= len(data) <= read_size
            received.append(data)

    size = 20_000 if read_size < 100 else 8 * 1024 * 1024
    content = noise(size)
    server = serve(Collects, read_size=read_size)
    with Client(server.address) as client:
        client.sendall(content)
        client.half_close()
        assert client.receive_all() == b""
    session, _ = server.next_end()
    assert b"".join(received) == content
    assert session.bytes_received == size
    assert session.messages_received == len(received)
    assert not server.errors


def test_sends_of_other_types_are_copied(serve):
    """What the caller does with its buffer afterwards does not change what is sent."""
    sent = threading.Event()

    class SendsBuffers(Recorder):
        def on_data(self, session, data):
            buffer = bytearray(b"a" * 100_000)
            session.send(buffer)
            buffer[:] = b"b" * len(buffer)
            session.send(memoryview(buffer)[:50_000])
            buffer.clear() if not sent.set() else None

    server = serve(SendsBuffers)
    with Client(server.address) as client:
        client.sendall(b"go")
        assert client.receive(150_000) == b"a" * 100_000 + b"b" * 50_000


def test_a_mutable_buffer_that_is_queued_may_change(serve):
    """The same while the client does not read, so that the bytes wait in the queue."""

    class SendsBuffers(Recorder):
        def on_data(self, session, data):
            buffer = bytearray(noise(4_000_000))
            session.send(buffer)
            buffer[:] = bytes(len(buffer))
            self.filled.set()

    SendsBuffers.filled = threading.Event()
    server = serve(SendsBuffers)
    with Client(server.address) as client:
        client.sendall(b"go")
        assert SendsBuffers.filled.wait(30)
        assert client.receive(4_000_000) == noise(4_000_000)


@pytest.mark.parametrize("wrong", ["text", 1, None, [b"a"], object()])
def test_send_takes_bytes_only(serve, wrong):
    server = serve()
    with Client(server.address) as client:
        session = server.next_session()
        with pytest.raises(TypeError):
            session.send(wrong)
        with pytest.raises(TypeError):
            session.send(b"not this either", wrong)
        with pytest.raises(TypeError):
            server.send(session.id, wrong)
        assert client.ask(b"still here") == b"still here"


def test_send_of_nothing(serve):
    server = serve()
    with Client(server.address) as client:
        session = server.next_session()
        assert session.send() is True
        assert session.send(b"") is True
        assert session.messages_sent == 0
        assert client.ask(b"x") == b"x"


def test_order_per_thread_and_session(serve):
    """Several threads send to several sessions: each session gets each thread's in order."""
    server = serve(workers=3)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(server.address)) for _ in range(4)]
        sessions = [server.next_session() for _ in clients]
        turns, threads = 300, 4

        def send(thread):
            for turn in range(turns):
                for session in sessions:
                    session.send(b"%d:%d;" % (thread, turn))

        in_threads(threads, send)
        for session in sessions:
            session.close()
        for client in clients:
            words = client.receive_all().split(b";")[:-1]
            assert len(words) == turns * threads
            by_thread = {thread: itertools.count() for thread in range(threads)}
            for word in words:
                thread, turn = map(int, word.split(b":"))
                assert turn == next(by_thread[thread])


def test_sends_to_a_client_that_left_are_not_seen_by_others(serve):
    server = serve()
    with Client(server.address) as first:
        assert first.ask(b"1") == b"1"
        old = server.next_session()
    server.next_end()
    with pytest.raises(iocpreuse.SessionClosed):
        old.send(b"for the first")
    with Client(server.address) as second:
        assert second.ask(b"2") == b"2"
        with pytest.raises(iocpreuse.SessionClosed):
            old.send(b"for the first")
        assert server.send(old.id, b"for the first") is False
        assert second.ask(b"3") == b"3"


def test_write_high_and_drain(serve):
    """send() says False above write_high; on_drain comes once the client has read."""
    drained = threading.Event()

    class Fills(Recorder):
        def on_data(self, session, data):
            while session.send(bytes(100_000)):
                self.sent = session.messages_sent
            self.full = True

        def on_drain(self, session):
            drained.set()
            session.send(b"end")
            session.close()

    server = serve(Fills, write_high=1_000_000, write_low=1000, write_limit=None)
    with Client(server.address, receive_buffer=65536) as client:
        client.sendall(b"go")
        content = client.receive_all()
    assert drained.is_set()
    assert content.endswith(b"end")
    assert not content[:-3].strip(b"\0")
    assert (len(content) - 3) % 100_000 == 0


def test_write_limit_aborts_the_session(serve):
    overflow = threading.Event()

    class Floods(Recorder):
        def on_data(self, session, data):
            try:
                while True:
                    session.send(bytes(100_000))
            except iocpreuse.WriteOverflow:
                overflow.set()

    server = serve(Floods, write_limit=2_000_000)
    with Client(server.address, receive_buffer=65536) as client:
        client.sendall(b"go")
        _, why = server.next_end()
        assert overflow.is_set()
        assert why.reason is iocpreuse.CloseReason.WRITE_OVERFLOW
        assert why.initiator == "local"
        assert why.unsent_bytes > 0
        assert was_reset(client)
    assert server.stats().send_queue_bytes == 0


def test_a_flood_of_small_sends_from_another_thread(serve):
    """They arrive whole and in order, and the other clients are served meanwhile."""
    count = 60_000
    server = serve(workers=2)
    with Client(server.address) as flooded, Client(server.address) as other:
        # The order of the two in opened is not certain.
        sessions = {
            session.peername: session for session in (server.next_session(), server.next_session())
        }
        session = sessions[flooded.getsockname()]

        def flood(number):
            if number == 0:
                for i in range(count):
                    session.send(b"%07d\n" % i)
            elif number == 1:
                assert flooded.receive(count * 8) == b"".join(b"%07d\n" % i for i in range(count))
            else:
                for i in range(200):
                    assert other.ask(b"%03d" % i) == b"%03d" % i

        in_threads(3, flood)
    assert server.errors == []
