"""Processes that fork, or start others, with servers running or not."""

import os

import pytest
from peers import WINDOWS, run_python

needs_fork = pytest.mark.skipif(WINDOWS, reason="Windows has no fork")

# From 3.12 on a fork is warned of where there are threads, and these tests are about just that.
SETUP = """
    import contextlib, os, signal, socket, sys, threading, time, warnings
    warnings.filterwarnings("ignore", "This process .*is multi-threaded", DeprecationWarning)
    import iocpreuse
    from peers import Client, Recorder, wait_until

    def in_child(body):
        # Runs BODY in a forked child; its exit status. A child that hangs is killed by SIGALRM.
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            try:
                body()
                sys.stdout.flush()
            except BaseException:
                import traceback
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        return os.waitpid(pid, 0)[1]

    def refused(call):
        try:
            call()
        except iocpreuse.ServerStateError as exc:
            assert "another process" in str(exc), exc
            return True
        return False
"""


def python(code, lines, **how):
    done = run_python(code=SETUP + code, **how)
    assert done.stderr == ""
    assert done.stdout.split() == lines
    assert done.returncode == 0


@needs_fork
def test_the_server_is_the_parents():
    """In the child every call is refused at once, and the parent's client notices nothing."""
    python(
        """
    class Notes(Recorder):
        def on_data(self, session, data):
            self.pending = session.begin("late")
            super().on_data(session, data)

    server = Notes().start()
    client = Client(server.address)
    assert client.ask(b"before") == b"before"
    session = server.next_session()
    session.login("name")

    def child():
        calls = (
            server.start, server.stop, server.wait, lambda: server.wait(1), server.serve_forever,
            lambda: server.serve_forever(handle_signals=False), server.stats,
            server.pause_accepting, server.resume_accepting, lambda: server.address,
            lambda: server.recycling, lambda: server.send(session.id, b"child"),
            server.__enter__, lambda: server.pending.reply(b"child"),
            lambda: server.broadcast(b"child"),
        )
        print([call for call in calls if not refused(call)])
        print(len(server.sessions), len(server.logged_in), server.get(session.id))
        print(repr(server).count("another"))
        for call in (lambda: session.send(b"child"), lambda: session.login("x"),
                     lambda: session.begin("x")):
            try:
                call()
            except iocpreuse.SessionClosed:
                print("closed")
        session.close()
        session.abort()
        print(session.is_closing(), session.bytes_received, session.peername[0])
        with Recorder() as mine, Client(mine.address) as other:
            print(other.ask(b"mine").decode())

    assert in_child(child) == 0
    assert client.ask(b"after") == b"after"
    assert len(server.sessions) == 1 and server.logged_in["name"] is session
    client.close()
    why = server.next_end()[1]
    server.stop()
    print(server.stats().connections_total, why.reason.value)
    """,
        [
            "[]",
            "0",
            "0",
            "None",
            "1",
            *["closed"] * 3,
            "True",
            "6",
            "127.0.0.1",
            "mine",
            "1",
            "peer_eof",
        ],
    )


@needs_fork
def test_a_connection_ends_although_a_child_lives_on():
    """A child that kept copies of the sockets would keep the clients' connections open."""
    python(
        """
    server = Recorder().start()
    client = Client(server.address)
    assert client.ask(b"x") == b"x"
    session = server.next_session()
    before = set(os.listdir("/proc/self/fd"))
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        os.close(write_end)
        os.read(read_end, 1)  # until the parent ends
        os._exit(0)
    os.close(read_end)

    def sockets_of(pid):
        links = []
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # it has just been closed
                links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        return sum("socket" in link or "epoll" in link or "event" in link for link in links)

    wait_until(lambda: sockets_of(pid) == 1)  # the client's own
    session.close()
    print(client.is_ended())
    client.close()
    os.close(write_end)
    print(os.waitpid(pid, 0)[1])
    server.stop()
    try:
        Client(server.address)
    except ConnectionRefusedError:
        print("refused")
    """,
        ["fin", "0", "refused"],
    )


@needs_fork
@pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""),
    reason="ASan's allocator may be locked by another thread in a fork (llvm-project #75290)",
)
@pytest.mark.parametrize("end", ["return", "sys.exit(3)", "os._exit(3)", "raise ValueError"])
def test_a_child_ends_like_any_other(end):
    """Also inside the with block, and with the parent's threads in the midst of things."""
    done = run_python(
        code=SETUP
        + f"""
    # No Recorder: each child would copy, and free, all that it has written down.
    class Chatters(iocpreuse.Server):
        def on_connect(self, session):
            session.send(b"x" * 1000)

    def child():
        {end}

    def main():
        with Chatters("127.0.0.1", workers=3) as server:
            stop = threading.Event()

            def churn():
                while not stop.is_set():
                    with Client(server.address) as client:
                        client.receive(1000)

            threads = [threading.Thread(target=churn) for _ in range(3)]
            for thread in threads:
                thread.start()
            for _ in range(30):
                pid = os.fork()
                if pid == 0:
                    signal.alarm(30)
                    return child()
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            stop.set()
            for thread in threads:
                thread.join()
            with Client(server.address) as client:
                print(len(client.receive(1000)), flush=True)

    main()
    """
    )
    status = {"return": 0, "raise ValueError": 1}.get(end, 3)
    assert done.stdout.split() == [str(status)] * 30 + ["1000"]
    errors = [line for line in done.stderr.splitlines() if line and not line.startswith(" ")]
    raised = ["Traceback (most recent call last):", "ValueError"]
    assert errors == (raised * 30 if status == 1 else [])


