"""Nothing stays behind: objects, descriptors, memory. In child processes, so that it counts."""

import os

import pytest
from peers import WINDOWS, run_python

COMMON = """
    import collections, gc, os, sys, weakref
    from peers import Client, Recorder, wait_until
    import iocpreuse
    from iocpreuse import _engine

    def serve(clients, server_class=Recorder):
        with server_class(accept_pool=4, workers=2) as server:
            for number in range(clients):
                with Client(server.address) as client:
                    client.ask(b"x" * 2000)
                    if number % 3 == 0:
                        client.reset()

    def alive(*types):
        gc.collect()
        return sum(isinstance(thing, types) for thing in gc.get_objects())
"""


def check(code):
    done = run_python(code=COMMON + code, timeout=110)
    assert done.stderr == ""
    assert done.stdout.split()[-1:] == ["ok"], done.stdout
    assert done.returncode == 0


def test_sessions_and_engines_are_freed():
    check(
        """
    for _ in range(5):
        serve(20)
    print(alive(_engine.Session, _engine.Engine, iocpreuse.Server))
    assert alive(_engine.Session, _engine.Engine, iocpreuse.Server) == 0
    print("ok")
    """
    )


def test_sessions_are_freed_while_the_server_runs():
    check(
        """
    class Plain(iocpreuse.Server):
        def on_data(self, session, data):
            session.state = [session, data, self]  # a cycle
            session.send(data)

    with Plain("127.0.0.1") as server:
        for _ in range(100):
            with Client(server.address) as client:
                client.ask(b"x")
        wait_until(lambda: server.stats().connections_active == 0)
        wait_until(lambda: alive(_engine.Session) == 0)
    print("ok")
    """
    )


def test_a_session_has_nothing_of_those_that_are_over():
    """Their memory serves again, also in the next server; more of them than are kept for that."""
    check(
        """
    class Keeps(Recorder):
        def on_connect(self, session):
            assert (session.state, session.net_id, session.logged_in_at) == (None, None, None)
            assert weakref.getweakrefcount(session) == session.priority == 0
            assert session.bytes_received == 0 and not session.is_closing()
            session.login(session.id)
            session.state = weakref.ref(session)
            session.priority = 7
            super().on_connect(session)

        def on_error(self, session, where, exc):
            raise exc

    types = sys.getrefcount(_engine.Session)
    ids = set()
    for server in (Keeps(), Keeps()):
        with server:
            for count in (10, 300, 300):
                clients = [Client(server.address) for _ in range(count)]
                sessions = [server.next_session() for _ in clients]
                assert len(set(map(id, sessions))) == count
                ids.update(session.id for session in sessions)
                refs = [weakref.ref(session) for session in sessions]
                for client in clients:
                    client.ask(b"x")
                    client.close()
                sessions.clear()
                for _ in clients:
                    server.next_end()
                # Without a GIL its maker frees an object, when that next runs; or gc does.
                wait_until(lambda: alive(_engine.Session) == 0)
                assert not any(ref() for ref in refs)
    assert len(ids) == 1220
    gc.collect()
    assert sys.getrefcount(_engine.Session) == types
    print("ok")
    """
    )


def test_bytes_that_were_sent_are_released():
    check(
        """
    payload = b"p" * 100_000
    before = sys.getrefcount(payload)

    class Sends(iocpreuse.Server):
        def on_data(self, session, data):
            try:
                for _ in range(5):
                    session.send(payload)
            except iocpreuse.SessionClosed:
                pass  # the client has left with a reset
            if data == b"abort":
                session.abort()

    with Sends("127.0.0.1") as server:
        for number in range(30):
            with Client(server.address) as client:
                client.sendall(b"abort" if number % 2 else b"x")
                client.recv(1000) if number % 2 == 0 else None
        wait_until(lambda: server.stats().connections_active == 0)
        wait_until(lambda: sys.getrefcount(payload) == before)
    assert sys.getrefcount(payload) == before
    print("ok")
    """
    )


def test_callbacks_do_not_leak_references():
    """Each callback, also when it raises; and the exceptions it raised."""
    check(
        """
    class Failure(Exception):
        pass

    class Fails(Recorder):
        def fail(self, *args):
            raise Failure
        def on_error(self, session, where, exc):
            pass

    for name in ("on_connect", "on_data", "on_eof", "on_drain", "on_disconnect"):
        server_class = type(name, (Fails,), {name: Fails.fail})
        with server_class(write_low=0, write_high=0) as server:
            for _ in range(20):
                with Client(server.address) as client:
                    try:
                        client.sendall(b"x")
                        client.half_close()
                    except OSError:
                        pass
                    client.is_ended()
            wait_until(lambda: server.stats().connections_active == 0)
    del server, server_class, client
    assert alive(Failure) == 0
    wait_until(lambda: alive(_engine.Session, _engine.Engine) == 0)
    print("ok")
    """
    )


def test_failed_constructions_leave_nothing():
    check(
        """
    with Recorder() as taken:
        for _ in range(50):
            try:
                Recorder("127.0.0.1", taken.address[1]).start()
            except OSError:
                pass
            try:
                _engine.Engine(address="wrong")
            except TypeError:
                pass
    del taken
    assert alive(_engine.Engine, iocpreuse.Server) == 0
    print("ok")
    """
    )


@pytest.mark.skipif(WINDOWS, reason="reads /proc")
def test_descriptors_are_closed():
    check(
        """
    def descriptors():
        gc.collect()  # a server and its engine refer to each other
        return len(os.listdir("/proc/self/fd"))

    serve(10)
    before = descriptors()
    for _ in range(3):
        serve(300)
    assert descriptors() == before
    for _ in range(20):
        try:
            Recorder("192.0.2.1").start()
        except OSError:
            pass
    assert descriptors() == before
    print("ok")
    """
    )


@pytest.mark.skipif(WINDOWS, reason="reads /proc")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="ASan keeps what is freed")
def test_memory_does_not_grow():
    """Serving twice as many clients takes no more memory than before."""
    check(
        """
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    class Plain(iocpreuse.Server):
        def on_data(self, session, data):
            session.send(data)

    with Plain("127.0.0.1", accept_pool=4, workers=2) as server:
        def clients(count):
            for number in range(count):
                with Client(server.address) as client:
                    client.ask(b"x" * 10_000)
        clients(1500)
        before = resident()
        clients(3000)
        grown = resident() - before
    print(grown)
    assert grown < 1_500_000, grown
    print("ok")
    """
    )
