"""max_connections and max_connections_per_ip: who is turned away, and that nobody else notices."""

import socket
import threading
import time

import pytest
from peers import DEADLINE_SECONDS, Client, Recorder, in_threads, wait_until

from iocpreuse import CloseReason


def connect_from(host, server):
    """A client whose own address is HOST."""
    client = Client.__new__(Client)
    socket.socket.__init__(client, socket.AF_INET6 if ":" in host else socket.AF_INET)
    client.settimeout(DEADLINE_SECONDS)
    client.bind((host, 0))
    client.connect(server.address[:2])
    return client


def is_served(client):
    """Whether the server takes CLIENT in."""
    try:
        return client.ask(b"in") == b"in"
    except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError):
        return False


def refused(server):
    return server.stats().replaced_by_cause.get("refused", 0)


def active(server):
    return server.stats().connections_active


def leave(server, client):
    """Closes CLIENT and waits until the server has its place back."""
    before = active(server)
    client.close()
    server.next_end()
    wait_until(lambda: active(server) < before)


def test_each_address_has_its_own_places(serve, stack):
    server = serve(max_connections_per_ip=2)
    first = [stack.enter_context(connect_from("127.0.0.1", server)) for _ in range(2)]
    assert all(map(is_served, first))
    with connect_from("127.0.0.1", server) as third:
        assert not is_served(third)
    second = [stack.enter_context(connect_from("127.0.0.2", server)) for _ in range(2)]
    assert all(map(is_served, second))
    with connect_from("127.0.0.2", server) as third:
        assert not is_served(third)
    wait_until(lambda: refused(server) == 2)
    assert active(server) == 4
    assert server.stats().connections_total == 4
    # A refused client never was a session.
    assert len(server.sessions) == 4
    assert server.ended.empty()
    assert not server.errors
    assert all(map(is_served, first + second))


def test_a_place_is_free_again_as_soon_as_its_session_has_ended(serve):
    server = serve(max_connections_per_ip=1)
    for _ in range(50):
        with connect_from("127.0.0.1", server) as client:
            assert is_served(client)
            with connect_from("127.0.0.2", server) as other:
                assert is_served(other)
                leave(server, other)
            leave(server, client)
    assert refused(server) == 0
    assert server.stats().connections_total == 100


@pytest.mark.parametrize("end", ["reset", "close", "abort", "timeout", "raise"])
def test_every_way_to_go_frees_the_place(serve, end):
    class Ends(Recorder):
        def on_data(self, session, data):
            session.send(data)
            if data == b"close":
                session.close()
            elif data == b"abort":
                session.abort()
            elif data == b"raise":
                raise ValueError("on purpose")

        def on_error(self, session, where, exc):
            pass

    server = serve(Ends, max_connections_per_ip=1, idle_timeout=0.1 if end == "timeout" else None)
    for _ in range(5):
        with Client(server.address) as client:
            assert is_served(client)
            if end == "reset":
                client.reset()
            elif end != "timeout":
                client.sendall(end.encode())
                assert client.is_ended() in ("fin", "reset")
            else:
                assert client.receive_all() == b""
        server.next_end()
        wait_until(lambda: active(server) == 0)
    assert refused(server) == 0


def test_ipv4_and_ipv6_on_one_server(serve, stack):
    """An IPv4 client of a dual-stack server is the same, mapped or not; ::1 is somebody else."""
    server = serve(Recorder, "::", max_connections_per_ip=1)
    port = server.address[1]
    mapped = stack.enter_context(Client(("127.0.0.1", port)))
    assert is_served(mapped)
    session = server.next_session()
    assert session.peername[0] == "::ffff:127.0.0.1"
    with Client(("127.0.0.1", port)) as another:
        assert not is_served(another)
    six = stack.enter_context(Client(("::1", port)))
    assert is_served(six)
    with Client(("::1", port)) as another:
        assert not is_served(another)
    wait_until(lambda: refused(server) == 2)


