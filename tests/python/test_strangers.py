"""Clients that nobody invited: silent, garbage, vanishing, in great numbers."""

import contextlib
import random

from peers import Client, Recorder, in_threads, noise, wait_until

import iocpreuse


def test_idle_connections(serve, stack):
    """1,200 clients that say nothing, and then all of them something."""
    count = 1200
    server = serve(accept_pool=32, backlog=512)
    clients = []
    # Descriptors: two for each client, both ends being in this process.
    with contextlib.suppress(ImportError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    for _ in range(count):
        clients.append(stack.enter_context(Client(server.address)))
    wait_until(lambda: len(server.sessions) == count)
    assert server.stats().connections_active == count
    for number, client in enumerate(clients):
        client.sendall(b"%05d" % number)
    for number, client in enumerate(clients):
        assert client.receive(5) == b"%05d" % number
    for client in clients:
        client.close()
    for _ in range(count):
        server.next_end()
    wait_until(lambda: server.stats().connections_active == 0)
    with Client(server.address) as client:
        assert client.ask(b"still there?") == b"still there?"


def test_garbage(serve):
    """Random bytes at random moments; the server stays up and echoes to others."""
    server = serve(workers=2, accept_pool=8)

    def misbehave(number):
        chance = random.Random(number)
        for _ in range(30):
            client = Client(server.address)
            with contextlib.suppress(ConnectionError):
                for _ in range(chance.randint(0, 4)):
                    client.sendall(chance.randbytes(chance.choice((1, 100, 20_000))))
                    if chance.random() < 0.3:
                        client.recv(chance.randint(1, 5000))
                if chance.random() < 0.3:
                    client.half_close()
            client.reset() if chance.random() < 0.5 else client.close()

    in_threads(12, misbehave)
    message = noise(50_000)
    with Client(server.address) as client:
        assert client.ask(message) == message
    wait_until(lambda: server.stats().connections_active == 0)
    assert server.opened.qsize() == server.ended.qsize() > 1
    # An answer may find that its client has reset meanwhile.
    assert {type(exc) for _, _, exc in server.errors} <= {iocpreuse.SessionClosed}


def test_clients_that_reset_before_they_are_accepted(serve):
    server = serve(accept_pool=1, workers=1)
    for _ in range(200):
        Client(server.address).reset()
    with Client(server.address) as client:
        assert client.ask(b"x") == b"x"
    wait_until(lambda: server.stats().connections_active == 0)
    assert server.opened.qsize() == server.ended.qsize()
    wait_until(lambda: server.stats().accepts_pending >= 1)


def test_clients_that_do_not_read(serve, stack):
    """They hold up nobody else, and end with the server."""

    class Floods(Recorder):
        def on_data(self, session, data):
            if data == b"flood":
                session.send(bytes(5_000_000))
            else:
                session.send(data)

    server = serve(Floods)
    for _ in range(20):
        stack.enter_context(Client(server.address, receive_buffer=65536)).sendall(b"flood")
    with Client(server.address) as client:
        assert client.ask(b"x") == b"x"
    server.stop(drain=0.1)
    assert server.stats().connections_active == 0


def test_pause_and_resume_accepting(serve):
    """While paused, sessions go on and new clients wait; then they are served."""
    server = serve(accept_pool=2)
    with Client(server.address) as client:
        assert client.ask(b"x") == b"x"
        server.pause_accepting()
        server.pause_accepting()
        wait_until(lambda: server.stats().accepts_pending == 0)
        before = server.stats().connections_total
        with Client(server.address) as waiting:
            waiting.sendall(b"later")
            assert client.ask(b"y") == b"y"
            assert server.stats().connections_total == before
            server.resume_accepting()
            assert waiting.receive(5) == b"later"
    wait_until(lambda: server.stats().accepts_pending >= 2)


def test_the_accept_pool_grows_to_its_limit_at_most(serve, stack):
    server = serve(accept_pool=2, accept_pool_max=4)
    for _ in range(100):
        stack.enter_context(Client(server.address))
        server.next_session()
        assert server.stats().accepts_pending <= 4
    stats = server.stats()
    assert 0 <= stats.accept_pool_grown - stats.accept_pool_shrunk <= 2


def test_slow_client(serve):
    """A message in single bytes is not lost, and not put together either."""
    server = serve()
    with Client(server.address) as client:
        for byte in b"slowly":
            assert client.ask(bytes([byte])) == bytes([byte])
    session, _ = server.next_end()
    assert session.messages_received == 6
