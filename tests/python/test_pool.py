"""The accept pool: growth, shrink, pause, and recovery when descriptors run out."""

import sys
import threading
import time

import pytest
from peers import DEADLINE_SECONDS, Client, Recorder, in_threads, run_python, wait_until

import iocpreuse


@pytest.fixture
def soon_quiet(monkeypatch):
    """What nobody needs is given back after a second, instead of a minute."""
    monkeypatch.setattr("iocpreuse.engine.QUIET_SECONDS", 1.0)


def test_the_first_accepts_are_posted_when_start_returns(serve):
    for _ in range(20):
        server = serve(accept_pool=30)
        stats = server.stats()
        assert (stats.accepts_pending, stats.accept_pool_grown) == (30, 0)
        server.stop()


def test_clients_that_come_with_start_do_not_enlarge_the_pool(serve, stack):
    server = serve(accept_pool=64)
    clients = [stack.enter_context(Client(server.address)) for _ in range(60)]
    assert clients[-1].ask(b"x") == b"x"
    wait_until(lambda: server.stats().connections_active == len(clients))
    stats = server.stats()
    assert stats.accept_pool_grown == 0
    assert stats.sockets_created <= len(clients) + 64


def come_and_go(server, crowd, seconds):
    """CROWD clients at a time connect, ask, and close first, for SECONDS."""
    end = time.monotonic() + seconds

    def visit(_number):
        while time.monotonic() < end:
            with Client(server.address) as client:
                assert client.ask(b"x") == b"x"

    before = threading.stack_size(256 * 1024)
    try:
        in_threads(crowd, visit)
    finally:
        threading.stack_size(before)
    wait_until(lambda: server.stats().connections_active == 0, "the last client's end")


@pytest.mark.parametrize(("crowd", "accept_pool_max"), [(300, 1024), (300, 64), (1000, 1024)])
def test_every_polite_client_leaves_a_socket_for_another(
    serve, crowd, accept_pool_max, expect_recycling
):
    if expect_recycling != "verified":
        pytest.skip("sockets are not recycled here")
    server = serve(accept_pool_max=accept_pool_max)
    come_and_go(server, crowd, 5.0)
    stats = server.stats()
    print(f"{crowd} at a time: {stats}")  # for the log of a run that fails
    assert stats.connections_total > 2 * crowd
    assert stats.recycled_share >= 0.99
    assert stats.sockets_created <= 1.1 * (crowd + 64)
    assert "surplus" not in stats.replaced_by_cause


def test_spare_sockets_are_given_back_in_quiet(serve, expect_recycling, soon_quiet):
    if expect_recycling != "verified":
        pytest.skip("sockets are not recycled here")
    server = serve(accept_pool=4)
    come_and_go(server, 50, 0.5)
    assert server.stats().sockets_created > 20

    def is_small():
        stats = server.stats()
        return (stats.sockets_spare, stats.accepts_pending) == (0, 4)

    wait_until(is_small, "the end of the last spare socket")
    stats = server.stats()
    assert stats.replaced_by_cause["shrunk"] > 10
    assert stats.accept_pool_shrunk == stats.accept_pool_grown


def test_spare_sockets_are_no_more_than_one_wants(serve, stack, expect_recycling):
    if expect_recycling != "verified":
        pytest.skip("sockets are not recycled here")
    server = serve(accept_pool=4, accept_pool_max=4, spare_sockets=3)
    clients = [stack.enter_context(Client(server.address)) for _ in range(30)]
    wait_until(lambda: server.stats().connections_active == 30)
    for client in clients:
        client.close()
    wait_until(lambda: server.stats().connections_active == 0)
    wait_until(lambda: server.stats().sockets_cooling == 0)
    stats = server.stats()
    assert stats.sockets_spare <= 3
    assert stats.replaced_by_cause["surplus"] >= 20


