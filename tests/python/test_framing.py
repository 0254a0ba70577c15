"""Messages are cut as a plain model in Python says, in whatever segments they come."""

import functools
import struct
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers import Client, Messages, noise

import iocpreuse
from iocpreuse import CloseReason, Framing

# The model: the whole stream at once. Each takes one message off DATA: (message, rest), or raises.


class TooLongError(Exception):
    pass


class CutOffError(Exception):
    pass


class TooShortError(Exception):
    pass


def take_line(delimiter, most, data):
    at = data.find(delimiter)
    if (at if at >= 0 else len(data) - len(delimiter) + 1) > most:
        raise TooLongError
    if at < 0:
        raise CutOffError
    return data[:at], data[at + len(delimiter) :]


def take_prefixed(size, order, most, data):
    if len(data) < size:
        raise CutOffError
    length = int.from_bytes(data[:size], order)
    if length > most:
        raise TooLongError
    if len(data) < size + length:
        raise CutOffError
    return data[size : size + length], data[size + length :]


def take_field(size, offset, order, adjust, strip, most, data):
    header = offset + size
    if len(data) < header:
        raise CutOffError
    whole = header + int.from_bytes(data[offset:header], order) + adjust
    if whole < header or whole < strip:
        raise TooShortError
    if whole - strip > most:
        raise TooLongError
    if len(data) < whole:
        raise CutOffError
    return data[strip:whole], data[whole:]


def take_fixed(length, data):
    if len(data) < length:
        raise CutOffError
    return data[:length], data[length:]


def model(take, stream):
    """The messages of a stream, and the words that its fault is told with."""
    messages = []
    try:
        while stream:
            message, stream = take(stream)
            messages.append(message)
    except TooLongError:
        return messages, "allowed"
    except CutOffError:
        return messages, "in the middle"
    except TooShortError:
        return messages, "a message that ends before its first"
    return messages, None


def field(size, offset=0, order="big", adjust=0, strip=0, most=300):
    """A framing, and the model of it."""
    framing = Framing.length_field(
        size, offset=offset, byteorder=order, adjust=adjust, strip=strip or None, max_length=most
    )
    return framing, functools.partial(take_field, size, offset, order, adjust, strip, most)


FRAMINGS = {
    "lines": (Framing.lines(max_length=40), functools.partial(take_line, b"\n", 40)),
    "crlf": (Framing.lines(b"\r\n", 300), functools.partial(take_line, b"\r\n", 300)),
    "long": (Framing.lines(b"--end--", 50), functools.partial(take_line, b"--end--", 50)),
    "prefix1": (
        Framing.length_prefix(1, max_length=200),
        functools.partial(take_prefixed, 1, "big", 200),
    ),
    "prefix2": (
        Framing.length_prefix(2, "little", 50),
        functools.partial(take_prefixed, 2, "little", 50),
    ),
    "prefix4": (Framing.length_prefix(), functools.partial(take_prefixed, 4, "big", 1 << 20)),
    "prefix8": (
        Framing.length_prefix(8, "little"),
        functools.partial(take_prefixed, 8, "little", 1 << 20),
    ),
    "field1": field(1),
    "field2": field(2, strip=2, most=50),
    "field3": field(3, 1, "little", adjust=-4),
    "field4": field(4, 2, adjust=3, strip=6, most=60),
    "field8": field(8, 0, "little", adjust=-2, strip=11),
    "fixed1": (Framing.fixed(1), functools.partial(take_fixed, 1)),
    "fixed9": (Framing.fixed(9), functools.partial(take_fixed, 9)),
}

# Letters that make delimiters and small prefixes likely, and any others.
LETTERS = st.one_of(
    st.lists(st.sampled_from(b"\0\1\2a\r\n-"), max_size=120).map(bytes),
    st.binary(max_size=120),
)


def streams(framing):
    """Streams of messages that are right, with perhaps something at the end that is not."""

    def pack(messages):
        packed = []
        for message in messages:
            try:
                packed.append(framing.pack(message))
            except (ValueError, RuntimeError):
                packed.append(message)
        return b"".join(packed)

    messages = st.lists(st.binary(max_size=60), max_size=12).map(pack)
    return st.one_of(st.tuples(messages, LETTERS).map(b"".join), messages)


