"""send_message: a message goes out with the delimiter or prefix of the server's framing."""

import re
import threading

import pytest
from peers import Client, Recorder

from iocpreuse import CloseReason, Framing, SessionClosed, StaleSession, WriteOverflow

KINDS = (bytes, bytearray, memoryview)
# Where one of up to 1 KiB is packed on its way, and a longer one is sent from where it is.
LENGTHS = (0, 1, 64, 1023, 1024, 1025, 70_000)


class Quiet(Recorder):
    """Says nothing by itself."""

    def on_data(self, session, data):
        pass


@pytest.mark.parametrize(
    "framing",
    [
        Framing.lines(b"\r\n", max_length=1 << 20),
        Framing.lines(b"x" * 16, max_length=1 << 20),
        Framing.length_prefix(),
        Framing.length_prefix(8, "little"),
        Framing.length_field(3, strip=3, adjust=-3),
    ],
    ids=repr,
)
@pytest.mark.parametrize("kind", KINDS)
def test_as_pack_has_it(serve, framing, kind):
    server = serve(Quiet, framing=framing)
    with Client(server.address) as client:
        session = server.next_session()
        for number, length in enumerate(LENGTHS):
            message = (b"message%d" % number * length)[:length]
            sent = session.messages_sent
            session.send_message(kind(message))
            assert server.send_message(session.id, kind(message)) is True
            wire = framing.pack(message) * 2
            assert client.receive(len(wire)) == wire
            assert session.messages_sent == sent + 2
    server.next_end()


@pytest.mark.parametrize("length", LENGTHS[1:])
def test_fixed(serve, length):
    server = serve(Quiet, framing=Framing.fixed(length))
    with Client(server.address) as client:
        session = server.next_session()
        for kind in KINDS:
            session.send_message(kind(b"y" * length))
            assert client.receive(length) == b"y" * length
    server.next_end()


@pytest.mark.parametrize(
    ("framing", "message", "text"),
    [
        (Framing.lines(), b"a\nb", "has the delimiter b'\\n' in it, at 1"),
        (Framing.lines(), b"a" * 2000 + b"\nb", "has the delimiter b'\\n' in it, at 2000"),
        (Framing.lines(b"aa"), b"xa", "in it, at 1"),
        (Framing.lines(max_length=3), b"abcd", "at most 3 bytes, not 4"),
        (Framing.length_prefix(1), b"x" * 256, "at most 255 bytes, not 256"),
        (Framing.length_prefix(2), bytearray(65536), "at most 65535 bytes, not 65536"),
        (Framing.fixed(3), b"ab", "must have 3 bytes, not 2"),
        (Framing.fixed(3), b"ab" * 1000, "must have 3 bytes, not 2000"),
    ],
)
def test_refused_and_nothing_is_sent(serve, framing, message, text):
    server = serve(Quiet, framing=framing)
    with Client(server.address) as client:
        session = server.next_session()
        with pytest.raises(ValueError, match=re.escape(text)):
            session.send_message(message)
        with pytest.raises(ValueError, match=re.escape(text)):
            server.send_message(session.id, message)
        assert session.messages_sent == 0
        session.close()
        assert client.receive_all() == b""
    server.next_end()


@pytest.mark.parametrize("message", ["text", 5, None])
def test_wants_bytes(serve, message):
    server = serve(Quiet, framing=Framing.lines())
    with Client(server.address):
        session = server.next_session()
        with pytest.raises(TypeError, match="bytes-like"):
            session.send_message(message)
        with pytest.raises(TypeError, match="bytes-like"):
            server.send_message(session.id, message)
        with pytest.raises(TypeError):
            session.send_message(b"one", b"two")
        with pytest.raises(TypeError, match="int"):
            server.send_message(session, b"one")
    server.next_end()


def test_without_framing(serve):
    server = serve(Quiet)
    with Client(server.address):
        session = server.next_session()
        for send in (session.send_message, lambda data: server.send_message(session.id, data)):
            with pytest.raises(RuntimeError, match=r"needs a framing.*use send"):
                send(b"x")
    server.next_end()


def test_of_one_that_is_over(serve):
    server = serve(Quiet, framing=Framing.lines())
    with Client(server.address) as client:
        session = server.next_session()
        session.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            session.send_message(b"x")
        with pytest.raises(RuntimeError, match="after write_eof"):
            server.send_message(session.id, b"x")
        assert client.receive_all() == b""
    server.next_end()
    with pytest.raises((SessionClosed, StaleSession)):
        session.send_message(b"x")
    assert server.send_message(session.id, b"x") is False


@pytest.mark.parametrize("size", [1000, 100_000])
def test_flow(serve, size):
    """False above write_high, WriteOverflow beyond write_limit, as send has it."""
    limit = 64 * size
    options = {"write_low": 0, "write_high": 2 * size, "write_limit": limit}
    server = serve(Quiet, framing=Framing.length_prefix(max_length=1 << 20), **options)
    with Client(server.address, receive_buffer=4096):
        session = server.next_session()
        told = set()

        def fill():
            for _ in range(100_000):
                told.add(session.send_message(b"z" * size))

        with pytest.raises(WriteOverflow):
            fill()
        assert told == {True, False}
        _, why = server.next_end()
        assert why.reason is CloseReason.WRITE_OVERFLOW


def test_from_many_threads(serve):
    """Whole messages, whoever else sends."""
    framing = Framing.length_prefix(2)
    server = serve(Quiet, framing=framing)
    turns = 200

    def talk(number, session):
        for turn in range(turns):
            length = 1 + (turn * 37 + number) % 3000
            session.send_message(bytes([number]) * length)

    with Client(server.address) as client:
        session = server.next_session()
        threads = [threading.Thread(target=talk, args=(n, session)) for n in range(4)]
        for thread in threads:
            thread.start()
        seen = [0] * 4
        for _ in range(4 * turns):
            length = int.from_bytes(client.receive(2), "big")
            message = client.receive(length)
            number = message[0]
            assert message == bytes([number]) * length
            assert length == 1 + (seen[number] * 37 + number) % 3000
            seen[number] += 1
        for thread in threads:
            thread.join()
        assert seen == [turns] * 4
    server.next_end()
