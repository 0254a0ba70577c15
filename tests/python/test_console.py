"""The end of the console: what Windows tells a program in a foreign thread, before it kills it.

Wine delivers Ctrl-C to a program for a Unix SIGINT, and nothing else. So the handler that was given
to SetConsoleCtrlHandler is called here the way Windows does it: in a new native thread, with the
event as its argument.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from peers import (
    DEADLINE_SECONDS,
    WINDOWS,
    WINE,
    Client,
    Recorder,
    child_environment,
    run_python,
)

from iocpreuse import CloseReason, signals

windows_only = pytest.mark.skipif(not WINDOWS, reason="there are no console events here")


class Slow(Recorder):
    """Has more to say than its clients take."""

    def on_data(self, session, data):
        session.send(bytes(20_000_000))


@pytest.mark.parametrize(("drain", "close_drain"), [(1000.0, 0.3), (0.3, 1000.0)])
def test_clients_get_the_shorter_of_the_two_times(serve, monkeypatch, drain, close_drain):
    told = []

    @contextlib.contextmanager
    def watch_console(tell):
        told.append(tell)
        yield
        told.append("left")

    monkeypatch.setattr(signals, "watch_console", watch_console)
    monkeypatch.setattr(signals, "CLOSE_DRAIN_SECONDS", close_drain)
    server = serve(Slow, write_limit=None, drain_timeout=drain)
    with Client(server.address, receive_buffer=65536) as client:
        client.sendall(b"x")
        client.receive(10)
        closer = threading.Timer(0.1, lambda: told[0]())
        closer.start()
        begin = time.monotonic()
        server.serve_forever()
        assert 0.3 <= time.monotonic() - begin < DEADLINE_SECONDS
        assert server.next_end()[1].reason is CloseReason.SHUTDOWN
    closer.join()
    assert told[1:] == ["left"]


PROGRAM = """
    import ctypes, sys, threading, time
    from ctypes import wintypes
    from iocpreuse import console
    from peers import Client, Recorder

    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.CreateThread.restype = wintypes.HANDLE
    kernel32.CreateThread.argtypes = (
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, wintypes.DWORD,
        ctypes.c_void_p)
    kernel32.WaitForSingleObject.argtypes = (wintypes.HANDLE, wintypes.DWORD)
    kernel32.GetExitCodeThread.argtypes = (wintypes.HANDLE, wintypes.LPDWORD)

    def event(number):
        # As the system does it; the handle of the thread.
        routine = ctypes.cast(console.HANDLER, ctypes.c_void_p)
        return kernel32.CreateThread(None, 0, routine, number, 0, None)

    def answer(thread):
        code = wintypes.DWORD()
        assert kernel32.WaitForSingleObject(thread, 10_000) == 0
        kernel32.GetExitCodeThread(thread, code)
        return code.value

    class Tells(Recorder):
        def on_data(self, session, data):
            session.send(bytes(20_000_000))
        def on_disconnect(self, session, why):
            print(why.reason.value, flush=True)

    server = Tells(write_limit=None, drain_timeout=1000)
"""


@windows_only
@pytest.mark.parametrize("number", [2, 5, 6])
def test_the_end_of_the_console_ends_serve_forever(number):
    """The program comes to its own end, `finally` and all, before Windows would kill it."""
    begin = time.monotonic()
    done = run_python(
        code=PROGRAM
        + f"""
    console.is_service = lambda: False
    server.start()
    client = Client(server.address, receive_buffer=65536)
    client.sendall(b"x")
    client.receive(10)
    at = time.monotonic()
    threading.Timer(0.2, event, ({number},)).start()
    try:
        server.serve_forever()
    finally:
        print(2.9 < time.monotonic() - at < 4.5)
    client.close()
    """
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["shutdown", "True"]
    assert done.returncode == 0
    assert time.monotonic() - begin < DEADLINE_SECONDS


@windows_only
def test_what_is_not_ours_goes_to_the_next_handler():
    """0 = not handled. Ctrl-C, Ctrl-Break; a log-off is kept from a service; all else outside."""
    done = run_python(
        code=PROGRAM
        + """
    def ask():
        console.is_service = lambda: True
        print(*(answer(event(number)) for number in (0, 1, 5)), flush=True)
        print(server.wait(0))
        server.stop()

    threading.Timer(0.2, ask).start()
    server.serve_forever()
    print(*(answer(event(number)) for number in (0, 1, 2, 5, 6)))
    """
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["0 0 1", "False", "0 0 0 0 0"]
    assert done.returncode == 0


@windows_only
def test_services_are_in_session_0():
    from iocpreuse import console

    assert console.is_service() in (True, False)
    assert console.WAIT_SECONDS < 5
    assert signals.CLOSE_DRAIN_SECONDS < console.WAIT_SECONDS


SERVE = (
    "import peers, sys; server = peers.Recorder().start(); "
    "print(server.address[1], flush=True); server.serve_forever(); print('ended')"
)


def unix_pid(marker):
    """The process, of those that Wine runs, whose command line has MARKER."""
    for folder in Path("Z:/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marker.encode() in (folder / "cmdline").read_bytes():
                return int(folder.name)
    raise LookupError(marker)


@contextlib.contextmanager
def ending(child):
    """Ends CHILD when a test fails, for Popen would wait for it forever."""
    try:
        yield
    except BaseException:
        child.kill()
        raise


@windows_only
@pytest.mark.parametrize("number", ["SIGINT", "CTRL_BREAK_EVENT"])
def test_a_console_event_from_outside(number):
    """Ctrl-C and Ctrl-Break as they come to a program, with a client connected."""
    if WINE is not (number == "SIGINT"):
        pytest.skip("Wine knows Ctrl-C only; Windows lets a program send only Ctrl-Break to one")
    marker = f"marker-{os.getpid()}-{time.monotonic_ns()}"
    with (
        subprocess.Popen(
            [sys.executable, "-c", SERVE, marker],
            stdout=subprocess.PIPE,
            text=True,
            env=child_environment(),
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP if not WINE else 0,
        ) as child,
        ending(child),
    ):
        port = int(child.stdout.readline())
        with Client(("127.0.0.1", port)) as client:
            assert client.ask(b"x") == b"x"
            time.sleep(0.5)  # for serve_forever to be reached; else KeyboardInterrupt is right
            if WINE:
                kill = ["start.exe", "/unix", "/bin/kill", "-INT", str(unix_pid(marker))]
                subprocess.run(kill, check=True, timeout=DEADLINE_SECONDS)
            else:
                os.kill(child.pid, getattr(signal, number))
            assert client.is_ended() == "fin"
            rest, _ = child.communicate(timeout=DEADLINE_SECONDS)
    assert rest == "ended\n"
    assert child.returncode == 0
