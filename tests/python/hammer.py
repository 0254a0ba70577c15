"""Random calls from random threads on everything: python hammer.py [--seconds 60] [--seed 1].

Servers with random options come and go. Clients talk, stall, half-close and reset, while threads
call whatever Server, Session and Pending have. What must hold in spite of that is checked after
each server, and for the process at the end. Nothing may hang: then all stacks are printed."""

import argparse
import ctypes
import faulthandler
import gc
import os
import random
import re
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hammer_calls import call, is_refusal
from peers import LINGER_RESET, WINDOWS

import iocpreuse
from iocpreuse import CloseReason, Framing

PATIENCE_SECONDS = 60.0  # for a server to stop, and its threads to end
ROUNDS_MEASURED = 2  # begin the measurement: by then, what is made once has been made
FAULTS_SHOWN = 20
RSS_SLACK = 8 << 20
ROUNDS_OF_A_TREND = 40

MARK_OF_SESSION = re.compile(rb"<([0-9a-f]{16})>")
MARK_OF_CLIENT = re.compile(rb"\[(\d{5})\]")


class Planned(Exception):
    """What callbacks raise now and then."""


@dataclass
class Life:
    """What the callbacks have told of one session."""

    port: int
    running: str | None = None
    told: Counter = field(default_factory=Counter)


@dataclass
class Tally:
    """What has happened in all; `faults` are what must not."""

    counts: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def fault(self, what):
        with self.lock:
            self.faults.append(what)


class Hammered(iocpreuse.Server):
    """Checks the order of its callbacks, and calls anything from them."""

    def __init__(self, tally, luck, **options):
        super().__init__("127.0.0.1", **options)
        self.tally = tally
        self.luck = luck
        self.lives = {}
        self.gone = []  # some sessions that have ended: calls on them must be refused
        self.requests = []
        self.answered = set()
        self.offered = set()  # these may have been answered without another word

    @contextmanager
    def telling(self, session, where):
        life = self.lives.get(session.id)
        if life is None or life.running or life.told["on_disconnect"]:
            self.tally.fault(f"{where} of session {session.id:#x}: {life}")
            yield
            return
        life.running = where
        life.told[where] += 1
        try:
            yield
        finally:
            life.running = None

    def act(self, session):
        """Something that a callback may do, to its own session or another one."""
        for _ in range(self.luck.randrange(3)):
            call(self, self.luck, self.luck.choice((session, self.any_session() or session)))
        if self.luck.random() < 0.01:
            raise Planned

    def any_session(self):
        """One that is open, or was."""
        open_now = list(self.sessions.values())
        if self.gone and self.luck.random() < 0.2:
            return self.luck.choice(self.gone)
        return self.luck.choice(open_now) if open_now else None

    def on_connect(self, session):
        if session.id in self.lives:
            self.tally.fault(f"session {session.id:#x} connects twice")
        self.lives[session.id] = Life(session.peername[1])
        with self.telling(session, "on_connect"):
            self.act(session)
            return self.luck.random() > 0.02

    def on_data(self, session, data):
        with self.telling(session, "on_data"):
            for mark in MARK_OF_CLIENT.findall(data):
                if int(mark) != session.peername[1]:
                    self.tally.fault(f"session {session.id:#x} got bytes of port {mark}")
            session.send(data)
            self.act(session)

    def on_drain(self, session):
        with self.telling(session, "on_drain"):
            self.act(session)

    def on_eof(self, session):
        with self.telling(session, "on_eof"):
            self.act(session)
            if self.luck.random() < 0.3:
                session.close()
                return True
            return False

    def on_login(self, session):
        with self.telling(session, "on_login"):
            self.act(session)

    def on_abort(self, session, lost):
        with self.telling(session, "on_abort"):
            if not (lost.pending or lost.unsent or lost.partial):
                self.tally.fault("on_abort without a loss")
            return self.luck.choice((None, session.net_id, self.any_session()))

    def on_disconnect(self, session, why):
        with self.telling(session, "on_disconnect"):
            if not isinstance(why.reason, CloseReason) or not session.is_closing():
                self.tally.fault(f"session {session.id:#x} ended as {why}")
            if len(self.gone) < 50:
                self.gone.append(session)
            if self.luck.random() < 0.01:
                raise Planned

    def on_error(self, session, where, exc):
        if not isinstance(exc, Planned) and not is_refusal(exc):
            self.tally.fault(f"{where}: {''.join(traceback.format_exception(exc))}")


