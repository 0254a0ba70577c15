"""Real clients over plain sockets, and servers that write down what happens to them."""

import contextlib
import ctypes
import importlib.util
import os
import queue
import random
import select
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import iocpreuse

DEADLINE_SECONDS = 30.0
WINDOWS = os.name == "nt"
# Wine may have lost a reset by the time that a client reads: it then sees an ordinary end.
WINE = WINDOWS and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")
LINGER_RESET = struct.pack("hh" if WINDOWS else "ii", 1, 0)


class Client(socket.socket):
    """A blocking client whose every call has a deadline."""

    def __init__(self, address, *, receive_buffer=None):
        super().__init__(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        try:
            self.settimeout(DEADLINE_SECONDS)
            if receive_buffer is not None:
                self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.connect(address)
        except BaseException:
            self.close()
            raise

    def receive(self, count):
        """Exactly COUNT bytes, or fewer if the end comes first."""
        parts = []
        while count > 0:
            part = self.recv(min(count, 1 << 20))
            if not part:
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive_all(self):
        """Everything until the server's FIN."""
        return self.receive(sys.maxsize)

    def ask(self, data):
        """Sends DATA and receives as many bytes."""
        self.sendall(data)
        return self.receive(len(data))

    def half_close(self):
        self.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST."""
        self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.close()

    def wait_for_reset(self):
        """Until a reset is here; nothing is read. Not on Windows, whose select() does not tell."""
        poll = select.poll()
        poll.register(self, 0)  # what is always told: POLLERR, POLLHUP
        assert poll.poll(DEADLINE_SECONDS * 1000), "no reset came"

    def is_ended(self):
        """Waits for the end. "fin" or "reset", whatever data came before."""
        if WINDOWS:
            # With a timeout Python waits in select(), where Wine loses it.
            self.settimeout(None)
        try:
            while self.recv(1 << 16):
                pass
        except (ConnectionResetError, ConnectionAbortedError):
            return "reset"
        return "fin"


class LineClient(Client):
    """Says and hears lines."""

    def __init__(self, address, *lines):
        super().__init__(address)
        self._file = self.makefile("rb")
        for line in lines:
            self.say(line)

    def say(self, text):
        self.sendall(text.encode() + b"\n")

    def hear(self):
        return self._file.readline().decode().removesuffix("\n")

    def hears(self, *lines):
        assert [self.hear() for _ in lines] == list(lines)

    def close(self):
        with contextlib.suppress(AttributeError):
            self._file.close()
        super().close()


def was_reset(client):
    """Waits for the end; whether it was a reset."""
    # Wine shuts a socket down before it closes it, so that a FIN may come before the RST.
    return client.is_ended() == "reset" or WINE


def tells_of_reset(why):
    """Whether a client that resets may end so."""
    # Its FIN under Wine is what a receive finds that is posted between the two.
    reason = iocpreuse.CloseReason
    return why.reason is reason.PEER_RESET or (WINE and why.reason is reason.PEER_EOF)


class Recorder(iocpreuse.Server):
    """An echo that writes down what happens to it."""

    def __init__(self, host="127.0.0.1", port=0, **options):
        super().__init__(host, port, **options)
        self.errors = []
        self.ended = queue.SimpleQueue()  # (session, Disconnect)
        self.opened = queue.SimpleQueue()  # session

    def on_connect(self, session):
        self.opened.put(session)

    def on_data(self, session, data):
        session.send(data)

    def on_disconnect(self, session, why):
        self.ended.put((session, why))

    def on_error(self, session, where, exc):
        self.errors.append((session, where, exc))

    def next_session(self):
        """The next client that connects."""
        return self.opened.get(timeout=DEADLINE_SECONDS)

    def next_end(self):
        """The next session that ends, and why."""
        return self.ended.get(timeout=DEADLINE_SECONDS)


def wait_until(condition: Callable[[], object], what="the condition"):
    """For what has no event of its own: looks again and again, until the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.005)


def noise(size, seed=0):
    """SIZE bytes that do not repeat."""
    return random.Random(seed).randbytes(size)


def in_threads(count, body):
    """Runs BODY(number) in COUNT threads; raises the first exception of any of them."""
    failures = []

    def run(number):
        try:
            body(number)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS * 2)
    assert not any(thread.is_alive() for thread in threads), "a client thread hangs"
    if failures:
        raise failures[0]


def child_environment():
    """The environment in which a child process finds the package that is under test."""
    found = str(Path(iocpreuse.__file__).resolve().parent.parent)
    path = os.pathsep.join([found, str(Path(__file__).parent)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def run_python(*arguments, code=None, timeout=100.0, cwd=None):
    """Runs a child interpreter to its end; its stdout, stderr and returncode."""
    command = [sys.executable, "-W", "error", *arguments]
    if code is not None:
        command += ["-c", textwrap.dedent(code)]
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=child_environment(),
        cwd=cwd,
        check=False,
    )


ROOT = Path(__file__).parents[2]


def load_example(name):
    """The module examples/NAME.py."""
    spec = importlib.util.spec_from_file_location(
        f"example_{name}", ROOT / "examples" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Messages(Recorder):
    """Writes down the messages of each client, and answers each."""

    def on_connect(self, session):
        session.state = []
        super().on_connect(session)

    def on_data(self, session, data):
        session.state.append(data)
        session.send(b"+" + data[:1])

    def next_messages(self):
        """What the next client that ends has said, and why it ended."""
        session, why = self.next_end()
        return session.state, why
