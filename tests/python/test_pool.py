"""The accept pool: growth, shrink, pause, and recovery when descriptors run out."""

import sys
import threading

import pytest
from peers import DEADLINE_SECONDS, Client, Recorder, run_python, wait_until

import iocpreuse


def test_the_pool_grows_under_a_burst_and_shrinks_after_it(serve, stack):
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
    wait_until(lambda: server.stats().accepts_pending == 4, "the shrink")
    stats = server.stats()
    assert stats.accept_pool_shrunk == stats.accept_pool_grown
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
