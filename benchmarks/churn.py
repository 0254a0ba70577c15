"""What recycling is worth, on any system: python -m benchmarks.churn. Meant for real Windows.

Clients come one after the other, have one message echoed, and go; once with `recycle="auto"`, and
once with "off", in turns. The generator needs Linux, so the clients are Python processes here:
they, not the server, bound the rate, and the server's CPU time a connection is the figure to look
at. The package that is installed is measured; psutil has to be installed too."""

import argparse
import contextlib
import json
import shlex
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles

import psutil

from benchmarks import contenders, table, workloads
from benchmarks.contenders import Contender
from benchmarks.results import Record, Results, describe_machine
from benchmarks.workloads import Workload

LAUNCH = Path(__file__).resolve().parent / "servers" / "launch.py"
CONTENDERS = ("ours", "ours-fresh")
MESSAGE = b"m" * 64
TIMEOUT_SECONDS = 30.0
RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # linger for 0 seconds


@dataclass(frozen=True)
class Crowd:
    """The clients of a trial."""

    processes: int
    connections: int  # of each process, one after the other


def visit(port: int, connections: int, reset: bool) -> list[float]:
    """One client after the other; the seconds that each took, from connect to the last byte."""
    seconds = []
    for _ in range(connections):
        begin = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as client:
            client.sendall(MESSAGE)
            received = b""
            while len(received) < len(MESSAGE):
                piece = client.recv(len(MESSAGE))
                if not piece:
                    raise ConnectionError("the server closed a connection")
                received += piece
            if received != MESSAGE:
                raise ConnectionError("wrong bytes have come back")
            seconds.append(time.perf_counter() - begin)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return seconds


@contextlib.contextmanager
def serving(contender: Contender) -> Iterator[tuple[int, psutil.Process, dict[str, str]]]:
    """Its echo server: the port, the process, and the versions of what it is made of."""
    command = [sys.executable, "-P", str(LAUNCH), contender.program, "echo", *contender.arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            hello = json.loads(process.stdout.readline())
            # Where a launcher starts the real Python, as in a Windows venv, it is another process.
            yield hello["port"], psutil.Process(hello["pid"]), hello["versions"]
            psutil.Process(hello["pid"]).kill()
        finally:
            process.kill()


def measure(pool: ProcessPoolExecutor, crowd: Crowd, load: Workload, port: int) -> list[float]:
    """All clients of a trial; the seconds that each took."""
    parts = [
        pool.submit(visit, port, crowd.connections, load.reset) for _ in range(crowd.processes)
    ]
    return [second for part in parts for second in part.result()]


def figures(latencies: Sequence[float], elapsed: float, cpu: float) -> dict[str, float]:
    """What is compared."""
    hundredths = quantiles(latencies, n=100)
    return {
        "rate": len(latencies) / elapsed,
        "cpu_us": cpu / len(latencies) * 1e6,
        "p50_us": hundredths[49] * 1e6,
        "p99_us": hundredths[98] * 1e6,
    }


def trial(
    pool: ProcessPoolExecutor, crowd: Crowd, load: Workload, contender: Contender
) -> tuple[dict[str, float], dict[str, str]]:
    """A fresh server, some clients that do not count, and those that do."""
    with serving(contender) as (port, process, versions):
        few = Crowd(crowd.processes, max(1, crowd.connections // 10))
        measure(pool, few, load, port)
        before, begin = process.cpu_times(), time.perf_counter()
        latencies = measure(pool, crowd, load, port)
        elapsed, after = time.perf_counter() - begin, process.cpu_times()
        cpu = after.user + after.system - before.user - before.system
        return figures(latencies, elapsed, cpu), versions


def run(rounds: int, crowd: Crowd) -> Results:
    """All trials, interleaved."""
    loads = workloads.choose(["churn"])
    who = contenders.choose(contenders.WINDOWS, CONTENDERS)
    settings = {
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "rounds": rounds,
        "began": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "how": f"{crowd.connections} connections from each of {crowd.processes} processes",
    }
    described = [{**asdict(load), "unit": load.unit} for load in loads]
    servers = {one.name: " ".join((one.program, *one.arguments)) for one in who}
    described_servers = {name: {"server": server} for name, server in servers.items()}
    results = Results(describe_machine(), settings, described, described_servers)
    with ProcessPoolExecutor(crowd.processes) as pool:
        for turn in range(rounds):
            for load in loads:
                for contender in who if turn % 2 else reversed(who):
                    seen, versions = trial(pool, crowd, load, contender)
                    results.contenders[contender.name]["versions"] = versions
                    results.records.append(Record(turn + 1, load.name, contender.name, seen))
                    print(f"round {turn + 1}, {load.name}, {contender.name}: {seen}", flush=True)
    return results


def main(argv: list[str] | None = None) -> int:
    """Writes the JSON file, and the tables beside it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.churn", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="of clients (%(default)s)")
    parser.add_argument(
        "--connections", type=int, default=1000, help="of each process in a trial (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("churn.json"), help="(%(default)s)")
    arguments = parser.parse_args(argv)
    if min(arguments.rounds, arguments.processes, arguments.connections) < 1:
        parser.error("--rounds, --processes and --connections must be at least 1")
    results = run(arguments.rounds, Crowd(arguments.processes, arguments.connections))
    results.save(arguments.out)
    text = table.markdown(results)
    arguments.out.with_suffix(".md").write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
