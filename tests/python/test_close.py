"""How sessions end: half-close, close, abort, reset, refusal; and what is told about it."""

import contextlib
import errno
import threading
import time

import pytest
from peers import WINDOWS, Client, Recorder, noise, tells_of_reset, wait_until, was_reset

import iocpreuse
from iocpreuse import CloseReason


def test_half_closed_client_gets_its_whole_answer(serve):
    answer = noise(5_000_000)

    class Answers(Recorder):
        def on_data(self, session, data):
            session.send(answer)

    server = serve(Answers)
    with Client(server.address) as client:
        client.sendall(b"?")
        client.half_close()
        assert client.receive_all() == answer
    session, why = server.next_end()
    assert why.reason is CloseReason.PEER_EOF
    assert why.initiator == "peer"
    assert why.error is None
    assert why.unsent_bytes == 0
    assert session.bytes_sent == len(answer)


def test_half_close_in_the_same_moment(serve):
    """The question and the FIN in one go, many times over."""
    server = serve(workers=3)
    for number in range(100):
        with Client(server.address) as client:
            message = noise(500, seed=number)
            client.sendall(message)
            client.half_close()
            assert client.receive_all() == message
        assert server.next_end()[1].reason is CloseReason.PEER_EOF


def test_close_flushes(serve):
    content = noise(5_000_000)

    class SaysGoodbye(Recorder):
        def on_data(self, session, data):
            session.send(content)
            session.close()
            assert session.is_closing()
            with pytest.raises(iocpreuse.SessionClosed):
                session.send(b"too late")
            session.close()  # has no further effect

    server = serve(SaysGoodbye)
    with Client(server.address) as client:
        client.sendall(b"?")
        assert client.receive_all() == content
    _, why = server.next_end()
    assert why.reason is CloseReason.LOCAL_CLOSE
    assert why.initiator == "local"
    assert not server.errors


def test_close_after_write_eof_waits_for_the_client_no_longer_than_close_alone(serve):
    server = serve()
    with Client(server.address) as client:
        session = server.next_session()
        session.write_eof()
        assert client.receive_all() == b""
        before = time.monotonic()
        session.close()
        assert server.next_end()[1].reason is CloseReason.LOCAL_CLOSE
        assert time.monotonic() - before < 20  # a flush might take 60 s


def test_close_from_another_thread(serve):
    server = serve()
    with Client(server.address) as client:
        session = server.next_session()
        session.send(b"bye")
        session.close()
        assert client.receive_all() == b"bye"
    assert server.next_end()[1].reason is CloseReason.LOCAL_CLOSE


