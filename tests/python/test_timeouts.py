"""Timeouts: first byte, login, idle, drain. Never early, and late by 10 % or 50 ms at most.

How late they may be is asserted where little else can be late: in C and in the simulator, and
once here. The other tests here say what ends, why, and that it did not end early."""

import socket
import threading
import time

import pytest
from peers import DEADLINE_SECONDS, Client, Recorder, wait_until

from iocpreuse import CloseReason, Framing

LINUX = hasattr(socket, "SO_DOMAIN")

REASONS = {
    "first_byte_timeout": CloseReason.FIRST_BYTE_TIMEOUT,
    "login_timeout": CloseReason.LOGIN_TIMEOUT,
    "idle_timeout": CloseReason.IDLE_TIMEOUT,
}


class Clocked(Recorder):
    """Notes when sessions begin and end."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.began_at = {}
        self.ended_at = {}

    def on_connect(self, session):
        self.began_at[session] = time.monotonic()
        super().on_connect(session)

    def on_disconnect(self, session, why):
        self.ended_at[session] = time.monotonic()
        super().on_disconnect(session, why)


@pytest.mark.parametrize("option", REASONS)
def test_a_silent_client_is_ended(serve, option):
    server = serve(Clocked, **{option: 0.3})
    before = time.monotonic()
    with Client(server.address) as client:
        assert client.receive_all() == b""  # a FIN, no reset
        assert time.monotonic() - before >= 0.3
    session, why = server.next_end()
    assert why.reason is REASONS[option]
    assert (why.initiator, why.error, why.unsent_bytes) == ("local", None, 0)
    assert session.is_closing()
    assert not server.errors


@pytest.mark.parametrize("option", REASONS)
def test_a_client_that_never_closes_its_side_is_ended_all_the_same(serve, option):
    server = serve(Clocked, **{option: 0.2})
    with Client(server.address):
        session, why = server.next_end()
        assert why.reason is REASONS[option]
        # It has all and says nothing: its FIN is waited for 2 s, and not for `linger`.
        assert server.ended_at[session] - server.began_at[session] < 15
        wait_until(lambda: server.stats().connections_active == 0)


def test_timeouts_are_exact(serve, stack):
    """Measured where the server itself notes it, over seconds: what the machine adds is little."""
    timeouts = {"first_byte_timeout": 3.0, "login_timeout": 3.5, "idle_timeout": 4.0}
    servers = {option: serve(Clocked, **{option: timeouts[option]}) for option in timeouts}
    before = time.monotonic()
    clients = [stack.enter_context(Client(server.address)) for server in servers.values()]
    for (option, server), client in zip(servers.items(), clients, strict=True):
        assert client.receive_all() == b""
        client.close()
        session, why = server.next_end()
        assert why.reason is REASONS[option]
        assert server.ended_at[session] - before >= timeouts[option]
        assert server.ended_at[session] - server.began_at[session] <= timeouts[option] * 1.1


def test_what_came_in_time_switches_a_timer_off(serve):
    class LogsIn(Clocked):
        def on_data(self, session, data):
            session.login(bytes(data))
            session.send(data)

    server = serve(LogsIn, first_byte_timeout=1.0, login_timeout=1.0, idle_timeout=1.5)
    with Client(server.address) as client:
        assert client.ask(b"name") == b"name"
        assert client.receive_all() == b""
        session, why = server.next_end()
    assert why.reason is CloseReason.IDLE_TIMEOUT
    assert server.ended_at[session] - server.began_at[session] >= 1.5


def test_a_first_byte_is_no_login(serve):
    server = serve(first_byte_timeout=30, login_timeout=1.0, idle_timeout=30)
    with Client(server.address) as client:
        for _ in range(3):
            assert client.ask(b"x") == b"x"
        assert client.receive_all() == b""
    assert server.next_end()[1].reason is CloseReason.LOGIN_TIMEOUT


def test_a_login_without_a_word_leaves_the_other_timers(serve):
    class Trusts(Clocked):
        def on_connect(self, session):
            super().on_connect(session)
            session.login(session.peername)

    server = serve(Trusts, first_byte_timeout=1.5, login_timeout=1.0)
    with Client(server.address) as client:
        assert client.receive_all() == b""
    assert server.next_end()[1].reason is CloseReason.FIRST_BYTE_TIMEOUT


@pytest.mark.parametrize("says", ["client", "server"])
def test_a_session_is_not_idle_while_either_side_talks(serve, says):
    class Hears(Clocked):
        def on_data(self, session, data):
            pass

    server = serve(Hears, idle_timeout=1.0)
    with Client(server.address) as client:
        session = server.next_session()
        for _ in range(10):
            time.sleep(0.2)
            if says == "client":
                client.sendall(b"x")
            else:
                session.send(b"x")
        spoken_at = time.monotonic()
        assert client.receive_all() == (b"" if says == "client" else b"x" * 10)
        assert time.monotonic() - spoken_at >= 0.8  # its last byte came a little before
    session, why = server.next_end()
    assert why.reason is CloseReason.IDLE_TIMEOUT
    assert server.ended_at[session] - server.began_at[session] >= 2.0 + 1.0 - 0.1


def test_idle_and_first_byte_stand_still_while_reading_is_paused(serve):
    class Pauses(Clocked):
        def on_connect(self, session):
            session.pause_reading()
            super().on_connect(session)

    server = serve(Pauses, first_byte_timeout=0.2, idle_timeout=0.4)
    with Client(server.address) as client, Client(server.address) as other:
        talks, silent = server.next_session(), server.next_session()
        if talks.peername != client.getsockname():
            talks, silent = silent, talks
        client.sendall(b"kept")
        time.sleep(1.0)
        assert not talks.is_closing()
        assert not silent.is_closing()
        resumed_at = time.monotonic()
        talks.resume_reading()
        silent.resume_reading()
        assert client.receive(4) == b"kept"
        # They count anew from the end of the pause.
        assert other.receive_all() == b""
        assert time.monotonic() - resumed_at >= 0.2
        assert client.receive_all() == b""
        assert time.monotonic() - resumed_at >= 0.4
    reasons = {server.next_end()[1].reason for _ in range(2)}
    assert reasons == {CloseReason.FIRST_BYTE_TIMEOUT, CloseReason.IDLE_TIMEOUT}


def test_a_paused_session_whose_client_takes_nothing_is_idle(serve):
    class Floods(Clocked):
        def on_connect(self, session):
            session.pause_reading()
            super().on_connect(session)
            session.send(bytes(12 << 20))

    server = serve(Floods, idle_timeout=0.5, linger=1.0)
    with Client(server.address, receive_buffer=4096):
        session, why = server.next_end()
    assert why.reason is CloseReason.IDLE_TIMEOUT
    assert why.unsent_bytes > 0
    # What is queued gets `linger` more, in vain.
    assert 0.5 <= server.ended_at[session] - server.began_at[session] < 10


def test_what_is_queued_still_goes_to_a_client_that_takes_it(serve):
    """The client sleeps until it has been idle for too long, and then takes all there is."""
    size = 12 << 20

    class Floods(Clocked):
        def on_connect(self, session):
            super().on_connect(session)
            session.send(bytes(size))

    server = serve(Floods, idle_timeout=0.4)
    with Client(server.address, receive_buffer=4096) as client:
        session = server.next_session()
        wait_until(session.is_closing)
        received = client.receive_all()
        assert len(received) == size
        assert not any(received)
    _, why = server.next_end()
    assert why.reason is CloseReason.IDLE_TIMEOUT
    assert why.unsent_bytes == 0


@pytest.mark.parametrize("blocks", ["on_connect", "on_data"])
def test_a_callback_that_blocks_makes_nobody_idle(serve, blocks):
    """What the client says meanwhile waits unread: it has not been silent."""
    release = threading.Event()
    entered = threading.Event()

    class Blocks(Clocked):
        def on_connect(self, session):
            super().on_connect(session)
            if blocks == "on_connect":
                entered.set()
                release.wait(DEADLINE_SECONDS)

        def on_data(self, session, data):
            if blocks == "on_data" and data.startswith(b"block"):
                entered.set()
                release.wait(DEADLINE_SECONDS)
            session.send(data)

    server = serve(Blocks, first_byte_timeout=0.3, idle_timeout=0.3)
    with Client(server.address) as client:
        client.sendall(b"block")
        assert entered.wait(DEADLINE_SECONDS)
        client.sendall(b"more")
        time.sleep(0.9)
        assert not server.ended_at
        release.set()
        assert client.receive(9) == b"blockmore"
        assert client.receive_all() == b""
    assert server.next_end()[1].reason is CloseReason.IDLE_TIMEOUT
    assert not server.errors


def test_a_login_timeout_ends_a_session_whose_callback_runs_and_waits_for_it(serve):
    release = threading.Event()
    calls = []

    class Blocks(Recorder):
        def on_data(self, session, data):
            calls.append("begins")
            release.wait(DEADLINE_SECONDS)
            calls.append("ends")

        def on_disconnect(self, session, why):
            calls.append("disconnect")
            super().on_disconnect(session, why)

    server = serve(Blocks, login_timeout=1.0)
    with Client(server.address) as client:
        session = server.next_session()
        client.sendall(b"x")
        wait_until(session.is_closing)
        release.set()
        assert server.next_end()[1].reason is CloseReason.LOGIN_TIMEOUT
    assert calls == ["begins", "ends", "disconnect"]


def test_a_timeout_and_its_sessions_next_client_on_the_same_slot(serve):
    """A timer that was meant for one client never ends the next one."""
    server = serve(Clocked, accept_pool=1, accept_pool_max=1, workers=1, idle_timeout=1.0)
    for _ in range(60):
        before = time.monotonic()
        with Client(server.address) as client:
            assert client.ask(b"x") == b"x"
            client.half_close()
            assert client.receive_all() == b""
        assert server.next_end()[1].reason is CloseReason.PEER_EOF
        time.sleep(max(0.0, 0.03 - (time.monotonic() - before)))
    with Client(server.address) as client:
        assert client.receive_all() == b""
    session, why = server.next_end()
    assert why.reason is CloseReason.IDLE_TIMEOUT
    assert server.ended_at[session] - server.began_at[session] >= 0.9


def test_many_timers(serve, stack):
    server = serve(Clocked, idle_timeout=4.0)
    clients = [stack.enter_context(Client(server.address)) for _ in range(300)]
    for client in clients[::3]:
        assert client.ask(b"x") == b"x"
    reasons = [server.next_end()[1].reason for _ in clients]
    assert set(reasons) == {CloseReason.IDLE_TIMEOUT}
    for session, ended_at in server.ended_at.items():
        assert ended_at - server.began_at[session] >= 3.5  # on_connect may come a little late
    wait_until(lambda: server.stats().connections_active == 0)


@pytest.mark.skipif(not LINUX, reason="acknowledgements are told here")
def test_a_client_that_takes_what_the_stack_has_is_not_idle(serve):
    """The last megabytes are in the stack: nothing is taken any more, but acknowledged."""
    size = 1 << 20

    class Floods(Clocked):
        def on_data(self, session, data):
            session.send(bytes(size))

    server = serve(Floods, idle_timeout=0.6)
    with Client(server.address, receive_buffer=65536) as client:
        client.sendall(b"?")
        got = 0
        began = time.monotonic()
        while got < size:
            got += len(client.recv(16384))
            time.sleep(max(0.0, got / 4e5 - (time.monotonic() - began)))
        session = server.next_session()
        assert not session.is_closing()
        through = time.monotonic()
        assert client.receive_all() == b""
        assert time.monotonic() - through < 3
    assert server.next_end()[1].reason is CloseReason.IDLE_TIMEOUT


def test_a_message_that_drips_is_ended(serve):
    server = serve(Clocked, framing=Framing.lines(), message_timeout=0.6, idle_timeout=30)
    with Client(server.address) as client:
        client.sendall(b"whole\nhalf")
        began = time.monotonic()
        assert client.receive(5) == b"whole"
        session = server.next_session()
        while not session.is_closing():
            client.sendall(b".")
            time.sleep(0.05)
        assert time.monotonic() - began >= 0.55
        assert client.receive_all() == b""
    _, why = server.next_end()
    assert (why.reason, why.initiator) == (CloseReason.MESSAGE_TIMEOUT, "local")


def test_whole_messages_may_take_their_time(serve):
    server = serve(Clocked, framing=Framing.lines(), message_timeout=0.4)
    with Client(server.address) as client:
        for _ in range(4):
            client.sendall(b"half")
            time.sleep(0.15)
            client.sendall(b" whole\n")
            assert client.receive(10) == b"half whole"
            time.sleep(0.3)  # nothing has begun
    assert server.next_end()[1].reason is CloseReason.PEER_EOF


def test_drain_timeout_is_exact(serve):
    class Floods(Recorder):
        def on_connect(self, session):
            session.send(bytes(12 << 20))
            super().on_connect(session)

    server = serve(Floods, drain_timeout=3.0)
    with Client(server.address, receive_buffer=4096):
        server.next_session()
        before = time.monotonic()
        server.stop()
        took = time.monotonic() - before
    assert server.next_end()[1].reason is CloseReason.SHUTDOWN
    assert 3.0 <= took <= 3.3


def test_a_stop_does_not_wait_for_timeouts(serve):
    server = serve(first_byte_timeout=60, login_timeout=60, idle_timeout=60)
    with Client(server.address):
        server.next_session()
        before = time.monotonic()
        server.stop()
        assert time.monotonic() - before < 10