def check(server, take, stream, cuts):
    """Sends STREAM in segments, and compares what the server saw with the model."""
    expected, fault = model(take, stream)
    with Client(server.address) as client:
        at = 0
        for cut in [*cuts, len(stream)]:
            try:
                client.sendall(stream[at : at + cut])
            except OSError:
                assert fault is not None  # it has refused the rest already
                break
            at += cut
        try:
            client.half_close()
        except OSError:
            assert fault is not None
        answers = client.receive_all() if fault is None else b""
        messages, why = server.next_messages()
    assert messages == expected
    if fault is None:
        assert answers == b"".join(b"+" + message[:1] for message in expected)
        assert why.reason is CloseReason.PEER_EOF
        assert why.detail is None
    else:
        assert why.reason is CloseReason.FRAME_ERROR
        assert fault in why.detail
        assert why.initiator == "local"
    assert server.errors == []


@pytest.mark.parametrize("read_size", [1, 7, 16384])
@pytest.mark.parametrize("name", FRAMINGS)
def test_any_stream_in_any_segments(serve, name, read_size):
    framing, take = FRAMINGS[name]
    server = serve(Messages, framing=framing, read_size=read_size)

    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(stream=streams(framing), cuts=st.lists(st.integers(1, 40), max_size=30))
    def run(stream, cuts):
        check(server, take, stream, cuts)

    run()


def test_one_byte_at_a_time(serve):
    server = serve(Messages, framing=Framing.lines(b"\r\n"))
    with Client(server.address) as client:
        for byte in b"one\r\n\r\ntwo\r\n":
            client.sendall(bytes([byte]))
        assert client.receive(5) == b"+o++t"
    assert server.next_messages()[0] == [b"one", b"", b"two"]


def test_a_message_of_many_receives(serve):
    framing = Framing.length_prefix(4, max_length=5_000_000)
    payload = noise(5_000_000)
    server = serve(Messages, framing=framing)
    with Client(server.address) as client:
        client.sendall(framing.pack(payload) + framing.pack(b"next"))
        assert client.receive(4) == b"+" + payload[:1] + b"+n"
        client.half_close()
        messages, why = server.next_messages()
    assert messages == [payload, b"next"]
    assert why.reason is CloseReason.PEER_EOF


def test_counts_messages(serve):
    class Counts(Messages):
        def on_data(self, session, data):
            super().on_data(session, data)
            session.state.append(session.messages_received)

    server = serve(Counts, framing=Framing.fixed(2))
    with Client(server.address) as client:
        client.sendall(b"aabbcc")
        client.receive(6)
    session, _ = server.next_end()
    assert session.state == [b"aa", 1, b"bb", 2, b"cc", 3]
    assert session.messages_received == 3
    assert session.bytes_received == 6


def test_what_came_before_the_fault_is_answered(serve):
    """Also when all of it arrives at once, and the client goes on sending."""
    server = serve(Messages, framing=Framing.length_prefix(2, max_length=10))
    with Client(server.address) as client:
        client.sendall(b"\0\3one\0\3two\xff\xffgarbage")
        assert client.receive_all() == b"+o+t"
        client.half_close()
        messages, why = server.next_messages()
    assert messages == [b"one", b"two"]
    assert why.reason is CloseReason.FRAME_ERROR
    assert why.detail == "a message of 65535 bytes, at most 10 are allowed"
    assert why.unsent_bytes == 0


def test_a_promise_of_much_takes_no_memory(serve):
    """The prefix is not believed: 200 clients that announce 1 GiB each."""
    framing = Framing.length_prefix(4, max_length=1 << 30)
    server = serve(Messages, framing=framing)
    clients = [Client(server.address) for _ in range(200)]
    for client in clients:
        client.sendall(struct.pack("!I", 1 << 30) + b"begin")
    for client in clients:
        client.half_close()
        messages, why = server.next_messages()
        assert messages == []
        assert why.detail == (
            "the client closed its side in the middle of a message (with its prefix, 9 bytes)"
        )
    for client in clients:
        client.close()


def test_a_line_without_an_end(serve):
    server = serve(Messages, framing=Framing.lines(max_length=1000))
    with Client(server.address) as client:
        client.sendall(b"short\n" + b"x" * 1001)
        assert client.receive_all() == b"+s"
    messages, why = server.next_messages()
    assert messages == [b"short"]
    assert why.detail == "1001 bytes without a delimiter, at most 1000 are allowed"


