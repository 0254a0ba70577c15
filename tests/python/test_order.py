"""Ends in order: what was sent arrives, also at a client that keeps sending; for how long; and
what came is told, also when nothing can be answered any more."""

import contextlib
import socket
import threading
import time

import pytest
from peers import Client, Recorder, noise, wait_until

import iocpreuse
from iocpreuse import CloseReason

LINUX = hasattr(socket, "SO_DOMAIN")  # acknowledgements are told here; under Wine they are not
BODY = noise(3_000_000)


def read_slowly(client, rate, says=b".", every=0.1):
    """Reads to the end at RATE bytes/s, and SAYS something now and then."""
    received = bytearray()
    began = said = time.monotonic()
    while data := client.recv(16384):
        received += data
        now = time.monotonic()
        if says and now - said > every:
            said = now
            client.sendall(says)
        ahead = len(received) / rate - (now - began)
        if ahead > 0:
            time.sleep(ahead)
    return bytes(received)


class Ends(Recorder):
    """Answers, and ends in a way that the client names."""

    def on_connect(self, session):
        super().on_connect(session)
        if self.refuses:
            session.send(BODY)
            return False
        return None

    def on_data(self, session, data):
        if session.state is None:
            session.state = data
            session.send(BODY)
            if data == b"close":
                session.close()
            elif data == b"replaced":
                session.login("name", conflict="replace")

    refuses = False


class Refuses(Ends):
    """Ends before it begins."""

    refuses = True


@pytest.mark.parametrize("way", ["close", "refuse", "stop", "login_timeout", "replaced"])
def test_what_was_sent_reaches_a_slow_client_that_keeps_sending(serve, stack, way):
    options = {"login_timeout": 0.3} if way == "login_timeout" else {}
    server = serve(Refuses if way == "refuse" else Ends, write_high=1 << 23, **options)
    client = stack.enter_context(Client(server.address, receive_buffer=65536))
    client.sendall(way.encode())
    stops = threading.Thread(target=server.stop, kwargs={"drain": 30})
    if way == "stop":
        session = server.next_session()
        wait_until(lambda: session.state is not None)
        stops.start()
    elif way == "replaced":
        wait_until(lambda: server.stats().bytes_sent > 0)
        heir = stack.enter_context(Client(server.address))
        heir.sendall(b"replaced")
    assert read_slowly(client, 1.2e6) == BODY
    client.close()
    reasons = {
        "close": CloseReason.LOCAL_CLOSE,
        "refuse": CloseReason.REFUSED,
        "stop": CloseReason.SHUTDOWN,
        "login_timeout": CloseReason.LOGIN_TIMEOUT,
        "replaced": CloseReason.REPLACED,
    }
    session, why = server.next_end()
    assert why.reason is reasons[way]
    assert (why.unsent_bytes, why.error) == (0, None)
    assert not server.errors
    if way == "stop":
        stops.join(30)
        assert not stops.is_alive()


def test_a_client_that_is_deaf_is_left_after_linger_and_what_it_lacks_counts(serve):
    """The stack has taken all of it: only what the client's TCP acknowledges tells."""

    class Says(Recorder):
        def on_connect(self, session):
            super().on_connect(session)
            session.send(bytes(200_000))
            session.close()

    server = serve(Says, linger=1.0)
    with Client(server.address, receive_buffer=4096) as client:
        before = time.monotonic()
        session, why = server.next_end()
        assert time.monotonic() - before >= 1.0
        assert why.reason is CloseReason.LOCAL_CLOSE
        if LINUX:
            assert session.bytes_sent == 200_000
            assert 100_000 < why.unsent_bytes < 200_000
            # It is cut, and must not look whole. on_disconnect comes before the reset: a client
            # that reads in between makes room for the rest.
            client.wait_for_reset()
            with pytest.raises(ConnectionResetError):
                client.receive_all()


def test_a_trickle_is_bounded_in_all(serve):
    """A client that takes a little now and then has ten times linger."""

    class Says(Recorder):
        def on_connect(self, session):
            super().on_connect(session)
            session.send(bytes(8 << 20))
            session.close()

    server = serve(Says, linger=0.25)
    before = time.monotonic()
    with Client(server.address, receive_buffer=4096) as client, contextlib.suppress(OSError):
        while time.monotonic() - before < 20:
            if not client.recv(16384):
                break
            time.sleep(0.05)
    took = time.monotonic() - before
    assert took < 20
    if LINUX:  # else a little is no progress that anybody sees
        assert took >= 2.5
    why = server.next_end()[1]
    assert why.reason is CloseReason.LOCAL_CLOSE
    assert why.unsent_bytes > 0


def test_a_client_that_never_stops_sending_is_left_after_linger(serve):
    server = serve(linger=0.5)
    with Client(server.address) as client:
        session = server.next_session()
        session.close()
        assert client.recv(1) == b""
        before = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - before < 20:
                client.sendall(bytes(1000))
                time.sleep(0.01)
        assert 0.3 < time.monotonic() - before < 10
    assert server.next_end()[1].reason is CloseReason.LOCAL_CLOSE


def test_a_stop_does_not_wait_for_quiet_clients(serve, stack):
    server = serve(drain_timeout=60)
    clients = [stack.enter_context(Client(server.address)) for _ in range(5)]
    for client in clients:
        assert client.ask(b"x") == b"x"
    before = time.monotonic()
    server.stop()
    assert time.monotonic() - before < 10


@pytest.mark.skipif(not LINUX, reason="elsewhere a reset throws away what was received")
@pytest.mark.parametrize("framing", [iocpreuse.Framing.fixed(1000), None])
def test_what_was_received_is_told_although_the_answer_cannot_be_sent(serve, framing):
    total = 20_000
    resets = threading.Event()

    class Slow(Recorder):
        def on_data(self, session, data):
            session.state = (session.state or 0) + len(data)
            resets.wait(30)
            session.send(b"answer")
            time.sleep(0.02)

    server = serve(Slow, framing=framing, read_size=4000)
    with Client(server.address) as client:
        client.sendall(bytes(total))
    resets.set()
    session, why = server.next_end()
    assert session.state == total
    assert why.reason in (CloseReason.PEER_RESET, CloseReason.PEER_EOF)
    if why.reason is CloseReason.PEER_RESET:
        assert isinstance(why.error, ConnectionError)
    assert not server.errors


@pytest.mark.skipif(not LINUX, reason="the reset is there at once over its loopback alone")
def test_a_reset_that_our_fin_finds_has_its_error(serve):
    class Pauses(Recorder):
        def on_connect(self, session):
            session.pause_reading()
            super().on_connect(session)

    server = serve(Pauses)
    client = Client(server.address)
    session = server.next_session()
    client.reset()
    session.write_eof()
    why = server.next_end()[1]
    assert why.reason is CloseReason.PEER_RESET
    assert isinstance(why.error, ConnectionResetError)
