"""Flow control: clients that do not read cost the others nothing, and the server little."""

import array
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
    run_python,
    wait_until,
)

import iocpreuse
from iocpreuse import CloseReason

STALLED = """
    import os, sys, threading, time
    from peers import Client, Recorder, in_threads, wait_until
    import iocpreuse

    WINDOWS = os.name == "nt"
    COUNT = 200 if WINDOWS else 1000
    LIMIT, CHUNK = 65536, 4096
    HEALTHY = 3

    if not WINDOWS:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))

    def peak_bytes():
        return 0 if WINDOWS else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    class Floods(Recorder):
        def on_data(self, session, data):
            if data != b"stall":
                session.send(data)

    over = threading.Event()
    rounds = [0] * HEALTHY
    queued = []

    with Floods("127.0.0.1", write_high=LIMIT // 2, write_limit=LIMIT) as server:
        stalled = [Client(server.address, receive_buffer=4096) for _ in range(COUNT)]
        sessions = [server.next_session() for _ in range(COUNT)]
        before = peak_bytes()

        def flood():
            left = list(sessions)
            while left:
                # What is mutable is copied: each of them has bytes of its own.
                chunk = bytearray(CHUNK)
                still = []
                for session in left:
                    try:
                        session.send(chunk)
                        still.append(session)
                    except iocpreuse.WriteOverflow:
                        pass
                left = still
                queued.append(server.stats().send_queue_bytes)

        def ask(number):
            with Client(server.address) as client:
                while not over.is_set():
                    begun = time.monotonic()
                    assert client.ask(b"%08d" % rounds[number]) == b"%08d" % rounds[number]
                    assert time.monotonic() - begun < 10
                    rounds[number] += 1

        def act(number):
            if number < HEALTHY:
                ask(number)
                return
            try:
                wait_until(lambda: all(rounds))
                at_first = list(rounds)
                flood()
                assert all(now > then for now, then in zip(rounds, at_first))
            finally:
                over.set()

        in_threads(HEALTHY + 1, act)
        ends = dict(server.next_end() for _ in range(COUNT + HEALTHY))
        assert all(ends[each].reason is iocpreuse.CloseReason.WRITE_OVERFLOW for each in sessions)
        wait_until(lambda: server.stats().send_queue_bytes == 0)
        # On Windows a send of all that is queued may be under way, and be done meanwhile.
        least = LIMIT if WINDOWS else LIMIT * COUNT // 4
        assert least < max(queued) <= LIMIT * COUNT, max(queued)
        grown = peak_bytes() - before
        # The queues, what malloc adds to them, and the rest of the server.
        assert grown < LIMIT * COUNT * 5 // 4 + (8 << 20), grown
        for client in stalled:
            client.close()
    print(COUNT, max(queued), grown, rounds, file=sys.stderr)
    print("ok")
"""


def test_many_clients_that_never_read():
    """Each of them ends with WRITE_OVERFLOW, memory stays bounded, and others are served."""
    done = run_python(code=STALLED, timeout=170)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ok"]


class Notes(Recorder):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.drained = []

    def on_drain(self, session):
        self.drained.append(session)


def test_broadcasts_pass_over_those_who_do_not_read(serve):
    """The others get everything, in order; nobody is aborted; on_drain tells when to go on."""
    size, healthy, stalled = 16384, 3, 2
    server = serve(Notes, write_high=65536, write_low=16384, write_limit=81920)
    clients = [Client(server.address, receive_buffer=65536) for _ in range(healthy + stalled)]
    by_name = {session.peername: session for session in (server.next_session() for _ in clients)}
    sessions = [by_name[client.getsockname()] for client in clients]
    got = [0] * len(clients)  # messages queued for each, as the counts say

    def message(number):
        return b"%08d" % number + noise(size - 8, seed=number)

    number = in_a_row = 0
    while in_a_row < 20:
        before = [session.messages_sent for session in sessions]
        taken = server.broadcast(message(number))
        after = [session.messages_sent for session in sessions]
        assert taken == sum(after) - sum(before)
        for place, client in enumerate(clients[:healthy]):
            assert after[place] == before[place] + 1
            assert client.receive(size) == message(number)
        got = after
        in_a_row = in_a_row + 1 if taken == healthy else 0
        number += 1
    assert server.ended.empty()
    # The system may have found room for more before it had none, and on_drain told of that.
    told = len(server.drained)
    for place in range(healthy, healthy + stalled):
        # They were skipped from some point on, and have all until then.
        assert 0 < got[place] < number
        for each in range(got[place]):
            assert clients[place].receive(size) == message(each)
    wait_until(lambda: set(server.drained[told:]) == set(sessions[healthy:]), "on_drain of those")
    assert server.broadcast(b"again") == len(clients)
    for client in clients:
        assert client.receive(5) == b"again"
        client.close()
    assert len(server.drained) == told + stalled