@needs_fork
def test_a_fork_in_a_callback():
    """The child that comes out of the callback ends; the parent serves on, no client is lost."""
    python(
        """
    class Forks(Recorder):
        def on_data(self, session, data):
            if data == b"fork":
                pid = os.fork()
                if pid == 0:
                    signal.alarm(30)
                    assert refused(self.stop)
                    return
                data = b"%4d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            session.send(data)

    with Forks(workers=2) as server:
        clients = [Client(server.address) for _ in range(5)]
        for turn in range(5):
            for client in clients:
                client.sendall(b"fork")
            for client in clients:
                assert client.receive(4) == b"   0"
        for client in clients:
            assert client.ask(b"x") == b"x"
            client.close()
        print(server.errors)
    """,
        ["[]"],
    )


@needs_fork
def test_a_child_gets_its_signals_back():
    """Forked while the parent is in serve_forever, it ends by SIGTERM, and the parent does not."""
    python(
        """
    class Forks(Recorder):
        def on_data(self, session, data):
            read_end, write_end = os.pipe()
            pid = os.fork()
            if pid == 0:
                signal.alarm(30)
                os.write(write_end, b"x")
                while True:
                    time.sleep(1)
            os.read(read_end, 1)
            os.close(read_end)
            os.close(write_end)
            os.kill(pid, signal.SIGTERM)
            session.send(b"%3d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    server = Forks().start()

    def ask():
        with Client(server.address) as client:
            client.sendall(b"x")
            print(client.receive(3).decode(), flush=True)
            client.sendall(b"x")
            print(client.receive(3).decode(), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    asker = threading.Timer(0.3, ask)
    asker.start()
    server.serve_forever()
    asker.join()
    """,
        ["-15", "-15"],
    )


@needs_fork
def test_fork_before_start():
    """A server that has not been started belongs to whoever starts it."""
    python(
        """
    server = Recorder()

    def child():
        with server, Client(server.address) as client:
            print(client.ask(b"child").decode())

    assert in_child(child) == 0
    with server, Client(server.address) as client:
        print(client.ask(b"parent").decode())
    """,
        ["child", "parent"],
    )


@needs_fork
def test_children_share_a_listening_socket():
    """Pre-forking: each child serves on the socket that the parent has opened; both get clients."""
    python(
        """
    class Tells(Recorder):
        def on_data(self, session, data):
            session.send(b"%d" % os.getpid())

    sock = socket.create_server(("127.0.0.1", 0))
    address = sock.getsockname()
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            Tells(None, sock=sock, accept_pool=4).serve_forever()
            os._exit(7)
        children.append(pid)
    sock.close()
    seen = set()
    deadline = time.monotonic() + 30
    while len(seen) < 2 and time.monotonic() < deadline:
        clients = [Client(address) for _ in range(8)]
        for client in clients:
            client.sendall(b"?")
            seen.add(client.recv(100))
        for client in clients:
            client.close()
    print(seen - {b""} == {b"%d" % pid for pid in children})
    for pid in children:
        os.kill(pid, signal.SIGTERM)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """,
        ["True", "7", "7"],
    )


POOL = """
import multiprocessing
import sys
import warnings

from peers import Client, Recorder

warnings.filterwarnings("ignore", "This process .*is multi-threaded", DeprecationWarning)


def serve_in_child(number):
    with Recorder() as server, Client(server.address) as client:
        return client.ask(b"%d" % number)


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with Recorder() as server, Client(server.address) as client:
        assert client.ask(b"x") == b"x"
        with context.Pool(2) as pool:
            print(pool.map(serve_in_child, range(4)))
        assert client.ask(b"y") == b"y"
    print("done")
"""


@pytest.mark.parametrize("method", ["spawn"] if WINDOWS else ["spawn", "fork", "forkserver"])
def test_multiprocessing(tmp_path, method):
    """Servers in the parent and in a pool's processes, which are ended by SIGTERM."""
    program = tmp_path / "pool_program.py"
    program.write_text(POOL, "utf-8")
    done = run_python(str(program), method)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[b'0', b'1', b'2', b'3']", "done"]
    assert done.returncode == 0
