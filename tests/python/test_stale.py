"""The generation rule: what is meant for a client that left reaches nobody."""

import collections
import contextlib
import itertools
import queue
import threading
import time

import pytest
from peers import Client, Recorder, in_threads, noise

import iocpreuse

TURNS = 150
CLIENTS = 20


class AnswersLate(Recorder):
    """Another thread answers: some requests a moment later, the others many clients later."""

    CLIENTS_LATER = 40

    def __init__(self, **options):
        super().__init__(**options)
        self.late = queue.SimpleQueue()
        self.held = collections.deque()
        self.clients = itertools.count()
        self.outcomes = {"sent": 0, "closed": 0, "stale": 0, "refused by id": 0}
        self.thread = threading.Thread(target=self.answer)

    def on_connect(self, session):
        number = session.state = next(self.clients)
        with contextlib.suppress(IndexError):
            while self.held[0][1].state < number - self.CLIENTS_LATER:
                self.late.put(self.held.popleft())

    def on_data(self, session, data):
        if data[:1] != b"L":
            session.send(data)
        elif session.state % 2:
            self.held.append((0, session, data))
        else:
            self.late.put((time.monotonic() + 0.002, session, data))

    def answer(self):
        turn = 0
        while (item := self.late.get()) is not None:
            due, session, data = item
            time.sleep(max(0.0, due - time.monotonic()))
            turn += 1
            self.outcomes[self.send_in_turn(turn, session, data)] += 1

    def send_in_turn(self, turn, session, data):
        if turn % 3 == 0:
            return "sent" if self.send(session.id, data) else "refused by id"
        try:
            session.send(data)
        except iocpreuse.StaleSession:
            # These too must not touch the next client.
            (session.close, session.abort, session.write_eof)[turn % 3]()
            return "stale"
        except iocpreuse.SessionClosed:
            session.close()
            return "closed"
        return "sent"


def test_a_late_answer_never_reaches_the_next_client(serve):
    """Thousands of clients leave; each next one checks every byte it gets to the end."""
    server = serve(AnswersLate, accept_pool=4, accept_pool_max=4, workers=3)
    server.thread.start()

    def come_and_go(number):
        for turn in range(TURNS):
            mark = b"%04d-%04d;" % (number, turn)
            with Client(server.address) as client:
                assert client.ask(b"E" + mark) == b"E" + mark
                client.sendall(b"L" + mark)
                if turn % 3 == 0:
                    client.reset()
                elif turn % 3 == 1:
                    client.half_close()
                    assert client.receive_all() in (b"", b"L" + mark)

    try:
        in_threads(CLIENTS, come_and_go)
    finally:
        server.late.put(None)
        server.thread.join(30)
    outcomes = server.outcomes
    blocked = server.stats().stale_sends_blocked
    assert sum(outcomes.values()) <= CLIENTS * TURNS
    assert outcomes["stale"] > 0
    assert outcomes["refused by id"] > 0
    assert blocked >= outcomes["stale"] + outcomes["refused by id"] / 2
    assert not server.errors


def test_stale_session_of_a_slot_in_use(serve):
    """With one accept posted, the next client soon gets the slot: then it is StaleSession."""
    server = serve(accept_pool=1, accept_pool_max=1)
    with Client(server.address) as client:
        assert client.ask(b"x") == b"x"
    old, _ = server.next_end()
    for _ in range(50):
        with Client(server.address) as client:
            assert client.ask(b"x") == b"x"
            with pytest.raises(iocpreuse.SessionClosed) as caught:
                old.send(b"late")
            old.close()
            old.abort()
            old.write_eof()
            assert client.ask(b"y") == b"y"
            if caught.type is iocpreuse.StaleSession:
                break
        server.next_end()
    assert caught.type is iocpreuse.StaleSession
    assert server.stats().stale_sends_blocked >= 1


def test_session_ids_never_repeat(serve):
    server = serve(accept_pool=2)
    seen = set()
    for _ in range(100):
        Client(server.address).close()
        session, _ = server.next_end()
        assert session.id not in seen
        assert 0 < session.id < 2**64
        seen.add(session.id)
    other = serve(accept_pool=2)
    Client(other.address).close()
    assert other.next_end()[0].id not in seen


@pytest.mark.parametrize("stranger", [0, 1, 2**32, 2**64 - 1, 123456789 << 32])
def test_ids_of_nobody(serve, stranger):
    server = serve()
    assert server.get(stranger) is None
    assert server.send(stranger, b"x") is False


def test_ids_that_are_none(serve):
    server = serve()
    with pytest.raises(TypeError):
        server.send("7", b"x")
    with pytest.raises(OverflowError):
        server.send(-1, b"x")


def test_large_late_answers_leave_no_rest(serve):
    """A queue half sent when its client resets does not go on to the next one."""
    server = serve(accept_pool=1, write_limit=None)
    for number in range(20):
        client = Client(server.address, receive_buffer=65536)
        session = server.next_session()
        session.send(noise(3_000_000, seed=number))
        assert client.receive(1000)
        client.reset()
        server.next_end()
        with Client(server.address) as successor:
            server.next_session()
            assert successor.ask(b"mine") == b"mine"
            successor.half_close()
            assert successor.receive_all() == b""
        server.next_end()
    assert server.stats().send_queue_bytes == 0
