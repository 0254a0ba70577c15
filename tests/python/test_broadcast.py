"""Server.broadcast: one message for many clients, and for nobody else."""

import contextlib
import queue
import socket
import struct
import sys
import threading
import time

import pytest
from peers import (
    DEADLINE_SECONDS,
    WINDOWS,
    Client,
    Recorder,
    in_threads,
    noise,
    wait_until,
)

import iocpreuse

LINE = 12


@pytest.fixture
def crowd(serve):
    """CROWD(server, count) connects clients; their sockets and sessions, in the same order."""
    with contextlib.ExitStack() as stack:

        def connect(server, count):
            clients = [stack.enter_context(Client(server.address)) for _ in range(count)]
            by_name = {
                session.peername: session
                for session in (server.next_session() for _ in range(count))
            }
            return clients, [by_name[client.getsockname()] for client in clients]

        yield connect


def line(number):
    return b"%011d\n" % number


def test_all_get_it(serve, crowd):
    server = serve()
    clients, _ = crowd(server, 20)
    assert server.broadcast(b"hello") == 20
    assert server.broadcast(b"x" * 5000) == 20
    for client in clients:
        assert client.receive(5005) == b"hello" + b"x" * 5000
    assert all(session.messages_sent == 2 for session in server.sessions.values())
    assert server.stats().stale_sends_blocked == 0


@pytest.mark.parametrize("kind", [list, tuple, set, iter, lambda ids: (each for each in ids)])
def test_only_these_get_it(serve, crowd, kind):
    server = serve()
    clients, sessions = crowd(server, 6)
    assert server.broadcast(b"some", to=kind([each.id for each in sessions[:3]])) == 3
    assert server.broadcast(b"all.") == 6
    for number, client in enumerate(clients):
        expected = b"someall." if number < 3 else b"all."
        assert client.receive(len(expected)) == expected


def test_an_id_that_comes_twice_gets_it_once(serve, crowd):
    server = serve()
    (client,), (session,) = crowd(server, 1)
    assert server.broadcast(b"1", to=[session.id] * 3) == 1
    assert server.broadcast(b"2", to=[session.id]) == 1
    assert client.receive(2) == b"12"


def test_names_of_those_who_logged_in(serve, crowd):
    server = serve()
    clients, sessions = crowd(server, 4)
    sessions[1].login("one")
    sessions[3].login("three")
    assert server.broadcast(b"names", to=(each.id for each in server.logged_in.values())) == 2
    assert server.broadcast(b"!") == 4
    assert [client.receive(1) for client in clients] == [b"!", b"n", b"!", b"n"]


def test_nothing_to_nobody(serve, crowd):
    server = serve()
    assert server.broadcast(b"x") == 0
    clients, sessions = crowd(server, 2)
    assert server.broadcast(b"") == 0
    assert server.broadcast(bytearray()) == 0
    assert server.broadcast(b"x", to=[]) == 0
    assert all(session.messages_sent == 0 for session in sessions)
    assert server.broadcast(b"y") == 2
    assert [client.receive(1) for client in clients] == [b"y", b"y"]


def fails(ids):
    yield from ids
    raise LookupError("the iterable's own")


@pytest.mark.parametrize(
    ("data", "to", "error", "says"),
    [
        ("text", None, TypeError, "bytes-like"),
        (5, None, TypeError, "bytes-like"),
        (None, None, TypeError, "bytes-like"),
        ([b"x"], None, TypeError, "bytes-like"),
        (b"x", lambda sessions: 5, TypeError, "not iterable"),
        (b"x", lambda sessions: sessions, TypeError, r"Session\.id gives them, not .*Session"),
        (b"x", lambda sessions: [sessions[0].id, "7"], TypeError, "not str"),
        (b"x", lambda sessions: [sessions[0].id, None], TypeError, "not NoneType"),
        (b"x", lambda sessions: [sessions[0].id, -1], OverflowError, "int"),
        (b"x", lambda sessions: [sessions[0].id, 1 << 64], OverflowError, "int"),
        (b"x", lambda sessions: fails([sessions[0].id]), LookupError, "own"),
    ],
)
def test_wrong_arguments_reach_nobody(serve, crowd, data, to, error, says):
    server = serve()
    clients, sessions = crowd(server, 2)
    with pytest.raises(error, match=says):
        server.broadcast(data, to=to and to(sessions))
    assert all(session.messages_sent == 0 for session in sessions)
    assert server.broadcast(b"good") == 2
    assert [client.receive(4) for client in clients] == [b"good", b"good"]


def test_before_start_and_after_stop(serve, crowd):
    with pytest.raises(iocpreuse.ServerStateError):
        iocpreuse.Server().broadcast(b"x")
    server = serve()
    _, (session,) = crowd(server, 1)
    server.stop(drain=0)
    assert server.broadcast(b"x") == 0
    assert server.broadcast(b"x", to=[session.id]) == 0