def test_pause_in_the_middle(serve):
    """No message comes while the session is paused; none is lost, and none comes twice."""
    go_on = threading.Event()

    class Pauses(Messages):
        def on_data(self, session, data):
            super().on_data(session, data)
            if data == b"b":
                session.pause_reading()
                go_on.set()

    server = serve(Pauses, framing=Framing.lines())
    with Client(server.address) as client:
        session = server.next_session()
        client.sendall(b"a\nb\nc\nd\ne")
        assert client.receive(4) == b"+a+b"
        assert go_on.wait(30)
        client.sendall(b"e\nf\n")
        client.half_close()
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert session.state == [b"a", b"b"]
        client.settimeout(30)
        session.resume_reading()
        assert client.receive_all() == b"+c+d+e+f"
    assert server.next_messages()[0] == [b"a", b"b", b"c", b"d", b"ee", b"f"]


@pytest.mark.parametrize("end", ["close", "abort", "raise"])
def test_no_message_after_the_end(serve, end):
    class Ends(Messages):
        def on_data(self, session, data):
            super().on_data(session, data)
            if data == b"b":
                if end == "raise":
                    raise ValueError("b")
                getattr(session, end)()

    server = serve(Ends, framing=Framing.lines())
    with Client(server.address) as client:
        client.sendall(b"a\nb\nc\nd\n")
        messages, why = server.next_messages()
    assert messages == [b"a", b"b"]
    expected = {
        "close": CloseReason.LOCAL_CLOSE,
        "abort": CloseReason.LOCAL_ABORT,
        "raise": CloseReason.CALLBACK_ERROR,
    }
    assert why.reason is expected[end]


def test_all_messages_of_a_segment_come_in_one_batch(serve):
    server = serve(Messages, framing=Framing.fixed(1))
    with Client(server.address) as client:
        client.ask(b"x")
        batches = server.stats().batches
        client.sendall(b"y" * 5000)
        client.receive(9999)
        # A receive or two, and the sends of the answers, which leave together.
        assert server.stats().batches - batches < 100


def test_an_on_data_that_is_not_there(serve):
    class Deaf(iocpreuse.Server):
        pass

    server = serve(Deaf, "127.0.0.1", framing=Framing.lines(max_length=10))
    with Client(server.address) as client:
        client.sendall(b"hello\nworld\n")
        client.half_close()
        assert client.receive_all() == b""


def test_a_protocol_of_headers(serve):
    """The header is kept, so that it can be read; answers have headers of their own."""
    framing = Framing.length_field(2, offset=2, adjust=-4)  # type, flags, the length of all

    class Echoes(Messages):
        def on_data(self, session, data):
            session.state.append(data)
            session.send_message(b"R" + data[1:])

    server = serve(Echoes, framing=framing)
    long = b"T" * 2 + struct.pack("!H", 5004) + noise(5000)
    stream = b"A1\0\6hi" + b"B2\0\4" + long
    with Client(server.address) as client:
        for byte in stream[:12]:
            client.sendall(bytes([byte]))
        client.sendall(stream[12:])
        assert client.receive(len(stream)) == b"R1\0\6hi" + b"R2\0\4" + b"R" + long[1:]
        client.sendall(b"C3\0\3")
        messages, why = server.next_messages()
    assert messages == [b"A1\0\6hi", b"B2\0\4", long]
    assert why.reason is CloseReason.FRAME_ERROR
    assert why.detail == "a message that ends before its first 4 bytes do: its field tells 3"


@pytest.mark.parametrize(
    ("framing", "stream", "detail"),
    [
        (
            Framing.length_field(8, adjust=2**31 - 1),
            b"\xff" * 8,
            "a message of 18446744073709551615 bytes, at most 1048576 are allowed",
        ),
        (
            Framing.length_field(4, adjust=-(2**31 - 1)),
            b"\x7f\xff\xff\xfe",
            "a message that ends before its first 4 bytes do: its field tells 2147483646",
        ),
        (
            Framing.length_field(1, strip=10),
            b"\x08",
            "a message that ends before its first 10 bytes do: its field tells 8",
        ),
        (
            Framing.length_field(3, strip=3, max_length=10),
            b"\0\0\x0b",
            "a message of 11 bytes, at most 10 are allowed",
        ),
    ],
)
def test_a_hostile_length(serve, framing, stream, detail):
    server = serve(Messages, framing=framing)
    with Client(server.address) as client:
        client.sendall(stream)
        assert client.receive_all() == b""
        messages, why = server.next_messages()
    assert messages == []
    assert why.reason is CloseReason.FRAME_ERROR
    assert why.detail == detail