def stall(server, client, most=64 << 20):
    """Fills what the system takes for CLIENT and 2 MB more; returns its session and what is
    on the way."""
    session = server.next_session()
    sent = 0
    while server.stats().send_queue_bytes < 2 << 20:
        session.send(noise(1 << 20, seed=sent))
        sent += 1
        assert sent << 20 < most
        time.sleep(0.05)  # the system may take some more
    return session, b"".join(noise(1 << 20, seed=number) for number in range(sent))


def test_a_broadcast_that_would_pass_the_limit(serve):
    """It is left out, not aborted, although send() would not say False yet; on_drain comes."""
    limit = 6 << 20
    server = serve(Notes, write_high=limit, write_low=0, write_limit=limit)
    with Client(server.address, receive_buffer=65536) as client:
        session, expected = stall(server, client)
        assert server.broadcast(bytes(limit)) == 0
        assert session.send(b"?") is False
        assert server.broadcast(b"x") == 0
        assert not session.is_closing()
        assert client.receive(len(expected) + 1) == expected + b"?"
        wait_until(lambda: server.drained == [session], "on_drain")
        assert server.broadcast(b"!") == 1
        assert client.receive(1) == b"!"
        # One that can never be queued owes nothing to an empty queue.
        wait_until(lambda: server.stats().send_queue_bytes == 0)
        assert server.broadcast(bytes(limit + 1)) == 0
        assert session.send(b"~") is True
        assert client.receive(1) == b"~"
    assert server.drained == [session]


@pytest.mark.parametrize("make", [bytearray, lambda data: array.array("B", data), "view"])
def test_what_changes_after_send_arrives_as_it_was(serve, make):
    server = serve(write_limit=None)
    content = noise(300_000, seed=9)
    with Client(server.address, receive_buffer=65536) as client:
        session, expected = stall(server, client)
        data = bytearray(content) if make == "view" else make(content)
        session.send(memoryview(data)[1000:] if make == "view" else data)
        memoryview(data)[:] = bytes(len(content))
        expected += content[1000:] if make == "view" else content
        assert client.receive(len(expected)) == expected


@pytest.mark.parametrize("how", ["read", "abort", "reset", "close", "overflow", "stop"])
def test_pinned_bytes_are_released(serve, how):
    """When they have gone out, and when they never will."""
    server = serve(write_limit=None if how != "overflow" else 8 << 20)
    payload = noise(3 << 20)
    before = sys.getrefcount(payload)
    client = Client(server.address, receive_buffer=65536)
    session, expected = stall(server, client)
    try:
        while True:
            session.send(b"head", payload, b"tail")
            expected += b"head" + payload + b"tail"
            if how != "overflow":
                break
    except iocpreuse.WriteOverflow:
        assert how == "overflow"
    if how in ("read", "close"):
        if how == "close":
            session.close()
        assert client.receive(len(expected)) == expected
    elif how == "abort":
        session.abort()
    elif how == "reset":
        client.reset()
    elif how == "stop":
        server.stop(drain=0)
    wait_until(lambda: sys.getrefcount(payload) == before, "the release")
    client.close()
    _, why = server.next_end()
    assert (why.reason is CloseReason.WRITE_OVERFLOW) == (how == "overflow")


@pytest.mark.parametrize("clients", [1, 40])
def test_sends_of_another_thread_are_gathered(serve, clients):
    """Each of them alone would be a call to the system, and a completion."""
    turns = 20_000
    server = serve(write_limit=None)
    peers = [Client(server.address) for _ in range(clients)]
    sessions = [server.next_session() for _ in peers]
    share = turns // clients
    start = threading.Barrier(clients + 1)
    before = server.stats().completions

    def act(number):
        start.wait()
        if number < clients:
            assert peers[number].receive(share * 8) == b"".join(b"%08d" % i for i in range(share))
            return
        for turn in range(share):
            for session in sessions:
                session.send(b"%08d" % turn)

    in_threads(clients + 1, act)
    assert server.stats().completions - before < turns // 2
    for peer in peers:
        peer.close()


