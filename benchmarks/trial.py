"""One measurement: a fresh server process, the generator against it, and what they said."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks import environments
from benchmarks.contenders import LIMIT, Contender
from benchmarks.workloads import Workload

LAUNCH = Path(__file__).resolve().parent / "servers" / "launch.py"
READY_SECONDS = 60.0
END_SECONDS = 10.0
COMPLAINTS_MAX = 40  # lines
GENERATOR_GRACE_SECONDS = 90.0
MIB = 1 << 20


class TrialError(Exception):
    """The server or the generator did not do what it should."""


@dataclass(frozen=True)
class Timing:
    """How long the generator runs."""

    warmup: float = 0.3
    seconds: float = 2.0


@dataclass(frozen=True)
class Running:
    """A server that is ready."""

    port: int
    pids: tuple[int, ...]  # whose CPU time and memory count as the server's
    versions: dict[str, str]


class Host(Protocol):
    """Where servers run: on this system, or on Windows under Wine."""

    def command(self, contender: Contender, workload: Workload) -> list[str]:
        """What starts the server."""

    def environment(self) -> dict[str, str]:
        """What it is started with."""

    def pids(self, process: "subprocess.Popen[bytes]") -> tuple[int, ...]:
        """The processes that serve."""


@dataclass
class LinuxHost:
    """This system, with an environment for each program."""

    limit: Path
    free_threaded: Path | None = None
    _interpreters: dict[str, Path] = field(default_factory=dict)

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Installs what they need."""
        for contender in contenders:
            if contender.program != LIMIT:
                base = self.free_threaded if contender.free_threaded else None
                self._interpreters[contender.name] = environments.interpreter(contender, base)

    def command(self, contender: Contender, workload: Workload) -> list[str]:
        """The limit, or a Python program."""
        if contender.program == LIMIT:
            return [str(self.limit), "chat" if workload.mode == "chat" else "echo"]
        python = str(self._interpreters[contender.name])
        task = [contender.program, workload.role, *workload.server_arguments]
        return [python, "-P", str(LAUNCH), *task, *contender.arguments]

    def environment(self) -> dict[str, str]:
        """Ours, without what would lead another Python astray."""
        wrong = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        return {name: value for name, value in os.environ.items() if name not in wrong}

    def pids(self, process: "subprocess.Popen[bytes]") -> tuple[int, ...]:
        """Just the one."""
        return (process.pid,)


class ServerProcess:
    """A server, and what it says."""

    def __init__(self, host: Host, contender: Contender, workload: Workload) -> None:
        """Starts it."""
        # A pipe for each: on a file, a Windows Python under Wine does not start.
        self.process = subprocess.Popen(
            host.command(contender, workload),
            env=host.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._complaints: deque[bytes] = deque(maxlen=COMPLAINTS_MAX)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self._complaints.extend(self.process.stderr)

    def hello(self) -> dict[str, Any]:
        """What it says when it is ready; TrialError with its complaints if it never is."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + READY_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            left = max(0.0, deadline - time.monotonic())
            with selectors.DefaultSelector() as selector:  # select() takes no descriptor over 1023
                selector.register(self.process.stdout, selectors.EVENT_READ)
                ready = selector.select(left)
            piece = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not piece:
                self.end()
                said = b"".join(self._complaints).decode("utf-8", "replace").strip()
                raise TrialError(f"the server is not ready: {said or 'it said nothing'}")
            line += piece
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        """Ends it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(END_SECONDS)
        # What it has started under Wine may hold the pipe open.
        self._listener.join(END_SECONDS)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None and not self._listener.is_alive():
                pipe.close()


@contextlib.contextmanager
def serving(host: Host, contender: Contender, workload: Workload) -> Iterator[Running]:
    """The contender, ready for the workload, for the time of the block."""
    server = ServerProcess(host, contender, workload)
    try:
        hello = server.hello()
        yield Running(hello["port"], host.pids(server.process), hello.get("versions", {}))
    finally:
        server.end()


def generate(generator: Path, running: Running, workload: Workload, timing: Timing) -> Any:
    """Runs the generator; returns what it printed, or raises TrialError."""
    command = [str(generator), *workload.generator_arguments(), "--port", str(running.port)]
    command += ["--warmup", str(timing.warmup), "--seconds", str(timing.seconds)]
    for pid in running.pids:
        command += ["--pid", str(pid)]
    ran = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timing.warmup + timing.seconds + GENERATOR_GRACE_SECONDS,
        check=False,
    )
    try:
        said = json.loads(ran.stdout)
    except ValueError:
        raise TrialError(f"the generator failed: {ran.stdout}{ran.stderr}") from None
    if "error" in said:
        raise TrialError(str(said["error"]))
    if said["wrong_bytes"] or said["errors"]:
        raise TrialError(f"{said['wrong_bytes']} wrong bytes, {said['errors']} broken connections")
    return said


def figures(said: Any, workload: Workload) -> dict[str, float]:
    """What is compared, out of what the generator printed. What was not seen is not in it."""
    bulk = workload.mode == "bulk"
    rate = said["bytes_per_s"] / MIB if bulk else said["rate"]
    server, latency = said["server"], said["latency_us"]
    found = {
        "rate": rate,
        "resident_mib": server["resident_bytes"] / MIB,
        "generator_share": said["generator_cpu_s"] / said["seconds"],
    }
    cpu_share = server["cpu_s"] / said["seconds"]
    if workload.group == "computing":
        # What its main thread computes is not for the messages.
        found["main_thread_share"] = server["main_thread_share"]
        cpu_share -= server["main_thread_share"]
    if rate > 0:
        found["cpu_us"] = cpu_share / rate * 1e6
    if said["messages"]:
        found |= {f"{name}_us": latency[name] for name in ("p50", "p90", "p99", "p99.9", "max")}
    if "bytes_a_connection" in server:
        found["bytes_a_connection"] = server["bytes_a_connection"]
    return found