def test_nothing_is_received_after_close(serve):
    class Closes(Recorder):
        received = 0

        def on_data(self, session, data):
            Closes.received += len(data)
            session.close()

    server = serve(Closes)
    with Client(server.address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b""
        with contextlib.suppress(OSError):
            client.sendall(b"more")
    server.next_end()
    assert Closes.received == 1


def test_close_of_a_client_that_never_closes_its_side(serve):
    """Our FIN has gone out; a client that ignores it does not hold the session for ever."""
    server = serve()
    with Client(server.address) as client:
        server.next_session().close()
        assert client.recv(1) == b""
        assert server.next_end()[1].reason is CloseReason.LOCAL_CLOSE


def test_abort_resets_the_peer(serve):
    server = serve()
    with Client(server.address) as client:
        session = server.next_session()
        assert client.ask(b"x") == b"x"
        session.abort()
        assert was_reset(client)
    _, why = server.next_end()
    assert why.reason is CloseReason.LOCAL_ABORT
    assert why.initiator == "local"
    with pytest.raises(iocpreuse.SessionClosed):
        session.send(b"x")
    session.abort()  # has no further effect


def test_abort_in_callbacks(serve):
    class Aborts(Recorder):
        def on_data(self, session, data):
            session.send(b"never sent")
            session.abort()

    server = serve(Aborts)
    with Client(server.address) as client:
        client.sendall(b"x")
        assert was_reset(client)
    assert server.next_end()[1].reason is CloseReason.LOCAL_ABORT


def test_abort_during_flush(serve):
    """close() waits for a client that does not read; abort() does not."""
    server = serve(write_limit=None)
    with Client(server.address, receive_buffer=65536) as client:
        session = server.next_session()
        session.send(bytes(20_000_000))
        session.close()
        session.abort()
        _, why = server.next_end()
        assert why.reason is CloseReason.LOCAL_CLOSE  # the first cause
        assert why.unsent_bytes > 0
        assert was_reset(client)


def test_reset_by_the_peer(serve):
    server = serve()
    client = Client(server.address)
    assert client.ask(b"x") == b"x"
    client.reset()
    _, why = server.next_end()
    assert tells_of_reset(why)
    assert why.initiator == "peer"
    if why.reason is CloseReason.PEER_EOF:
        return
    assert isinstance(why.error, ConnectionResetError)
    if WINDOWS:
        assert why.error.winerror == 10054
        assert why.ntstatus in (0xC000020D, 0xC000013C, 0xC000020C)
    else:
        assert why.error.errno == errno.ECONNRESET
        assert why.ntstatus is None


def test_fin_without_a_word(serve):
    server = serve()
    Client(server.address).close()
    session, why = server.next_end()
    assert why.reason is CloseReason.PEER_EOF
    assert why.error is None
    assert session.bytes_received == session.bytes_sent == 0
    assert session.is_closing()


def test_reset_while_sending(serve):
    class Floods(Recorder):
        def on_data(self, session, data):
            session.send(bytes(10_000_000))

    server = serve(Floods)
    client = Client(server.address, receive_buffer=65536)
    client.sendall(b"x")
    assert client.receive(100_000)
    client.reset()
    _, why = server.next_end()
    assert why.reason in (CloseReason.PEER_RESET, CloseReason.NETWORK)
    assert why.unsent_bytes > 0
    assert why.error is not None


def test_write_eof_leaves_reading_open(serve):
    received = threading.Event()

    class SpeaksFirst(Recorder):
        def on_connect(self, session):
            super().on_connect(session)
            session.send(b"I am done")
            session.write_eof()

        def on_data(self, session, data):
            with pytest.raises(RuntimeError):
                session.send(b"x")
            session.state = (session.state or b"") + data
            if session.state == b"I am not":
                received.set()

    server = serve(SpeaksFirst)
    with Client(server.address) as client:
        assert client.receive_all() == b"I am done"
        client.sendall(b"I am ")
        client.sendall(b"not")
        assert received.wait(30)
    _, why = server.next_end()
    assert why.reason is CloseReason.PEER_EOF
    assert not server.errors


def test_write_eof_twice_and_after_the_end(serve):
    server = serve()
    with Client(server.address) as client:
        session = server.next_session()
        session.write_eof()
        session.write_eof()
        assert client.receive_all() == b""
    server.next_end()
    session.write_eof()


def test_on_eof_true_keeps_our_side_open(serve):
    eof = threading.Event()

    class Keeps(Recorder):
        def on_eof(self, session):
            eof.set()
            return True

    server = serve(Keeps)
    with Client(server.address) as client:
        session = server.next_session()
        client.half_close()
        assert eof.wait(30)
        for number in range(3):
            session.send(b"%d" % number)
        assert client.receive(3) == b"012"
        assert not session.is_closing()
        session.send(b"end")
        session.close()
        assert client.receive_all() == b"end"
    _, why = server.next_end()
    assert why.reason in (CloseReason.PEER_EOF, CloseReason.LOCAL_CLOSE)


@pytest.mark.parametrize("answer", [None, False])
def test_on_eof_otherwise_closes(serve, answer):
    class Closes(Recorder):
        def on_eof(self, session):
            session.send(b"last word")
            return answer

    server = serve(Closes)
    with Client(server.address) as client:
        client.half_close()
        assert client.receive_all() == b"last word"
    assert server.next_end()[1].reason is CloseReason.PEER_EOF


def test_on_connect_false_refuses(serve):
    class Refuses(Recorder):
        def on_connect(self, session):
            super().on_connect(session)
            session.send(b"not you")
            return False

        def on_data(self, session, data):
            raise AssertionError("data from a client that was refused")

    server = serve(Refuses)
    with Client(server.address) as client:
        with contextlib.suppress(OSError):
            client.sendall(b"hello")
        assert client.is_ended() in ("fin", "reset")
    _, why = server.next_end()
    assert why.reason is CloseReason.REFUSED
    assert why.initiator == "local"
    assert not server.errors


def test_max_connections(serve, stack):
    server = serve(max_connections=3)
    clients = [stack.enter_context(Client(server.address)) for _ in range(3)]
    for client in clients:
        assert client.ask(b"in") == b"in"
    with Client(server.address) as fourth:
        assert fourth.is_ended() in ("fin", "reset")
    assert server.stats().connections_total == 3
    clients[0].close()
    server.next_end()
    wait_until(lambda: server.stats().connections_active == 2)
    with Client(server.address) as fifth:
        assert fifth.ask(b"in") == b"in"


def test_counters_stay_after_the_end(serve):
    server = serve()
    with Client(server.address) as client:
        assert client.ask(b"12345") == b"12345"
        session = server.next_session()
        assert session.peername == client.getsockname()
        assert session.sockname == client.getpeername()
        assert session.get_extra_info("peername") == session.peername
        assert session.get_extra_info("sockname") == session.sockname
        assert session.get_extra_info("no such thing") is None
        assert session.get_extra_info("no such thing", 7) == 7
        assert server.get(session.id) is session
        assert server.sessions[session.id] is session
        peer = client.getsockname()
    server.next_end()
    assert server.get(session.id) is None
    assert session.id not in server.sessions
    assert session.is_closing()
    assert session.peername == peer
    assert (session.bytes_received, session.bytes_sent) == (5, 5)
    assert (session.messages_received, session.messages_sent) == (1, 1)


def test_session_state_is_the_applications_own(serve):
    server = serve()
    with Client(server.address):
        session = server.next_session()
        assert session.state is None
        session.state = {"any": "thing"}
        assert session.state == {"any": "thing"}
        with pytest.raises(AttributeError):
            session.no_such_attribute = 1
        with pytest.raises((AttributeError, TypeError)):
            session.id = 5
    with pytest.raises(TypeError):
        iocpreuse.Session()