def test_the_pool_grows_under_a_burst_and_shrinks_after_it(serve, stack, soon_quiet):
    release = threading.Event()

    class Sleepy(Recorder):
        def on_connect(self, session):
            release.wait(DEADLINE_SECONDS)

    server = serve(Sleepy, accept_pool=4, accept_pool_max=64, workers=1)
    stack.callback(release.set)
    # The only worker is held up, so these find the four accepts that are posted, and then none.
    clients = [stack.enter_context(Client(server.address)) for _ in range(100)]
    release.set()
    wait_until(lambda: server.stats().connections_active == len(clients))
    stats = server.stats()
    assert stats.accept_errors == 0
    assert 0 < stats.accept_pool_grown <= 60

    def is_small():
        stats = server.stats()
        return stats.accept_pool_shrunk == stats.accept_pool_grown and stats.accepts_pending == 4

    wait_until(is_small, "the shrink")
    assert clients[-1].ask(b"still here") == b"still here"


def test_a_pool_at_its_maximum_stays_there(serve, stack):
    server = serve(accept_pool=4, accept_pool_max=4)
    for _ in range(100):
        stack.enter_context(Client(server.address))
    wait_until(lambda: server.stats().connections_active == 100)
    assert server.stats().accept_pool_grown == 0


def test_pause_and_resume(serve, stack):
    server = serve(accept_pool=8)
    with Client(server.address) as before:
        assert before.ask(b"x") == b"x"
        server.pause_accepting()
        wait_until(lambda: server.stats().accepts_pending == 0)
        waiting = stack.enter_context(Client(server.address))
        waiting.sendall(b"hello")
        assert before.ask(b"still served") == b"still served"
        assert len(server.sessions) == 1
        server.resume_accepting()
        assert waiting.receive(5) == b"hello"
    wait_until(lambda: server.stats().accepts_pending >= 8)
    assert server.stats().accept_errors == 0


def test_stop_while_paused(serve):
    server = serve()
    server.pause_accepting()
    server.stop()
    assert server.stats().accepts_pending == 0


def test_pause_before_start():
    with pytest.raises(iocpreuse.ServerStateError):
        iocpreuse.Server("127.0.0.1").pause_accepting()


def test_accept_pool_options():
    with pytest.raises(ValueError, match="accept_pool_max"):
        Recorder(accept_pool=10, accept_pool_max=5)
    with pytest.raises(ValueError, match="cooling_max"):
        Recorder(cooling_max=-1)
    with pytest.raises(ValueError, match="spare_sockets must be an integer from 0 to 65536, or"):
        Recorder(spare_sockets=-1)
    with pytest.raises(TypeError, match="spare_sockets"):
        Recorder(spare_sockets=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on descriptors")
def test_descriptors_run_out_and_come_back():
    child = run_python(
        code="""
        import contextlib
        import os
        import resource
        from peers import Client, Recorder, wait_until

        with contextlib.ExitStack() as stack, Recorder(accept_pool=8) as server:
            clients = [stack.enter_context(Client(server.address)) for _ in range(5)]
            wait_until(lambda: server.stats().connections_active == 5)
            _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            highest = clients[-1].fileno() + 64
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            spare = os.dup(0)
            # Each client takes a descriptor here, and at last the server's side of it finds none.
            hungry = []
            with contextlib.suppress(OSError):
                while True:
                    hungry.append(stack.enter_context(Client(server.address)))
            everyone = len(clients) + len(hungry)
            wait_until(lambda: server.stats().accept_errors > 0
                       or server.stats().connections_active == everyone)
            os.close(spare)
            if server.stats().accept_errors == 0:
                hungry.append(stack.enter_context(Client(server.address)))
            wait_until(lambda: server.stats().accept_errors > 0)
            for client in hungry[:-5]:
                client.close()
            for number, client in enumerate(hungry[-5:] + clients):
                mark = b"%04d" % number
                assert client.ask(mark) == mark, number
        print("recovered")
        """
    )
    assert "cannot accept clients, who wait in the backlog meanwhile" in child.stderr
    assert "Traceback" not in child.stderr
    assert child.stdout == "recovered\n"
    assert child.returncode == 0


def test_the_pool_does_not_grow_while_the_server_stops(serve):
    """A stop takes the accepts back, which must not look like clients that came."""
    server = serve(accept_pool=20)
    wait_until(lambda: server.stats().accepts_pending == 20)
    server.stop()
    stats = server.stats()
    assert stats.accept_pool_grown == stats.accept_pool_shrunk == stats.accept_errors == 0