def test_those_who_have_gone_or_are_going(serve, crowd):
    server = serve(accept_pool=1, accept_pool_max=1)
    (gone,), (old,) = crowd(server, 1)
    gone.close()
    server.next_end()
    clients, sessions = crowd(server, 3)
    sessions[0].write_eof()
    blocked = server.stats().stale_sends_blocked
    assert server.broadcast(b"x", to=[old.id, 0, 1 << 40, *(each.id for each in sessions)]) == 2
    assert server.stats().stale_sends_blocked == blocked + 3
    assert clients[0].receive_all() == b""
    sessions[1].close()
    assert server.broadcast(b"y") == 1
    assert clients[1].receive_all() == b"x"
    assert clients[2].receive(2) == b"xy"


def test_what_is_mutable_is_sent_as_it_was(serve, crowd):
    server = serve(write_high=1 << 20)
    clients, _ = crowd(server, 3)
    data = bytearray(noise(200_000))
    view = memoryview(bytearray(b"abcdef"))[2:4]
    expected = bytes(data) + b"cd"
    assert server.broadcast(data) == 3
    data[:] = bytes(len(data))
    data.clear()  # it is not exported any more
    assert server.broadcast(view) == 3
    view[:] = b"??"
    for client in clients:
        assert client.receive(len(expected)) == expected


@pytest.mark.parametrize("size", [1, 1023, 1024, 40_000, 3_000_000])
def test_its_bytes_are_released(serve, crowd, size):
    """When the last of the receivers is through with them, in whichever way."""
    server = serve(write_limit=None)
    payload = noise(size)
    before = sys.getrefcount(payload)
    clients, sessions = crowd(server, 5)
    assert server.broadcast(payload) == 5
    for client in clients[:3]:
        assert client.receive(size) == payload
    sessions[3].abort()
    clients[4].reset()
    wait_until(lambda: len(server.sessions) == 3, "the end of two")
    wait_until(lambda: sys.getrefcount(payload) == before, "the release")
    assert server.broadcast(payload, to=[each.id for each in sessions[3:]]) == 0
    assert sys.getrefcount(payload) == before
    assert server.stats().send_queue_bytes == 0


class Chat(Recorder):
    """Everybody hears what anybody says."""

    def on_data(self, session, data):
        self.broadcast(data)


