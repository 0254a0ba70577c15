"""TLS, in each of the two ways in which it is done."""

import gc
import socket
import ssl
import threading
import weakref

import pytest
from peers import DEADLINE_SECONDS, Client, Recorder, in_threads, noise, wait_until
from secure import BioClient, TlsClient, TlsRecorder, client_context, server_context

import iocpreuse
from iocpreuse import CloseReason
from iocpreuse.tls import why_not_native

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def test_native_is_proven_here():
    """On every interpreter that these tests run on: else all the others would prove less."""
    assert why_not_native() is None


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_echo(serve_tls, version):
    server = serve_tls()
    with TlsClient(server.address, client_context(version)) as client:
        assert client.ask(b"hello") == b"hello"
        session = server.next_session()
        assert session.ssl_object.version() == client.tls.version()
        assert session.get_extra_info("cipher") == client.tls.cipher()
        assert session.get_extra_info("ssl_object") is session.ssl_object
        assert session.get_extra_info("sslcontext") is session.ssl_object.context
        assert session.get_extra_info("compression", "x") is None
        assert session.get_extra_info("peercert") is None
        assert session.bytes_received == session.bytes_sent == 5
        for number in range(6):
            data = noise(50_000, number)
            assert client.ask(data) == data
        client.say_goodbye()
    ended, why = server.next_end()
    assert ended is session
    assert why.reason is CloseReason.PEER_EOF
    assert session.ssl_object.cipher() is not None  # it can be looked at afterwards
    assert server.stats().handshakes == 1
    assert not server.failed
    assert not server.errors


def test_plain_has_none(serve):
    server = serve()
    assert server.tls == "off"
    with Client(server.address) as client:
        assert client.ask(b"x") == b"x"
        session = server.next_session()
        assert session.ssl_object is None
        assert session.get_extra_info("cipher", "none") == "none"


class Greeter(TlsRecorder):
    """Says much, and closes."""

    size = 2_000_000

    def on_data(self, session, data):
        session.send(noise(self.size))
        session.close()


def test_close_in_order(serve_tls):
    server = serve_tls(Greeter, write_limit=None)
    with TlsClient(server.address) as client:
        client.send(b"go")
        assert client.receive_all() == noise(Greeter.size)  # and a goodbye: else it would raise
        client.say_goodbye()
    _, why = server.next_end()
    assert (why.reason, why.unsent_bytes) == (CloseReason.LOCAL_CLOSE, 0)


def test_what_comes_after_our_goodbye_is_thrown_away(serve_tls):
    server = serve_tls(Greeter)
    with TlsClient(server.address) as client:
        client.send(b"go")
        for _ in range(50):
            client.send(b"more and more")
        assert client.receive_all() == noise(Greeter.size)
    _, why = server.next_end()
    assert why.reason is CloseReason.LOCAL_CLOSE
    assert not server.errors


def test_truncation_is_told(serve_tls):
    server = serve_tls()
    with TlsClient(server.address) as client:
        assert client.ask(b"x") == b"x"
        client.cut()
        assert client.receive_all() == b""
    session, why = server.next_end()
    assert (why.reason, why.initiator) == (CloseReason.TRUNCATED, "peer")
    assert session.messages_received == 1


class Keeper(TlsRecorder):
    """Goes on when its client has said goodbye."""

    def on_eof(self, session):
        session.send(b"one more thing")
        session.close()
        return True


def test_half_close(serve_tls):
    server = serve_tls(Keeper)
    with BioClient(server.address, client_context(V13)) as client:
        assert client.ask(b"x") == b"x"
        client.say_goodbye()
        # The ssl module reads nothing after its own goodbye: records and a goodbye are counted.
        assert len(client.raw.receive_all()) == 5 + 14 + 17 + 5 + 2 + 17
    _, why = server.next_end()
    assert why.reason is CloseReason.LOCAL_CLOSE


class Hearer(TlsRecorder):
    """Sends no more after its first answer, and goes on to listen."""

    def on_data(self, session, data):
        self.heard = getattr(self, "heard", b"") + data
        if data == b"first":
            session.send(b"the only answer")
            session.write_eof()


def test_write_eof(serve_tls):
    server = serve_tls(Hearer)
    with TlsClient(server.address, client_context(V13)) as client:
        client.send(b"first")
        assert client.receive_all() == b"the only answer"
        client.send(b" second")
        client.say_goodbye()
    _, why = server.next_end()
    assert why.reason is CloseReason.PEER_EOF
    assert server.heard == b"first second"


def test_a_record_that_is_wrong(serve_tls):
    server = serve_tls()
    with TlsClient(server.address) as client:
        assert client.ask(b"good") == b"good"
        socket.socket.send(client.tls, b"\x17\x03\x03\x00\x20" + noise(32))
        with pytest.raises(ssl.SSLError):
            client.receive_all()
    session, why = server.next_end()
    assert why.reason is CloseReason.TLS_ERROR
    said = ("decryption failed", "bad record mac", "record layer failure")  # by OpenSSL's version
    assert any(each in why.detail for each in said)
    assert session.messages_received == 1


