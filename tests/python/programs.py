"""Programs in child processes: the examples as a user starts them, and other people's clients."""

import contextlib
import functools
import os
import random
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from peers import DEADLINE_SECONDS, WINDOWS, child_environment

# Where each comes from on Debian; the nox session installs them.
PACKAGES = {
    "socat": "socat",
    "nc": "netcat-openbsd",
    "telnet": "telnet",
    "redis-benchmark": "redis-tools",
    "redis-cli": "redis-tools",
    "wrk": "wrk",
}


@functools.cache
def is_openbsd_nc():
    """Whether nc is the one that knows -N; there are several."""
    told = subprocess.run(["nc", "-h"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return b"OpenBSD" in told.stdout + told.stderr


def why_missing(name):
    """What would bring the client program NAME in; "" if it is here.

    Where IOCPREUSE_EXPECT_PROGRAMS is set they have been installed, and one that is not there
    is a failure.
    """
    if WINDOWS:
        return f"{name} is a program for Linux"
    if shutil.which(name) and (name != "nc" or is_openbsd_nc()):
        return ""
    how = f"{name} is not here: apt-get install {PACKAGES[name]}"
    assert not os.environ.get("IOCPREUSE_EXPECT_PROGRAMS"), how
    return how


def need(name):
    """The path of a client program; without it the test is left out, and says why."""
    if how := why_missing(name):
        pytest.skip(how)
    return shutil.which(name)


class Program:
    """A child process to talk to: what it prints is read by a thread, and waited for."""

    def __init__(self, *command, env=None, cwd=None):
        # A sanitizer that is loaded into our own process is not for others.
        own = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        self.child = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=own if env is None else env,
            cwd=cwd,
        )
        self.output = b""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while data := self.child.stdout.read1(65536):
            with self._changed:
                self.output += data
                self._changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self._reader.join()
        self.child.stdin.close()
        self.child.stdout.close()

    def say(self, data):
        """To its stdin."""
        self.child.stdin.write(data)
        self.child.stdin.flush()

    def hear(self, data):
        """Waits until it has printed DATA."""
        with self._changed:
            heard = self._changed.wait_for(lambda: data in self.output, DEADLINE_SECONDS)
        assert heard, f"no {data!r} in {self.output!r}"

    def end(self):
        """Closes its stdin and waits for its end; its exit status."""
        self.child.stdin.close()
        # It may have much to do before that: the doctor starts a dozen Pythons.
        status = self.child.wait(3 * DEADLINE_SECONDS)
        self._reader.join()
        return status


def run(name, *arguments, data=b""):
    """Runs a client program to its end; what it printed. It must end with status 0."""
    with Program(need(name), *arguments) as program:
        if data:
            program.say(data)
        status = program.end()
        assert status == 0, (status, program.output)
        return program.output


# Does as "python FILE ..." or "python -m MODULE ..."; a line on its stdin is Ctrl-C.
INTERRUPTIBLE = """
    import runpy, signal, sys, threading

    def interrupt():
        if sys.stdin.readline():
            signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    sys.argv = sys.argv[1:]
    sys.path.insert(0, "")
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
"""


class PythonProgram(Program):
    """A Python program that can be interrupted, on Windows too."""

    def __init__(self, *arguments, cwd=None):
        code = textwrap.dedent(INTERRUPTIBLE)
        super().__init__(sys.executable, "-c", code, *arguments, env=child_environment(), cwd=cwd)

    def interrupt(self):
        """Ctrl-C; its exit status."""
        self.say(b"\n")
        status = self.child.wait(DEADLINE_SECONDS)
        self._reader.join()
        return status


def free_port():
    """A port for a program that has to be told one.

    Not one of those that systems give out by themselves, to somebody else before it is used.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_for_port(address, program):
    """Waits until somebody listens at ADDRESS; PROGRAM is to do so."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return socket.create_connection(address, timeout=DEADLINE_SECONDS).close()
        except ConnectionRefusedError:
            assert program.child.poll() is None, program.output
            assert time.monotonic() < deadline
            time.sleep(0.02)