def draw_options(luck):
    """Options that make something happen often: small pools, small queues, short times."""
    options = {
        "workers": luck.choice((1, 2, 4, 8)),
        "accept_pool": luck.choice((1, 4, 16)),
        "read_size": luck.choice((1, 100, 65536)),
        "write_limit": luck.choice((None, 4096, 1 << 20)),
        "recycle": luck.choice(("auto", "auto", "off")),
        "max_connections": luck.choice((None, None, 5)),
        "framing": luck.choice(
            (
                None,
                None,
                Framing.lines(),
                Framing.length_prefix(2),
                Framing.length_field(3, strip=3, adjust=-3),
                Framing.fixed(18),
            )
        ),
        "drain_timeout": luck.choice((0.1, 1.0)),
    }
    if luck.random() < 0.3:
        name = luck.choice(("first_byte_timeout", "login_timeout", "idle_timeout"))
        options[name] = luck.uniform(0.05, 0.5)
    return options


def draw_bytes(luck, port):
    """What a client says: it names its port; sometimes there are lines in it, or prefixes."""
    piece = b"[%05d]" % port
    size = luck.choice((1, 3, 30, 3000))
    pieces = (piece, piece + b"\n", len(piece).to_bytes(2, "big") + piece)
    return luck.choice(pieces) * size


class Round:
    """One server, from its start to its end."""

    def __init__(self, tally, seed):
        self.tally = tally
        self.seed = seed
        self.luck = random.Random(seed)
        self.over = threading.Event()
        self.server = Hammered(tally, random.Random(f"{seed} callbacks"), **draw_options(self.luck))
        self.heard = []  # (a client's port, the session that its bytes name)

    def run(self, seconds):
        threads = [
            self.thread(body, number)
            for body, most in ((self.visit, 9), (self.call_anything, 4), (self.serve, 2))
            for number in range(self.luck.randrange(1, most))
        ]
        self.start_twice()
        for thread in threads:
            thread.start()
        self.over.wait(seconds)
        self.stop()
        self.over.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
            if thread.is_alive():
                self.tally.fault(f"{self.seed}: {thread.name} hangs")
                faulthandler.dump_traceback(all_threads=True)
        self.check()

    def thread(self, body, number):
        name = f"{body.__name__} {number}"
        luck = random.Random(f"{self.seed} {name}")

        def run():
            try:
                while not self.over.is_set():
                    body(luck)
            except BaseException:
                self.tally.fault(f"{name}: {traceback.format_exc()}")

        return threading.Thread(target=run, name=name, daemon=True)

    def start_twice(self):
        """From two threads at once: one of them is refused."""
        refused = []

        def start():
            try:
                self.server.start()
            except iocpreuse.ServerStateError as exc:
                refused.append(exc)

        other = threading.Thread(target=start)
        other.start()
        start()
        other.join(PATIENCE_SECONDS)
        if len(refused) != 1:
            self.tally.fault(f"{self.seed}: two starts, {len(refused)} refused")

    def stop(self):
        """In one of the ways that there are; then all of it has stopped."""
        drain = self.luck.choice((None, 0.0, 0.05, 0.3))
        stops = [
            threading.Thread(target=self.server.stop, kwargs={"drain": drain})
            for _ in range(self.luck.randrange(1, 3))
        ]
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join(PATIENCE_SECONDS)
        if any(thread.is_alive() for thread in stops) or not self.server.wait(PATIENCE_SECONDS):
            self.tally.fault(f"{self.seed}: {self.server} does not stop")
            faulthandler.dump_traceback(all_threads=True)

    def serve(self, luck):
        self.server.serve_forever(handle_signals=False)
        self.over.wait(luck.uniform(0, 0.1))

    def call_anything(self, luck):
        """One call on the server, a session or a request."""
        server = self.server
        target = luck.choice((server, server.any_session(), *server.requests[-20:]))
        if target is not None:
            call(server, luck, target)
        self.tally.count("calls")
        if luck.random() < 0.05:
            self.over.wait(luck.uniform(0, 0.01))

    def visit(self, luck):
        """One client, from its connect to its end."""
        with socket.socket() as client:
            client.settimeout(luck.choice((0.01, 0.1, 0.5)))
            if luck.random() < 0.3:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            heard = b""
            with suppress(OSError):  # the server has ended it, or does not read
                client.connect(self.server.address)
                port = client.getsockname()[1]
                self.tally.count("clients")
                for _ in range(luck.randrange(12)):
                    heard += self.say_or_hear(client, port, luck)
                if luck.random() < 0.5:
                    client.shutdown(socket.SHUT_WR)
                    while piece := client.recv(65536):
                        heard += piece
            with suppress(OSError):
                if luck.random() < 0.3:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            if heard:
                self.heard += {(port, int(mark, 16)) for mark in MARK_OF_SESSION.findall(heard)}

    def say_or_hear(self, client, port, luck):
        chance = luck.random()
        if chance < 0.6:
            client.sendall(draw_bytes(luck, port))
        elif chance < 0.9:
            with suppress(TimeoutError):
                return client.recv(65536)
        else:
            self.over.wait(luck.uniform(0, 0.1))
        return b""

    def check(self):
        """All that has begun is over, once, and each byte has reached its own client."""
        server, fault = self.server, self.tally.fault
        for number, life in server.lives.items():
            told = life.told
            good = told["on_connect"] == told["on_disconnect"] == 1
            if not good or told["on_abort"] > 1 or life.running:
                fault(f"{self.seed}: session {number:#x}: {life}")
        for name in ("sessions", "logged_in", "connected_only"):
            if len(getattr(server, name)):
                fault(f"{self.seed}: {name} is left with {dict(getattr(server, name))}")
        for port, number in set(self.heard):
            life = server.lives.get(number)
            if life is None or life.port != port:
                fault(f"{self.seed}: port {port} got what was meant for {number:#x} ({life})")
        for pending in server.requests:
            answered, offered = id(pending) in server.answered, id(pending) in server.offered
            ended = answered or offered or pending.aborted
            if not ended or (answered and pending.aborted):
                fault(f"{self.seed}: {pending!r}, reply true: {answered}, false: {offered}")
        stats = server.stats()
        if stats.connections_active or stats.connections_total != len(server.lives):
            fault(f"{self.seed}: {len(server.lives)} sessions, and {stats}")
        self.tally.count("sessions", len(server.lives))
        self.tally.count("requests", len(server.requests))
        self.tally.count("answered", len(server.answered))
        self.tally.count("callbacks", sum(life.told.total() for life in server.lives.values()))
        self.tally.count("rounds")