class Blocks(Recorder):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.blocked = threading.Event()
        self.release = threading.Event()

    def on_data(self, session, data):
        self.blocked.set()
        self.release.wait(60)


@pytest.mark.parametrize("way", ["send", "broadcast"])
def test_a_callback_that_blocks_holds_up_no_flood(serve, way):
    """The worker that is called to gather may be another one."""
    server = serve(Blocks, workers=2)
    clients = [Client(server.address) for _ in range(10)]
    sessions = [server.next_session() for _ in clients]
    clients[0].sendall(b"!")
    try:
        assert server.blocked.wait(30)
        for turn in range(100):
            if way == "broadcast":
                assert server.broadcast(b"%04d" % turn) == len(clients)
            else:
                for session in sessions:
                    session.send(b"%04d" % turn)
        for client in clients:
            assert client.receive(400) == b"".join(b"%04d" % turn for turn in range(100))
        assert not server.release.is_set()
    finally:
        server.release.set()
    for client in clients:
        client.close()


def test_a_lone_send_leaves_at_once(serve):
    """One after another, with pauses: each is there before the next one is made."""
    server = serve()
    with Client(server.address) as client:
        session = server.next_session()
        for turn in range(50):
            time.sleep(0.001)
            session.send(b"%02d" % turn)
            assert client.receive(2) == b"%02d" % turn


def test_what_is_held_back_is_not_too_much(serve):
    """An answer of write_high bytes that waits for the next leaves before that would be refused."""
    all_sent = threading.Event()
    much = noise(350_000)

    class Answers(Recorder):
        def on_data(self, session, data):
            assert all_sent.wait(60)
            self.heard += data
            self.results.append(session.send(data))
            if len(self.results) == 2:
                session.send(much)
                session.close()

    server = serve(Answers, write_high=65_536, write_limit=400_000)
    server.heard, server.results = b"", []
    with Client(server.address, receive_buffer=1 << 20) as client:
        client.sendall(noise(16_384 + 262_144, seed=1))
        all_sent.set()
        answers = client.receive_all()
    assert server.next_end()[1].reason is CloseReason.LOCAL_CLOSE
    assert server.errors == []
    assert server.results == [True, True]
    assert answers == server.heard + much


@pytest.mark.skipif(WINDOWS, reason="reads /proc")
def test_a_broadcast_takes_the_memory_of_one_message():
    done = run_python(
        code="""
    import os
    from peers import Client, Recorder

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    with Recorder("127.0.0.1", write_high=64 << 20, write_limit=None) as server:
        clients = [Client(server.address, receive_buffer=4096) for _ in range(60)]
        for _ in clients:
            server.next_session()
        before = resident()
        for _ in range(2):
            assert server.broadcast(bytearray(16 << 20)) == 60
        assert server.stats().send_queue_bytes > 1 << 30
        grown = resident() - before
        for client in clients:
            client.close()
    # Two messages of 16 MiB, and what a sanitizer adds; a copy for each client were 1.9 GiB.
    assert grown < 200 << 20, grown
    print("ok")
    """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ok"]


def test_a_flood_of_small_messages_gives_way_to_others(serve, stack):
    """What is told of one client in one go is bounded: another one's message comes between."""
    blocked, release = threading.Event(), threading.Event()
    told = []  # how many of the flood had been told when the other's message was

    class Counts(Recorder):
        flood = 0

        def on_data(self, session, data):
            if data:
                told.append(self.flood)
                session.send(b"pong")
                return
            if self.flood == 20_000:  # amid a receive of 256 KiB: the first one has 16
                blocked.set()
                release.wait(DEADLINE_SECONDS)
            self.flood += 1

    server = serve(Counts, workers=1, framing=iocpreuse.Framing.lines())
    stack.callback(release.set)
    other = stack.enter_context(Client(server.address))
    server.next_session()
    flooder = stack.enter_context(Client(server.address))
    flood = b"\n" * 400_000
    thread = threading.Thread(target=flooder.sendall, args=(flood,))
    thread.start()
    assert blocked.wait(DEADLINE_SECONDS)
    other.sendall(b"ping\n")
    release.set()
    assert other.receive(4) == b"pong"
    assert told[0] < 150_000
    thread.join(DEADLINE_SECONDS)
    wait_until(lambda: server.flood == len(flood), "the end of the flood")
