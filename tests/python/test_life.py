"""The life of a server: start, stop, drain, wait, with, and what is refused."""

import gc
import os
import socket
import threading
import time
import weakref

import pytest
from peers import WINDOWS, Client, Recorder, in_threads, noise, wait_until

import iocpreuse
from iocpreuse import CloseReason, ServerStateError


def test_before_start():
    server = Recorder()
    for ask in (lambda: server.address, lambda: server.recycling, server.stats):
        with pytest.raises(ServerStateError, match="not been started"):
            ask()
    with pytest.raises(ServerStateError):
        server.send(5, b"x")
    assert server.get(5) is None
    assert dict(server.sessions) == {}
    assert server.wait(0) is False
    assert "not started" in repr(server)


def test_starts_once(serve):
    server = serve()
    with pytest.raises(ServerStateError, match="is running"):
        server.start()
    server.stop()
    with pytest.raises(ServerStateError, match="is stopped"):
        server.start()
    with pytest.raises(ServerStateError, match="is stopped"), server:
        pass


def test_stop_before_start_is_final():
    server = Recorder()
    server.stop()
    assert server.wait(0) is True
    with pytest.raises(ServerStateError):
        server.start()


def test_with_a_server_that_runs(serve):
    server = serve()
    with server as same, Client(server.address) as client:
        assert same is server
        assert client.ask(b"x") == b"x"
    assert server.wait(0) is True


def test_after_stop(serve):
    server = serve()
    address = server.address
    with Client(address) as client:
        assert client.ask(b"x") == b"x"
        server.stop()
        assert client.is_ended() in ("fin", "reset")
    session, why = server.next_end()
    assert why.reason is CloseReason.SHUTDOWN
    assert why.initiator == "local"
    with pytest.raises(iocpreuse.SessionClosed):
        session.send(b"x")
    session.close()
    session.abort()
    assert server.send(session.id, b"x") is False
    assert server.address == address
    stats = server.stats()
    assert stats.connections_total == 1
    assert stats.connections_active == stats.accepts_pending == stats.send_queue_bytes == 0
    assert len(server.sessions) == 0
    with pytest.raises(ConnectionError):
        Client(address)
    server.stop()
    server.stop(drain=0)
    assert not any(thread.name.startswith("iocpreuse") for thread in threading.enumerate())


def test_stop_with_clients_that_do_nothing_is_quick(serve, stack):
    server = serve()
    for _ in range(50):
        stack.enter_context(Client(server.address))
        server.next_session()
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 5  # far from drain_timeout
    for _ in range(50):
        assert server.next_end()[1].reason is CloseReason.SHUTDOWN


class Downloads(Recorder):
    """Queues 5 MB for each client at its first byte."""

    CONTENT = noise(5_000_000)

    def on_data(self, session, data):
        session.send(self.CONTENT)


def ask_and_stop(server, **how):
    """A client whose answer is queued, and a thread that stops the server."""
    client = Client(server.address, receive_buffer=65536)
    session = server.next_session()
    client.sendall(b"?")
    assert client.recv(1, 2) == Downloads.CONTENT[:1]  # MSG_PEEK: the answer is on its way
    stopper = threading.Thread(target=server.stop, kwargs=how)
    stopper.start()
    wait_until(session.is_closing)
    return client, stopper


def test_stop_lets_clients_take_what_is_queued(serve):
    server = serve(Downloads)
    client, stopper = ask_and_stop(server)
    with client:
        assert client.receive_all() == Downloads.CONTENT
    stopper.join(30)
    _, why = server.next_end()
    assert why.reason is CloseReason.SHUTDOWN
    assert why.unsent_bytes == 0


def test_stop_ends_what_takes_longer_than_the_drain(serve):
    server = serve(Downloads)
    client, stopper = ask_and_stop(server, drain=0.3)
    with client:
        stopper.join(30)
        assert server.wait(0)
        _, why = server.next_end()
        assert why.reason is CloseReason.SHUTDOWN
        assert why.unsent_bytes > 0


def test_a_second_stop_aborts(serve):
    server = serve(Downloads, drain_timeout=1000)
    client, stopper = ask_and_stop(server)
    with client:
        assert server.wait(0.05) is False
        server.stop()
        stopper.join(30)
        assert server.next_end()[1].unsent_bytes > 0


def test_leaving_the_with_block_waits_for_the_drain_of_a_stop_under_way():
    with Downloads() as server:
        client, stopper = ask_and_stop(server)
        reader = threading.Timer(0.1, lambda: answers.append(client.receive_all()))
        answers = []
        reader.start()
    reader.join(30)
    stopper.join(30)
    client.close()
    assert answers == [Downloads.CONTENT]


def test_stop_without_drain_is_an_abort(serve, stack):
    server = serve(Downloads)
    client = stack.enter_context(Client(server.address, receive_buffer=65536))
    client.sendall(b"?")
    assert client.receive(1)
    server.stop(drain=0)
    assert server.next_end()[1].unsent_bytes > 0


@pytest.mark.parametrize("wrong", [-1, True, "1", float("nan")])
def test_stop_checks_its_argument(serve, wrong):
    server = serve()
    with pytest.raises((TypeError, ValueError), match="drain must be"):
        server.stop(drain=wrong)
    assert server.wait(0) is False