def handles():
    """How many descriptors, or on Windows handles, this process has open."""
    if not WINDOWS:
        return len(os.listdir("/proc/self/fd"))
    count = ctypes.c_ulong()
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.GetProcessHandleCount(ctypes.c_void_p(kernel.GetCurrentProcess()), ctypes.byref(count))
    return count.value


def resident():
    """The process's memory in bytes; 0 where it is not told so simply."""
    if WINDOWS:
        return 0
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def left_behind(kind):
    """How many objects of a type there are."""
    return sum(type(thing) is kind for thing in gc.get_objects())


def hammer(seconds, seed):
    """Round after round for SECONDS; the tally, and the memory after each round."""
    tally = Tally()
    begin = time.monotonic()
    threads = set(threading.enumerate())
    memory = []
    opened = 0
    number = 0
    while number < ROUNDS_MEASURED or time.monotonic() < begin + seconds:
        number += 1
        luck = random.Random(f"{seed} {number}")
        left = max(begin + seconds - time.monotonic(), 0.3)
        length = min(luck.uniform(0.2, 3.0), left)
        faulthandler.dump_traceback_later(length + 4 * PATIENCE_SECONDS, exit=True)
        Round(tally, f"{seed} {number}").run(length)
        gc.collect()
        for kind in (iocpreuse.Session, iocpreuse.Pending):
            if left := left_behind(kind):
                tally.fault(f"{seed} {number}: {left} {kind.__name__} objects are left")
        if more := [thread.name for thread in threading.enumerate() if thread not in threads]:
            tally.fault(f"{seed} {number}: threads are left: {more}")
        memory.append(resident())
        opened = handles() if number == ROUNDS_MEASURED else opened
        if tally.faults:
            break
    faulthandler.cancel_dump_traceback_later()
    # Windows opens some of its own when it likes.
    if handles() > opened + (16 if WINDOWS else 0):
        tally.fault(f"{handles()} descriptors are open, {opened} were after {ROUNDS_MEASURED}")
    return tally, memory


def check_memory(tally, memory):
    """The last quarter of a long run needs no more than the second."""
    if len(memory) >= ROUNDS_OF_A_TREND:
        quarter = len(memory) // 4
        before, after = max(memory[quarter : 2 * quarter]), max(memory[-quarter:])
        if after > before * 1.1 + RSS_SLACK:
            tally.fault(f"memory has grown from {before >> 10} to {after >> 10} KiB")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    faulthandler.enable()
    tally, memory = hammer(options.seconds, options.seed)
    check_memory(tally, memory)
    for fault in tally.faults[:FAULTS_SHOWN]:
        print(fault)
    counts = ", ".join(f"{number} {what}" for what, number in sorted(tally.counts.items()))
    kib = [bytes_ >> 10 for bytes_ in (memory[0], max(memory), memory[-1])]
    print(f"hammer: seed {options.seed}: {counts}; KiB after a round: {kib}; {handles()} handles")
    print(f"hammer: {len(tally.faults)} faults")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