def test_broadcasts_and_other_threads(serve_tls):
    server = serve_tls()
    clients = [TlsClient(server.address) for _ in range(10)]
    wait_until(lambda: len(server.sessions) == 10)
    for number in range(50):
        assert server.broadcast(b"%4d" % number) == 10
    expected = b"".join(b"%4d" % number for number in range(50))
    for client in clients:
        assert client.receive(len(expected)) == expected
    session = next(iter(server.sessions.values()))
    data = noise(500_000)
    in_threads(1, lambda _: [session.send(data[at : at + 999]) for at in range(0, len(data), 999)])
    received = [client for client in clients if client.tls.getsockname() == session.peername]
    assert received[0].receive(len(data)) == data
    for client in clients:
        client.close()


class Bearer(TlsRecorder):
    """Sends what nobody takes, and keeps what is left of it."""

    def on_connect(self, session):
        super().on_connect(session)
        session.begin(tag="job")

    def on_data(self, session, data):
        for number in range(400):
            session.send(b"%4d" % number + b"." * 9996)

    def on_abort(self, session, lost):
        self.lost = lost


def test_what_a_client_does_not_take_is_told(serve_tls):
    server = serve_tls(Bearer)
    client = TlsClient(server.address, raw=Client(server.address, receive_buffer=4096))
    client.send(b"go")
    session = server.next_session()
    wait_until(lambda: session.bytes_sent > 0 and server.stats().send_queue_bytes > 0)
    client.raw_reset()
    _, why = server.next_end()
    assert why.reason is CloseReason.PEER_RESET
    assert why.unsent_bytes > 0
    lost = server.lost
    assert [pending.tag for pending in lost.pending] == ["job"]
    numbers = [int(message[:4]) for message in lost.unsent]
    assert numbers == list(range(400 - len(numbers), 400))
    assert all(len(message) == 10_000 for message in lost.unsent)
    taken = session.bytes_sent
    assert taken <= 4_000_000 - 10_000 * len(numbers) <= taken + 66_000 + 10_000


def test_stop_says_goodbye(serve_tls):
    server = serve_tls()
    with TlsClient(server.address) as client:
        assert client.ask(b"x") == b"x"
        with Client(server.address) as silent:
            wait_until(lambda: server.stats().connections_active == 2)
            stopper = threading.Thread(target=server.stop)
            stopper.start()
            assert client.receive_all() == b""
            client.close()
            assert silent.is_ended() == "fin"
        stopper.join(DEADLINE_SECONDS)
    assert server.stats().closed_by_reason == {CloseReason.SHUTDOWN: 2}


def test_abort(serve_tls):
    server = serve_tls()
    with TlsClient(server.address) as client:
        assert client.ask(b"x") == b"x"
        server.next_session().abort()
        with pytest.raises(OSError):  # noqa: PT011 - a reset, or an end without a goodbye
            client.receive_all()
    _, why = server.next_end()
    assert why.reason is CloseReason.LOCAL_ABORT


def test_framing_and_pauses(serve_tls):
    lines = []

    class Lines(TlsRecorder):
        def on_data(self, session, data):
            lines.append(data)
            if data == b"pause":
                session.pause_reading()
                threading.Timer(0.01, session.resume_reading).start()

    server = serve_tls(Lines, framing=iocpreuse.Framing.lines())
    with TlsClient(server.address) as client:
        for _ in range(3):
            client.send(b"a\nb\npause\nc\n" * 4)
        client.say_goodbye()
        server.next_end()
    assert lines == [b"a", b"b", b"pause", b"c"] * 12


def test_nothing_is_kept(serve_tls):
    server = serve_tls()
    with TlsClient(server.address) as client:
        assert client.ask(b"x") == b"x"
        session = server.next_session()
        seen = weakref.ref(session.ssl_object)
        del session
    server.next_end()
    wait_until(lambda: gc.collect() is not None and seen() is None, "the SSLObject's end")


def test_an_object_that_is_looked_at_too_late(serve_tls):
    server = serve_tls()
    with TlsClient(server.address) as client:
        assert client.ask(b"x") == b"x"
        tls = server.next_session().ssl_object
    server.next_end()
    with pytest.raises((ssl.SSLError, ValueError)):
        tls.read(1)
    with pytest.raises((ssl.SSLError, ValueError)):
        tls.write(b"x")


def test_contexts_that_are_none():
    with pytest.raises(TypeError, match=r"ssl must be an ssl\.SSLContext of a server, or None"):
        Recorder(ssl="cert.pem")
    with pytest.raises(ValueError, match="not one of a client"):
        Recorder(ssl=ssl.create_default_context())
    with pytest.raises(ValueError, match="ssl_handshake_timeout must be"):
        Recorder(ssl=server_context(), ssl_handshake_timeout=0)
    with pytest.raises(ValueError, match="max_handshakes must be"):
        Recorder(ssl=server_context(), max_handshakes=0)


def test_a_way_that_there_is_not(monkeypatch):
    monkeypatch.setenv("IOCPREUSE_TLS", "sideways")
    with pytest.raises(ValueError, match="IOCPREUSE_TLS must be native, fallback or nothing"):
        Recorder(ssl=server_context())


def test_native_that_is_not_proven(monkeypatch):
    monkeypatch.setattr("iocpreuse.tls.why_not_native", lambda: "it is Tuesday")
    monkeypatch.setenv("IOCPREUSE_TLS", "native")
    with pytest.raises(RuntimeError, match="cannot do that: it is Tuesday"):
        Recorder(ssl=server_context())
    monkeypatch.delenv("IOCPREUSE_TLS")
    assert Recorder(ssl=server_context()).tls == "fallback"
