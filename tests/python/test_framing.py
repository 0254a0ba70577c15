"""Messages are cut as a plain model in Python says, in whatever segments they come."""

import copy
import functools
import pickle
import re
import struct
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers import Client, Recorder, noise

import iocpreuse
from iocpreuse import CloseReason, Framing


class Messages(Recorder):
    """Writes down the messages of each client, and answers each."""

    def on_connect(self, session):
        session.state = []
        super().on_connect(session)

    def on_data(self, session, data):
        session.state.append(data)
        session.send(b"+" + data[:1])

    def next_messages(self):
        """What the next client that ends has said, and why it ended."""
        session, why = self.next_end()
        return session.state, why


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


# The class itself.


@pytest.mark.parametrize(
    ("framing", "message", "wire"),
    [
        (Framing.lines(), b"hello", b"hello\n"),
        (Framing.lines(b"\r\n"), b"", b"\r\n"),
        (Framing.length_prefix(), b"hello", b"\0\0\0\5hello"),
        (Framing.length_prefix(2, "little"), b"hi", b"\2\0hi"),
        (Framing.length_prefix(8), b"", b"\0" * 8),
        (Framing.fixed(3), b"abc", b"abc"),
        (Framing.lines(), bytearray(b"copy"), b"copy\n"),
        (Framing.length_prefix(1), memoryview(b"view"), b"\4view"),
        (Framing.fixed(2), memoryview(b"ab"), b"ab"),
        (Framing.length_field(), b"\0\3abc", b"\0\3abc"),
        (Framing.length_field(1, offset=2, adjust=-3), b"xy\4z", b"xy\4z"),
        (Framing.length_field(4, adjust=1, byteorder="little"), b"\1\0\0\0ab", b"\1\0\0\0ab"),
        (Framing.length_field(2, strip=2), b"hello", b"\0\5hello"),
        (Framing.length_field(3, strip=3, byteorder="little"), b"hi", b"\2\0\0hi"),
        (Framing.length_field(2, strip=2, adjust=-2), b"all", b"\0\5all"),
        (Framing.length_field(1, strip=1, adjust=4), b"flagbody!", b"\5flagbody!"),
    ],
)
def test_pack(framing, message, wire):
    packed = framing.pack(message)
    assert type(packed) is bytes
    assert packed == wire