@pytest.mark.parametrize("callback", ["on_connect", "on_data", "on_disconnect"])
def test_stop_from_a_callback_only_begins(serve, callback):
    class StopsItself(Recorder):
        pass

    def stop(self, session, *rest):
        getattr(Recorder, callback)(self, session, *rest)
        self.stop()
        self.began.set()

    setattr(StopsItself, callback, stop)
    StopsItself.began = threading.Event()
    server = serve(StopsItself)
    with Client(server.address) as client:
        client.sendall(b"x")
        if callback == "on_disconnect":
            client.half_close()
        client.is_ended()
    assert StopsItself.began.wait(30)
    assert server.wait(30)
    assert not server.errors


def test_waits_that_would_never_end_are_refused(serve):
    class Waits(Recorder):
        def on_data(self, session, data):
            for call in (self.wait, self.serve_forever):
                with pytest.raises(ServerStateError, match="in a callback"):
                    call()
            assert self.wait(0) is False
            assert self.wait(0.01) is False
            session.send(data)

    server = serve(Waits)
    with Client(server.address) as client:
        assert client.ask(b"x") == b"x"


def test_wait_returns_when_another_thread_stops(serve):
    server = serve()
    waited = []
    waiter = threading.Thread(target=lambda: waited.append(server.wait()))
    waiter.start()
    assert server.wait(0.05) is False
    server.stop()
    waiter.join(30)
    assert waited == [True]
    assert server.wait() is True


def test_stop_under_load():
    """Clients come and go while it stops; nothing hangs, every session gets its end."""
    for turn in range(5):
        server = Recorder(workers=3, accept_pool=4).start()
        begun = threading.Semaphore(0)

        def talk(number, server=server, begun=begun):
            try:
                for _ in range(1000):
                    with Client(server.address) as client:
                        client.ask(b"x" * 100)
                        begun.release()
            except OSError:
                pass  # it has stopped
            begun.release()

        clients = threading.Thread(target=in_threads, args=(8, talk))
        clients.start()
        for _ in range(20 + turn):
            assert begun.acquire(timeout=30)
        server.stop(drain=0 if turn % 2 else None)
        clients.join(60)
        stats = server.stats()
        assert stats.connections_active == 0
        assert server.opened.qsize() == server.ended.qsize() == stats.connections_total
        assert not server.errors  # a stop lets the callbacks that run send their answers


def test_several_servers_at_once(serve):
    servers = [serve(workers=1) for _ in range(5)]
    for server in servers:
        with Client(server.address) as client:
            assert client.ask(b"x") == b"x"
    for server in servers:
        server.stop()
        assert server.stats().connections_total == 1


def test_a_server_that_stopped_is_freed():
    with Recorder() as server, Client(server.address) as client:
        assert client.ask(b"x") == b"x"
    gone = weakref.ref(server)
    del server, client
    gc.collect()
    assert gone() is None


def test_a_server_that_never_started_is_freed():
    gone = weakref.ref(Recorder())
    gc.collect()
    assert gone() is None


def test_start_runs_out_of_threads(monkeypatch):
    """Whichever thread cannot be started: start() raises, and nothing is left behind."""
    real = threading.Thread.start
    for limit in range(3):
        started = []

        def start(thread, limit=limit, started=started):
            if thread.name.startswith("iocpreuse"):
                if len(started) == limit:
                    raise RuntimeError("can't start new thread")
                started.append(thread)
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        server = Recorder(workers=2)
        with pytest.raises(RuntimeError, match="new thread"):
            server.start()
        monkeypatch.undo()
        assert not any(thread.is_alive() for thread in started)
        with server, Client(server.address) as client:
            assert client.ask(b"x") == b"x"


def test_a_start_that_is_refused_takes_nothing_from_the_one_that_serves(serve):
    server = serve()
    for _ in range(3):
        with pytest.raises(iocpreuse.ServerStateError, match="cannot start: the server is running"):
            server.start()
        with Client(server.address) as client:
            assert client.ask(b"still here") == b"still here"
    assert server.stats().connections_total == 3
    server.stop()
    with pytest.raises(iocpreuse.ServerStateError, match="stopped"):
        server.start()
    assert server.stats().connections_total == 3


def test_a_socket_may_be_tried_again(monkeypatch):
    """Also when the start that failed had given it to a completion port."""

    def fail(*_):
        raise RuntimeError("no threads today")

    with socket.create_server(("127.0.0.1", 0)) as sock:
        with monkeypatch.context() as patch:
            patch.setattr("iocpreuse.threads.Crew.start", fail)
            with pytest.raises(RuntimeError, match="today"):
                Recorder(None, sock=sock).start()
        assert sock.getblocking()
        server = Recorder(None, sock=sock)
        error = ""
        try:
            server.start()
        except OSError as exc:
            error = str(exc)
        if error:
            # Windows before 8.1, and some versions of Wine.
            assert WINDOWS
            assert "completion port already" in error
            return
        with server, Client(server.address) as client:
            assert client.ask(b"x") == b"x"


@pytest.mark.skipif(WINDOWS, reason="there each process has its own way with a socket")
def test_a_start_that_fails_leaves_a_shared_socket_as_it_was(serve, monkeypatch):
    """Another server listens on it: blocking, it would hang in its next accept."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        other = socket.socket(fileno=os.dup(sock.fileno()))
        server = serve(Recorder, None, sock=sock)
        assert not os.get_blocking(other.fileno())

        def fail(*_):
            raise OSError("no engine")

        with monkeypatch.context() as patch:
            patch.setattr("iocpreuse.server.make_engine", fail)
            with pytest.raises(OSError, match="no engine"):
                Recorder(None, sock=other).start()
        assert not os.get_blocking(other.fileno())
        with Client(server.address) as client:
            assert client.ask(b"x") == b"x"
        other.close()
