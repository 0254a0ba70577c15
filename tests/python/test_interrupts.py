"""Ctrl-C, and stop() in a signal handler, at each instruction of start, stop and serve_forever."""

import contextlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest
from peers import DEADLINE_SECONDS, WINDOWS, Client, Recorder, in_threads, wait_until

import iocpreuse
from iocpreuse import ServerStateError

# A start takes a hundred times as long under Wine: every so many instructions there.
STEP = 17 if WINDOWS else 1
PACKAGE = str(Path(iocpreuse.__file__).parent)


class AtInstruction:
    """Calls ACT before the instruction COUNT of the package's code that this thread runs."""

    def __init__(self, count, act):
        self.left = count
        self.act = act
        self.where = None  # what was interrupted

    def __enter__(self):
        self._before = sys.gettrace()
        # Python 3.12 looks only here whether anybody has ever wanted to see instructions.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(self._call)
        return self

    def __exit__(self, *exc):
        sys.settrace(self._before)

    def _call(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._step

    def _step(self, frame, event, arg):
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                self.where = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
                self.act()
        return self._step


def interrupt():
    raise KeyboardInterrupt


def every_instruction(attempt, first=1):
    """Calls ATTEMPT(count) for each count, until it says that there are no more instructions."""
    count = first
    while attempt(count):
        count += STEP
    assert count > 20  # it did interrupt something
    return count


def package_threads():
    return [thread.name for thread in threading.enumerate() if "iocpreuse" in thread.name]


def assert_no_threads(where=None):
    """The last one ends a moment after it has told so."""
    wait_until(lambda: not package_threads(), f"{where}: the end of {package_threads()}")


def assert_port_is_free(port):
    with socket.socket() as sock:
        # As the server itself binds; of a client's end there is none here.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen()


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def stops_in_time(server):
    """Whether stop() comes to its end; in another thread, as a hang would be one for ever."""
    stopper = threading.Thread(target=server.stop, kwargs={"drain": 0}, daemon=True)
    stopper.start()
    stopper.join(DEADLINE_SECONDS)
    return not stopper.is_alive()


def test_ctrl_c_at_each_instruction_of_start():
    port = unused_port()

    def attempt(count):
        server = Recorder("127.0.0.1", port, workers=1, recycle="off")
        with AtInstruction(count, interrupt) as at:
            try:
                server.start()
                return_value = True
            except KeyboardInterrupt:
                return_value = False
        if "running" in repr(server):
            # Only where start() was about to return.
            assert at.where is None or at.where.startswith("Server.start"), at.where
        else:
            assert not return_value
            assert package_threads() == [], at.where  # not a moment later
            assert_port_is_free(port)
            server.start()
        with Client(("127.0.0.1", port)) as client:
            assert client.ask(b"x") == b"x"
        assert stops_in_time(server), at.where
        assert_no_threads()
        return at.where is not None

    every_instruction(attempt)


def test_ctrl_c_at_each_instruction_of_start_gives_the_socket_back():
    if sys.platform == "win32":
        pytest.skip("a socket that a port has had goes to no other port on Windows")
    sock = socket.create_server(("127.0.0.1", 0))
    address = sock.getsockname()

    def attempt(count):
        server = Recorder(None, sock=sock, workers=1, recycle="off")
        with AtInstruction(count, interrupt) as at:
            try:
                server.start()
            except KeyboardInterrupt:
                pass
            else:
                return stops_in_time(server) and False
        if "running" in repr(server):
            assert at.where.startswith("Server.start"), at.where
            return stops_in_time(server) and False
        assert sock.getsockname() == address, at.where
        assert sock.gettimeout() is None
        with Client(address) as client:
            accepted, _ = sock.accept()
            with accepted:
                client.sendall(b"x")
                assert accepted.recv(1) == b"x"
        return True

    with sock:
        every_instruction(attempt)
    assert_no_threads()


def test_ctrl_c_at_each_instruction_of_stop():
    def attempt(count):
        server = Recorder("127.0.0.1", 0, workers=1, recycle="off").start()
        port = server.address[1]
        waiter = threading.Thread(target=server.wait, daemon=True)
        waiter.start()
        with AtInstruction(count, interrupt) as at:
            try:
                server.stop(drain=0)
            except KeyboardInterrupt:
                assert stops_in_time(server), at.where
        waiter.join(DEADLINE_SECONDS)
        assert not waiter.is_alive(), at.where
        assert_no_threads(at.where)
        assert_port_is_free(port)
        return at.where is not None

    every_instruction(attempt)


def test_ctrl_c_at_each_instruction_of_a_stop_before_the_start():
    def attempt(count):
        server = Recorder("127.0.0.1", 0)
        waiter = threading.Thread(target=server.wait, daemon=True)
        waiter.start()
        with AtInstruction(count, interrupt) as at:
            try:
                server.stop()
            except KeyboardInterrupt:
                # It is stopped, or it is as if nothing had been.
                if "not started" in repr(server):
                    server.stop()
        waiter.join(DEADLINE_SECONDS)
        assert not waiter.is_alive(), at.where
        with pytest.raises(ServerStateError, match="is stopped"):
            server.start()
        return at.where is not None

    every_instruction(attempt)


# A socket that is interrupted on its way to a name is closed by the interpreter, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_each_instruction_of_serve_forever():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    class Quits(Recorder):
        def on_data(self, session, data):
            self.stop(drain=0)

    def attempt(count):
        server = Quits("127.0.0.1", unused_port(), workers=1, recycle="off")

        def end():
            wait_until(lambda: "not started" not in repr(server))
            server.stop(drain=0)

        ender = threading.Thread(target=end, daemon=True)
        ender.start()
        with AtInstruction(count, interrupt) as at:
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                assert stops_in_time(server), at.where
            except ServerStateError:
                pass  # the other thread has stopped it before it began
        ender.join(DEADLINE_SECONDS)
        assert not ender.is_alive(), at.where
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before, (
            at.where
        )
        assert signal.set_wakeup_fd(-1) == -1, at.where
        assert_no_threads(at.where)
        return at.where is not None

    every_instruction(attempt)


@pytest.mark.parametrize("from_handler", [False, True])
def test_stop_at_each_instruction_of_start(from_handler):
    """In a signal handler of the same thread, or in another one while this one stands still."""
    handler = signal.getsignal(signal.SIGTERM)

    def attempt(count):
        server = Recorder("127.0.0.1", 0, workers=1, recycle="off")

        def stop():
            if from_handler:
                signal.raise_signal(signal.SIGTERM)
            else:
                assert stops_in_time(server)

        if from_handler:
            signal.signal(signal.SIGTERM, lambda *_: server.stop())
        # The error: it was stopped before it began.
        with AtInstruction(count, stop) as at, contextlib.suppress(ServerStateError):
            server.start()
        assert at.where is None or "stopped" in repr(server), at.where
        if at.where is None:
            server.stop()
        assert server.wait(DEADLINE_SECONDS), at.where
        assert_no_threads(at.where)
        return at.where is not None

    try:
        every_instruction(attempt)
    finally:
        signal.signal(signal.SIGTERM, handler)


def test_stop_in_a_handler_at_each_instruction_of_stop():
    def attempt(count):
        server = Recorder("127.0.0.1", 0, workers=1, recycle="off").start()
        with AtInstruction(count, server.stop) as at:
            server.stop()
        assert server.wait(0), at.where
        assert_no_threads(at.where)
        return at.where is not None

    every_instruction(attempt)


def test_a_handler_stops_while_start_resolves_a_name(monkeypatch):
    real = socket.getaddrinfo
    resolving = threading.Event()

    def slow(*arguments, **options):
        resolving.set()
        assert stop_asked.wait(DEADLINE_SECONDS)
        return real(*arguments, **options)

    def stop(*_):
        threading.Timer(0.05, stop_asked.set).start()
        server.stop()

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    stop_asked = threading.Event()
    server = Recorder("localhost")
    before = signal.signal(signal.SIGTERM, stop)
    try:
        main = threading.main_thread().ident
        if hasattr(signal, "pthread_kill"):
            signaller = lambda: resolving.wait() and signal.pthread_kill(main, signal.SIGTERM)  # noqa: E731
        else:
            signaller = lambda: resolving.wait() and signal.raise_signal(signal.SIGTERM)  # noqa: E731
        thread = threading.Thread(target=signaller)
        thread.start()
        server.start()
        thread.join()
        assert server.wait(DEADLINE_SECONDS)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert_no_threads()


def test_starts_and_stops_from_many_threads():
    for _ in range(20):
        server = Recorder("127.0.0.1", 0, workers=1, recycle="off")
        outcomes = []

        def body(number, server=server, outcomes=outcomes):
            try:
                server.stop(drain=0) if number % 2 else server.start()
                outcomes.append(number % 2)
            except ServerStateError:
                pass

        in_threads(8, body)
        assert server.wait(DEADLINE_SECONDS)
        assert outcomes.count(0) <= 1
        assert_no_threads()


def test_start_that_fails_while_another_thread_stops(monkeypatch):
    """A stop is final, also where the start has failed meanwhile."""
    resolving, go_on = threading.Event(), threading.Event()

    def fails(*_, **__):
        resolving.set()
        assert go_on.wait(DEADLINE_SECONDS)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    server = Recorder("nowhere.invalid")
    stopper = threading.Thread(target=lambda: (resolving.wait(), server.stop()))
    stopper.start()
    threading.Thread(
        target=lambda: (wait_until(lambda: "stopping" in repr(server)), go_on.set())
    ).start()
    with pytest.raises(socket.gaierror, match=r"'nowhere\.invalid'"):
        server.start()
    stopper.join(DEADLINE_SECONDS)
    assert not stopper.is_alive()
    with pytest.raises(ServerStateError, match="is stopped"):
        server.start()


def test_start_may_fail_often():
    """What has failed leaves nothing, not even a memory of it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Recorder("127.0.0.1", taken.getsockname()[1])
        for _ in range(5):
            with pytest.raises(OSError, match="listen on"):
                server.start()
            assert "not started" in repr(server)
    with server, Client(server.address) as client:
        assert client.ask(b"x") == b"x"


def test_sock_after_a_start_that_failed(monkeypatch):
    """The threads come first: where they fail, the socket has not been touched."""

    def fails(thread):
        raise RuntimeError("can't start new thread")

    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = sock.getsockname()
        server = Recorder(None, sock=sock)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", fails)
            with pytest.raises(RuntimeError, match="new thread"):
                server.start()
        assert sock.getsockname() == address
        with server, Client(address) as client:
            assert client.ask(b"x") == b"x"
        assert sock.fileno() == -1


def test_descriptors_beyond_what_select_takes():
    """Where there are a thousand others in the process."""
    resource = pytest.importorskip("resource", reason="Windows' descriptors are no small numbers")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        server = Recorder("127.0.0.1", 0)
        timer = threading.Thread(
            target=lambda: (wait_until(lambda: "running" in repr(server)), server.stop())
        )
        timer.start()
        server.serve_forever()
        timer.join()
        assert server.wait(0)
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
