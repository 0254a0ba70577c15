"""The end of the interpreter, in every way that it can come while a server runs."""

import time

import pytest
from peers import run_python


def test_the_interpreter_ends_with_a_server_running():
    done = run_python(
        code="""
        from peers import Client, Recorder

        class Tells(Recorder):
            def on_disconnect(self, session, why):
                print(why.reason.value, flush=True)

        server = Tells().start()
        client = Client(server.address)
        print(client.ask(b"x"), flush=True)
        client.detach()
        """
    )
    assert done.stdout.split() == ["b'x'", "shutdown"]
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_interpreter_ends_by_an_exception():
    done = run_python(
        code="""
        from peers import Recorder
        with Recorder() as server:
            raise SystemExit(7)
        """
    )
    assert (done.returncode, done.stderr) == (7, "")


HANGS = """
        import os, sys, threading, time
        from peers import Client, Recorder

        class Hangs(Recorder):
            entered = threading.Semaphore(0)
            def on_data(self, session, data):
                self.entered.release()
                if data == b"lock":
                    threading.Event().wait()
                if data == b"sleep":
                    time.sleep(1000)
                while data == b"loop":
                    pass
"""


@pytest.mark.parametrize("how", ["lock", "sleep", "loop"])
def test_callbacks_that_hang_hold_up_the_end_for_a_few_seconds_only(how):
    """Two servers, each with a callback that never returns: their waits do not add up."""
    started = time.monotonic()
    done = run_python(
        code=HANGS
        + f"""
        sys.setswitchinterval(0.0005)
        clients = []
        for server in (Hangs().start(), Hangs().start()):
            clients.append(Client(server.address))
            clients[-1].sendall(b"{how}")
            assert Hangs.entered.acquire(timeout=30)
        for client in clients:
            client.detach()
        print("end", flush=True)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
    assert 4 < time.monotonic() - started < 25


def test_the_interpreter_ends_in_the_midst_of_traffic():
    """Threads that serve, send and connect until they are cut off: no crash, no message."""
    done = run_python(
        code="""
        import threading
        from peers import Client, Recorder

        class Busy(Recorder):
            def on_connect(self, session):
                def send():
                    try:
                        while True:
                            session.send(b"x" * 100)
                    except (ConnectionError, BlockingIOError):
                        pass
                threading.Thread(target=send, daemon=True).start()

        server = Busy(workers=3, write_limit=100_000).start()
        came = threading.Semaphore(0)

        def churn():
            while True:
                try:
                    with Client(server.address) as client:
                        client.recv(1000)
                except ConnectionRefusedError:
                    return  # the server has gone
                except ConnectionError:
                    pass  # aborted by now, for it reads too slowly
                came.release()

        for _ in range(3):
            threading.Thread(target=churn, daemon=True).start()
        for _ in range(30):
            assert came.acquire(timeout=30)
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_sys_exit_in_a_callback_ends_that_session_only():
    done = run_python(
        code="""
        import sys
        from peers import Client, Recorder

        class Exits(Recorder):
            def on_data(self, session, data):
                sys.exit(5)

        with Exits() as server, Client(server.address) as client:
            client.sendall(b"x")
            client.is_ended()
            print(server.next_end()[1].reason.value, [type(e[2]).__name__ for e in server.errors])
            with Client(server.address) as other:
                server.next_session()
        """
    )
    assert done.stdout == "callback_error ['SystemExit']\n"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("start", ["", "server.start(); server.stop()"])
def test_the_interpreter_ends_with_a_server_that_does_not_run(start):
    done = run_python(
        code=f"""
        from peers import Recorder
        server = Recorder()
        {start}
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_os_exit_asks_nobody():
    started = time.monotonic()
    done = run_python(
        code="""
        import os
        from peers import Client, Recorder

        class Tells(Recorder):
            def on_disconnect(self, session, why):
                print("told", flush=True)

        server = Tells().start()
        client = Client(server.address)
        assert client.ask(b"x") == b"x"
        os._exit(9)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (9, "", "")
    assert time.monotonic() - started < 25


def test_a_server_that_a_thread_started_is_stopped_by_the_end():
    """The thread has ended long since; the server has not, and its clients hear of the end."""
    done = run_python(
        code="""
        import threading
        from peers import Client, Recorder

        class Tells(Recorder):
            def on_disconnect(self, session, why):
                print(why.reason.value, flush=True)

        servers = []
        starter = threading.Thread(target=lambda: servers.append(Tells().start()))
        starter.start()
        starter.join()
        client = Client(servers[0].address)
        for _ in range(3):
            assert client.ask(b"x") == b"x"
        client.detach()
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "shutdown\n", "")


def test_servers_that_start_while_the_interpreter_ends():
    """Those that are known at that moment are stopped; the others do not disturb it."""
    done = run_python(
        code="""
        import threading
        import time
        import iocpreuse

        def start_more():
            while True:
                try:
                    server = iocpreuse.Server("127.0.0.1").start()
                except RuntimeError:
                    return  # no more threads: it ends
                server.stop()

        for _ in range(4):
            threading.Thread(target=start_more, daemon=True).start()
        time.sleep(0.3)
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