@pytest.mark.parametrize(
    ("framing", "message", "text"),
    [
        (Framing.lines(), b"a\nb", r"has the delimiter b'\n' in it, at 1"),
        (Framing.lines(b"aa"), b"xa", "in it, at 1"),
        (Framing.lines(max_length=3), b"abcd", "at most 3 bytes, not 4"),
        (Framing.length_prefix(1), b"x" * 256, "at most 255 bytes, not 256"),
        (Framing.length_prefix(4, max_length=10), b"x" * 11, "at most 10 bytes, not 11"),
        (Framing.fixed(3), b"ab", "must have 3 bytes, not 2"),
        (Framing.length_field(2, offset=3), b"abcd", "its header of 5 bytes, and has 4"),
        (Framing.length_field(), b"\0\3ab", "has 4 bytes, and the field in its header, 3, tells"),
        (Framing.length_field(8), b"\xff" * 8, "has 8 bytes, and the field in its header, 1844"),
        (Framing.length_field(max_length=3), b"\0\2ab", "at most 3 bytes, not 4"),
        (
            Framing.length_field(1, strip=1),
            b"x" * 256,
            "a field of 1 bytes could tell: it would be",
        ),
        (Framing.length_field(1, strip=1, adjust=4), b"abc", "it would be -1"),
    ],
)
def test_pack_refuses(framing, message, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        framing.pack(message)


@pytest.mark.parametrize(
    "framing",
    [
        Framing.length_field(2, offset=1, strip=3),
        Framing.length_field(2, strip=1),
        Framing.length_field(2, strip=3),
        Framing.length_field(2, offset=4, strip=2),
    ],
)
def test_nobody_knows_what_was_stripped(framing):
    with pytest.raises(RuntimeError, match=r"which \d bytes strip has taken off"):
        framing.pack(b"message")


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


@pytest.mark.parametrize(
    "framing",
    [
        Framing.lines(),
        Framing.length_prefix(),
        Framing.fixed(1),
        Framing.length_field(),
        Framing.length_field(strip=2),
    ],
)
@pytest.mark.parametrize("message", ["text", 5, None])
def test_pack_wants_bytes(framing, message):
    with pytest.raises(TypeError, match="bytes-like"):
        framing.pack(message)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: Framing.lines("\n"), TypeError, "delimiter must be bytes, 1 to 16 of them, not"),
        (lambda: Framing.lines(b""), ValueError, "delimiter must be bytes, 1 to 16 of them"),
        (lambda: Framing.lines(b"x" * 17), ValueError, "1 to 16"),
        (lambda: Framing.lines(max_length=0), ValueError, "max_length must be an integer from 1"),
        (lambda: Framing.lines(max_length=1.5), TypeError, "not 1.5 (float)"),
        (lambda: Framing.length_prefix(3), ValueError, "size must be 1, 2, 4 or 8, not 3"),
        (lambda: Framing.length_prefix("4"), TypeError, "size must be 1, 2, 4 or 8, not '4' (str)"),
        (lambda: Framing.length_prefix(True), TypeError, "bool"),
        (lambda: Framing.length_prefix(4, "network"), ValueError, "'big' or 'little'"),
        (lambda: Framing.length_prefix(max_length=2**31), ValueError, "2147483647"),
        (lambda: Framing.length_field(5), ValueError, "size must be 1, 2, 3, 4 or 8, not 5"),
        (
            lambda: Framing.length_field(2, offset=-1),
            ValueError,
            "offset must be an integer from 0",
        ),
        (lambda: Framing.length_field(2, offset=65537), ValueError, "to 65536, not 65537"),
        (lambda: Framing.length_field(2, offset=None), TypeError, "offset must be an integer"),
        (lambda: Framing.length_field(2, strip=-1), ValueError, "strip must be an integer from 0"),
        (lambda: Framing.length_field(2, strip=b""), TypeError, "strip must be an integer from 0"),
        (lambda: Framing.length_field(2, adjust=2**31), ValueError, "adjust must be an integer"),
        (lambda: Framing.length_field(2, adjust=0.5), TypeError, "not 0.5 (float)"),
        (lambda: Framing.length_field(2, byteorder=0), ValueError, "'big' or 'little'"),
        (lambda: Framing.length_field(max_length=0), ValueError, "max_length must be"),
        (lambda: Framing.fixed(0), ValueError, "length must be an integer from 1"),
        (lambda: Framing.fixed(b"1"), TypeError, "length must be"),
        (lambda: iocpreuse.Server(framing="lines"), TypeError, "framing must be Framing.lines("),
        (lambda: iocpreuse.Server(framing=Framing), TypeError, "or None, not"),
    ],
)
def test_wrong(make, kind, text):
    with pytest.raises(kind) as caught:
        make()
    assert text in str(caught.value)


def test_constant_and_copied():
    for framing in (
        Framing.lines(),
        Framing.length_prefix(8, "little", 9),
        Framing.length_field(1, adjust=-1, strip=1),
        Framing.fixed(3),
    ):
        with pytest.raises(AttributeError, match="cannot be changed"):
            framing._length = 5
        assert pickle.loads(pickle.dumps(framing)) == framing
        assert copy.deepcopy(framing) == framing
        assert copy.copy(framing).pack(b"abc") == framing.pack(b"abc")
    assert Framing.fixed(3) != Framing.fixed(4)
    assert Framing.fixed(3) != "fixed"


@pytest.mark.parametrize("arguments", [(0, 1, 0, 0, b"", 1), (9, 1, 0, 0, b"", 1)])
def test_made_by_its_methods_only(arguments):
    with pytest.raises(ValueError, match=r"made by Framing\.lines"):
        Framing(*arguments)


def test_repr_is_the_call():
    for framing in (
        Framing.lines(b"\r\n", 5),
        Framing.length_prefix(2, "little"),
        Framing.length_field(),
        Framing.length_field(3, offset=5, byteorder="little", adjust=-8, strip=4, max_length=70),
        Framing.fixed(7),
    ):
        assert eval(repr(framing)) == framing
        assert hash(eval(repr(framing))) == hash(framing)