def test_both_limits_together(serve, stack):
    server = serve(max_connections=3, max_connections_per_ip=2)
    clients = []
    for host, fits in (("127.0.0.1", 2), ("127.0.0.2", 1)):
        for _ in range(fits):
            clients.append(stack.enter_context(connect_from(host, server)))
            assert is_served(clients[-1])
        with connect_from(host, server) as another:
            assert not is_served(another)
    # Full: also for an address that has none yet, and that must not be counted then.
    for _ in range(3):
        with connect_from("127.0.0.3", server) as another:
            assert not is_served(another)
    wait_until(lambda: refused(server) == 5)
    leave(server, clients[0])
    for _ in range(2):
        with connect_from("127.0.0.3", server) as another:
            assert is_served(another)
            leave(server, another)
    assert all(map(is_served, clients[1:]))
    assert refused(server) == 5


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_ip"])
def test_a_flood_starves_nobody_and_leaves_the_server_whole(serve, stack, limit):
    served = 4
    server = serve(**{limit: served}, accept_pool=8, accept_pool_max=256)
    wait_until(lambda: server.stats().accepts_pending == 8)
    clients = [stack.enter_context(Client(server.address)) for _ in range(served)]
    assert all(map(is_served, clients))
    wait_until(lambda: server.stats().accepts_pending >= 8)
    grown = server.stats().accept_pool_grown
    over = threading.Event()
    floods = []
    worst = [0.0]

    def flood(number):
        count = 0
        while not over.is_set():
            with Client(server.address) as client:
                assert not is_served(client)
            count += 1
        floods.append(count)

    def talk(number):
        """Those who are served go on all the while."""
        try:
            turn = 0
            begin = time.monotonic()
            while turn < 100 or time.monotonic() < begin + 1.0:
                turn += 1
                message = b"%d:%d" % (number, turn)
                before = time.monotonic()
                assert clients[number].ask(message) == message
                worst[0] = max(worst[0], time.monotonic() - before)
        finally:
            with lock:
                talking.remove(number)
                if not talking:
                    over.set()

    lock = threading.Lock()
    talking = set(range(served))
    bodies = [talk] * served + [flood] * 4
    in_threads(len(bodies), lambda number: bodies[number](number))
    assert min(floods) > 0
    assert worst[0] < 2, f"a reply took {worst[0]:.3f} s"
    stats = server.stats()
    assert stats.connections_total == served
    assert stats.connections_active == served
    assert stats.accept_errors == 0
    # A crowd that is turned away is no reason for a larger pool.
    assert stats.accept_pool_grown == grown
    wait_until(lambda: refused(server) == sum(floods), "all are counted")
    leave(server, clients[0])
    with Client(server.address) as client:
        assert is_served(client)
    assert not server.errors
    reasons = [server.ended.get(timeout=DEADLINE_SECONDS)[1].reason]
    assert reasons == [CloseReason.PEER_EOF]


def test_a_flood_that_nobody_waits_for(serve, stack):
    """Clients that reset or leave before they are refused; then the server serves as ever."""
    server = serve(max_connections_per_ip=2, accept_pool=4)
    served = [stack.enter_context(Client(server.address)) for _ in range(2)]
    assert all(map(is_served, served))

    def flood(number):
        for turn in range(100):
            client = Client(server.address)
            if (number + turn) % 2 == 0:
                client.reset()
            else:
                client.close()

    in_threads(4, flood)
    # The backlog is a queue: when this one has been turned away, so have all before it. Else one
    # of them could still take the place of a client that leaves.
    with Client(server.address) as last:
        assert not is_served(last)
    assert all(map(is_served, served))
    for client in served:
        leave(server, client)
    wait_until(lambda: server.stats().accepts_pending >= 4)
    for _ in range(2):
        with Client(server.address) as client:
            assert is_served(client)
            leave(server, client)
    stats = server.stats()
    assert stats.connections_total == 4
    assert stats.connections_active == 0


def test_a_prefix_is_one_address(serve, stack):
    server = serve(max_connections_per_ip=2, ip_prefix=(30, 64))
    first = [stack.enter_context(connect_from(f"127.0.0.{host}", server)) for host in (1, 2)]
    assert all(map(is_served, first))
    with connect_from("127.0.0.3", server) as third:
        assert not is_served(third)
    with connect_from("127.0.0.4", server) as other:
        assert is_served(other)


def test_send_buffer_bounds_what_the_system_takes(serve, stack):
    class Floods(Recorder):
        def on_connect(self, session):
            session.send(bytes(8 << 20))
            super().on_connect(session)

    small, plain = (serve(Floods, send_buffer=size) for size in (16384, None))
    taken = []
    for server in (small, plain):
        stack.enter_context(Client(server.address, receive_buffer=4096))
        session = server.next_session()
        wait_until(lambda session=session: session.bytes_sent > 0)
        taken.append(session.bytes_sent)
    assert taken[0] < taken[1]