@pytest.mark.parametrize("workers", [1, 3])
def test_chat(serve, crowd, workers):
    """From callbacks: everybody gets the same messages, whole, and a talker's own in order."""
    messages, talkers = 100, 8
    server = serve(Chat, workers=workers, concurrency=workers)
    clients, _ = crowd(server, talkers)

    def talk(number):
        heard = []
        for turn in range(messages):
            clients[number].sendall(line(number * messages + turn))
        for _ in range(messages * talkers):
            heard.append(int(clients[number].receive(LINE)))
        for talker in range(talkers):
            own = [each for each in heard if each // messages == talker]
            assert own == list(range(talker * messages, (talker + 1) * messages))

    in_threads(talkers, talk)
    assert not server.errors


def test_from_many_threads(serve, crowd):
    """Broadcasts and sends of several threads: whole, and each thread's in order."""
    threads, turns = 4, 300
    server = serve()
    clients, sessions = crowd(server, 10)

    def talk(number):
        for turn in range(turns):
            if turn % 3:
                assert server.broadcast(line(number * turns + turn)) == len(clients)
            else:
                for session in sessions:
                    session.send(line(number * turns + turn))

    in_threads(threads, talk)
    for client in clients:
        heard = [int(client.receive(LINE)) for _ in range(threads * turns)]
        for number in range(threads):
            own = [each for each in heard if each // turns == number]
            assert own == list(range(number * turns, (number + 1) * turns))


class NamesItself(Recorder):
    def on_connect(self, session):
        session.send(b"%020d" % session.id)
        super().on_connect(session)


def test_strangers_hear_nothing(serve):
    """Clients come and go while broadcasts are under way: each message says whom it is for."""
    server = serve(NamesItself, accept_pool=2, accept_pool_max=2, workers=2)
    recent = []
    over = threading.Event()
    outcomes = {"queued": 0, "wanted": 0}

    def announce():
        while not over.is_set():
            ids = recent[-12:]
            if ids:
                text = b",".join(b"%d" % each for each in ids)
                outcomes["wanted"] += len(ids)
                outcomes["queued"] += server.broadcast(b"<" + text + b">", to=ids)

    def come_and_go(number):
        for turn in range(60):
            with Client(server.address) as client:
                own = int(client.receive(20))
                recent.append(own)
                client.sendall(b"!")
                heard = client.recv(200) if turn % 3 else b""
                client.half_close() if turn % 2 else client.reset()
                heard += client.receive_all() if turn % 2 else b""
            # The last one may have been cut short.
            for message in heard.replace(b"!", b"").split(b"<")[1:-1]:
                assert own in map(int, message.rstrip(b">").split(b","))

    thread = threading.Thread(target=announce)
    thread.start()
    try:
        in_threads(8, come_and_go)
    finally:
        over.set()
        thread.join(30)
    assert 0 < outcomes["queued"] < outcomes["wanted"]
    assert server.stats().stale_sends_blocked > 0
    assert not server.errors


SO_TIMESTAMPNS = 35


def arrival(client, count):
    """When the kernel got the last of COUNT bytes, in ns."""
    wait_until(lambda: len(client.recv(count, socket.MSG_PEEK)) == count, "the message")
    _, ancillary, _, _ = client.recvmsg(count, socket.CMSG_SPACE(16))
    if not ancillary:
        return 0
    ((_, _, stamp),) = ancillary
    seconds, ns = struct.unpack("qq", stamp)
    return seconds * 10**9 + ns


def stamp_arrivals(client):
    """The kernel begins with it a little after it was asked to."""

    def is_stamped():
        client.sendall(b"?")
        return arrival(client, 1) > asked

    client.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    asked = time.time_ns()
    wait_until(is_stamped, "a time stamp")


@pytest.mark.skipif(WINDOWS, reason="Windows does not tell when a segment came")
@pytest.mark.parametrize("where", ["callback", "thread"])
def test_the_highest_priority_first(serve, crowd, where):
    """Equal ones in the order of TO, or of connecting."""

    class Announces(Recorder):
        def on_data(self, session, data):
            if data == b"!":
                self.broadcast(b"now", to=order)
            else:
                session.send(data)

    def announce():
        # What follows a send that is not done leaves when that is.
        wait_until(lambda: server.stats().send_queue_bytes == 0)
        if where == "callback":
            clients[0].sendall(b"!")
        else:
            server.broadcast(b"now", to=order)

    server = serve(Announces, workers=1)
    clients, sessions = crowd(server, 40)
    for client in clients:
        stamp_arrivals(client)
    for number, session in enumerate(sessions):
        session.priority = (number * 7) % 5 - 2
    order = [each.id for each in reversed(sessions)]
    announce()
    numbers = range(len(clients))
    times = [arrival(client, 3) for client in clients]
    expected = sorted(numbers, key=lambda number: (-sessions[number].priority, -number))
    assert sorted(numbers, key=times.__getitem__) == expected
    order = None
    announce()
    times = [arrival(client, 3) for client in clients]
    position = {session: place for place, session in enumerate(server.sessions.values())}
    expected = sorted(numbers, key=lambda n: (-sessions[n].priority, position[sessions[n]]))
    assert sorted(numbers, key=times.__getitem__) == expected


@pytest.mark.parametrize("to_ids", [False, True])
def test_nobody_is_reached_before_on_connect_has_returned(serve, stack, to_ids):
    inside, leave = threading.Event(), threading.Event()

    class Thinks(Recorder):
        def on_connect(self, session):
            super().on_connect(session)
            if len(self.sessions) == 2:
                inside.set()
                leave.wait(DEADLINE_SECONDS)
                return False
            return None

    server = serve(Thinks)
    stack.callback(leave.set)
    member = stack.enter_context(Client(server.address))
    ids = [server.next_session().id]
    stranger = stack.enter_context(Client(server.address))
    assert inside.wait(DEADLINE_SECONDS)
    ids.append(server.next_session().id)
    wait_until(lambda: server.broadcast(b"for members", to=ids if to_ids else None) == 1)
    leave.set()
    assert stranger.receive_all() == b""
    assert member.receive(11) == b"for members"


def test_who_is_left_out_for_the_limit_hears_of_room(serve, stack):
    """Also where what is queued is below write_low: the message is what is too long."""
    drained = queue.SimpleQueue()

    class Drains(Recorder):
        def on_drain(self, session):
            drained.put(session.id)

    limits = {"write_limit": 100_000, "write_high": 64 * 1024, "write_low": 16 * 1024}
    # Else the system takes megabytes, which 4,000 bytes at a time are long in filling.
    server = serve(Drains, **limits, send_buffer=64 * 1024)
    client = stack.enter_context(Client(server.address, receive_buffer=4096))
    session = server.next_session()

    def is_stuck():
        """Whether the system has taken all that it takes, and a little is left."""
        queued = server.stats().send_queue_bytes
        if queued <= 10:
            session.send(b"a" * 4000)
            return False
        time.sleep(0.2)  # it may find room yet
        return server.stats().send_queue_bytes == queued

    wait_until(is_stuck, "a client that is full")
    assert server.stats().send_queue_bytes < 16 * 1024
    assert server.broadcast(b"b" * 99_990) == 0
    thread = threading.Thread(target=lambda: client.recv(1 << 20) and client.receive_all())
    thread.start()
    assert drained.get(timeout=DEADLINE_SECONDS) == session.id
    assert server.broadcast(b"b" * 99_990) == 1
    session.close()
    thread.join(DEADLINE_SECONDS)


def test_a_broadcast_longer_than_any_queue_reaches_nobody(serve, stack):
    server = serve(write_limit=1000, write_high=500)
    stack.enter_context(Client(server.address))
    server.next_session()
    assert server.broadcast(b"x" * 1001) == 0
    assert not server.errors
