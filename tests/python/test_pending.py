"""Requests that outlive their clients: begin, reply, handoff, on_abort."""

import queue
import threading

import pytest
from peers import Client, Recorder, in_threads, wait_until

import iocpreuse


class Works(Recorder):
    """Begins a request for each message, logs in who says "I am NAME", and keeps what is lost."""

    def __init__(self, **options):
        super().__init__(**options)
        self.requests = queue.SimpleQueue()
        self.lost = queue.SimpleQueue()
        self.heir = None

    def on_data(self, session, data):
        if data.startswith(b"I am "):
            session.login(data[5:], conflict="replace")
            session.send(b"yes")
        else:
            self.requests.put(session.begin(data, data * 2))

    def on_abort(self, session, lost):
        self.lost.put((session, lost))
        return self.heir(session) if callable(self.heir) else self.heir

    def next_request(self):
        return self.requests.get(timeout=30)

    def next_lost(self):
        return self.lost.get(timeout=30)


def test_a_reply_from_another_thread(serve):
    server = serve(Works)
    with Client(server.address) as client:
        client.sendall(b"question")
        pending = server.next_request()
        assert (pending.tag, pending.request) == (b"question", b"questionquestion")
        assert pending.session_id in server.sessions
        assert pending.reply(b"answer") is True
        assert client.receive(6) == b"answer"
        assert not pending.aborted
        with pytest.raises(iocpreuse.ServerStateError, match="twice"):
            pending.reply(b"again")
    server.next_end()
    assert server.lost.empty()


def test_a_request_without_an_heir_is_aborted(serve):
    server = serve(Works)
    with Client(server.address) as client:
        client.sendall(b"question")
        pending = server.next_request()
    session, lost = server.next_lost()
    assert server.next_end()[0] is session
    assert list(lost.pending) == [pending]
    assert list(lost.unsent) == []
    assert not lost.partial
    assert pending.aborted
    assert pending.reply(b"answer") is False


def test_the_heir_gets_the_answer(serve):
    server = serve(Works)
    with Client(server.address) as first, Client(server.address) as second:
        first.sendall(b"I am bob")
        assert first.receive(3) == b"yes"
        first.sendall(b"question")
        pending = server.next_request()
        before = pending.session_id
        server.heir = lambda session: session.net_id
        second.sendall(b"I am bob")
        assert second.receive(3) == b"yes"
        assert first.is_ended() == "fin"
        first.close()
        session, lost = server.next_lost()
        assert session.id == before
        assert list(lost.pending) == [pending]
        assert server.next_end()[1].reason is iocpreuse.CloseReason.REPLACED
        assert not pending.aborted
        assert pending.session_id == server.logged_in[b"bob"].id
        assert pending.reply(b"for bob") is True
        assert second.receive(7) == b"for bob"


def test_on_abort_comes_before_on_disconnect(serve):
    seen = []

    class Order(Works):
        def on_abort(self, session, lost):
            assert session.id not in self.sessions
            seen.append("on_abort")

        def on_disconnect(self, session, why):
            seen.append("on_disconnect")
            super().on_disconnect(session, why)

    server = serve(Order)
    with Client(server.address) as client:
        client.sendall(b"question")
        server.next_request()
    server.next_end()
    assert seen == ["on_abort", "on_disconnect"]


def test_an_heir_that_is_not_there(serve):
    server = serve(Works)
    server.heir = b"nobody"
    with Client(server.address) as client:
        client.sendall(b"question")
        pending = server.next_request()
    server.next_end()
    assert pending.aborted


def test_on_abort_that_raises_aborts_and_is_reported(serve):
    server = serve(Works)
    server.heir = lambda session: 1 / 0
    with Client(server.address) as client:
        client.sendall(b"question")
        pending = server.next_request()
    server.next_end()
    assert pending.aborted
    ((_session, where, exc),) = server.errors
    assert where == "on_abort"
    assert isinstance(exc, ZeroDivisionError)


def test_handoff_while_the_client_is_there(serve):
    server = serve(Works)
    with Client(server.address) as first, Client(server.address) as second:
        first.sendall(b"question")
        pending = server.next_request()
        second.sendall(b"I am eve")
        assert second.receive(3) == b"yes"
        assert pending.handoff("nobody") is False
        assert pending.handoff(b"eve") is True
        assert pending.reply(b"to eve") is True
        assert second.receive(6) == b"to eve"
        assert pending.handoff(b"eve") is False


def test_unsent_messages_are_whole(serve):
    """What the kernel took is gone; of the rest the messages that had not begun come back."""

    class Floods(Works):
        def on_data(self, session, data):
            session.send(b"#" * (12 << 20))
            session.send(b"one")
            session.send(b"t", bytearray(b"w"), b"o")

    server = serve(Floods)
    with Client(server.address, receive_buffer=4096) as client:
        client.sendall(b"go")
        session = server.next_session()
        wait_until(lambda: session.messages_sent == 3)
        client.reset()
    session, lost = server.next_lost()
    ended, why = server.next_end()
    assert ended is session
    assert lost.partial
    assert list(lost.unsent) == [b"one", b"two"]
    assert why.unsent_bytes >= 6
    wait_until(lambda: server.stats().send_queue_bytes == 0)


def test_begin_on_a_session_that_has_ended(serve):
    server = serve()
    Client(server.address).close()
    session, _why = server.next_end()
    with pytest.raises(iocpreuse.SessionClosed):
        session.begin()


def test_every_request_is_answered_or_aborted(serve):
    """Clients leave at any moment while a thread answers: no request is left in between."""
    server = serve(Works, workers=3)
    answered = []
    everything = []
    stop = threading.Event()

    def answer():
        while not (stop.is_set() and server.requests.empty()):
            try:
                pending = server.requests.get(timeout=0.05)
            except queue.Empty:
                continue
            everything.append(pending)
            if pending.reply(pending.tag):
                answered.append(pending)

    thread = threading.Thread(target=answer)
    thread.start()

    def visit(number):
        for turn in range(80):
            mark = b"%02d-%03d" % (number, turn)
            with Client(server.address) as client:
                client.sendall(mark)
                if turn % 2:
                    got = client.receive(len(mark))
                    assert got == mark
                elif turn % 4:
                    client.reset()

    try:
        in_threads(5, visit)
        wait_until(lambda: not server.sessions)
    finally:
        stop.set()
        thread.join()
    assert server.errors == []
    wait_until(lambda: all(p in answered or p.aborted for p in everything))
    assert len(answered) >= 200
    assert not any(p.aborted for p in answered)
