"""What recycling is worth here: churn with it and without, in turns, on servers of one process."""

import json
import statistics
import subprocess
import time
from typing import Any, Final

from iocpreuse.doctor import winsock
from iocpreuse.doctor.answer import FAILED, Answer
from iocpreuse.doctor.child import start_helper
from iocpreuse.doctor.recycling import Echo

MODES: Final = ("auto", "off")
# Each connection leaves its client's port in TIME_WAIT for minutes, and Windows gives out 16,384
# unless it is told otherwise: so many that the doctor can be run twice.
CONNECTIONS_MAX: Final = 300
CONNECTIONS_MIN: Final = 20
PAIRS: Final = 8
AT_ONCE: Final = 4
END_SECONDS: Final = 5.0


class Clients:
    """The other process, which makes the connections of a round."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """A helper that has been started."""
        self._process = process

    def run(self, port: int, connections: int) -> dict[str, Any]:
        """A round at PORT: seconds, and the connections that failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{port} {connections} {AT_ONCE}\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


def _round(server: Echo, clients: Clients, connections: int) -> dict[str, Any]:
    """Rate and CPU of one round."""
    cpu, cycles = time.process_time(), winsock.process_cycles()
    told = clients.run(server.address[1], connections)
    for _ in range(connections - told["failed"]):
        server.ended.get(timeout=END_SECONDS)
    cpu, now = time.process_time() - cpu, winsock.process_cycles()
    return {
        "connections": connections,
        "connections_per_second": round(connections / told["seconds"], 1),
        "cpu_us_per_connection": round(cpu / connections * 1e6, 1),
        "cycles_per_connection": (
            None if cycles is None or now is None else (now - cycles) // connections
        ),
        "failed": told["failed"],
        "error": told["error"],
    }


def _size(first: dict[str, Any], seconds: float) -> int:
    """Of each round, so that all take so many SECONDS at the rate of the FIRST one."""
    fits = first["connections_per_second"] * seconds / (len(MODES) * PAIRS)
    return int(min(CONNECTIONS_MAX, max(CONNECTIONS_MIN, fits)))


def measure(seconds: float) -> Answer:
    """PAIRS of rounds, fewer if SECONDS do not allow them; who is first changes."""
    rounds: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    with Echo(recycle="auto") as auto, Echo(recycle="off") as off:
        servers = {"auto": auto, "off": off}
        # Without recycling both would be the same: one is measured, and nothing compared.
        modes = MODES if auto.recycling == "verified" else ("auto",)
        with start_helper("clients") as process:
            clients = Clients(process)
            # The first ones pay for what is made once, such as the sockets of the pool.
            warm = [_round(servers[mode], clients, 4 * CONNECTIONS_MIN) for mode in modes]
            size = _size(warm[0], seconds)
            end = time.monotonic() + seconds
            while len(rounds["auto"]) < PAIRS and time.monotonic() < end:
                for mode in modes if len(rounds["auto"]) % 2 == 0 else reversed(modes):
                    rounds[mode].append(_round(servers[mode], clients, size))
    figures = _figures(auto.recycling, {mode: rounds[mode] for mode in modes})
    failed = [each for mode in modes for each in rounds[mode] if each["failed"]]
    if failed:
        count = sum(each["failed"] for each in failed)
        return Answer(f"{count} clients failed: {failed[0]['error']}", figures, FAILED)
    return Answer(_in_words(figures), figures)


def _figures(state: str, rounds: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "recycling": state,
        "at_once": AT_ONCE,
        "rounds": rounds,
        "medians": {
            mode: {name: _median(each, name) for name in NAMES} for mode, each in rounds.items()
        },
    }
    if len(rounds) == len(MODES):
        figures["ratios"] = {name: _ratios(rounds, name) for name in NAMES}
    return figures


NAMES: Final = ("connections_per_second", "cpu_us_per_connection", "cycles_per_connection")


def _median(rounds: list[dict[str, Any]], name: str) -> float | None:
    values = [each[name] for each in rounds]
    return None if None in values else round(statistics.median(values), 1)


def _ratios(rounds: dict[str, list[dict[str, Any]]], name: str) -> dict[str, float] | None:
    """On by off, of each pair: their median, the least and the greatest."""
    pairs = [(on[name], off[name]) for on, off in zip(*rounds.values(), strict=True)]
    if any(not on or not off for on, off in pairs):
        return None
    ratios = [on / off for on, off in pairs]
    found = {"median": statistics.median(ratios), "least": min(ratios), "greatest": max(ratios)}
    return {which: round(value, 3) for which, value in found.items()}


def _in_words(figures: dict[str, Any]) -> str:
    on = figures["medians"]["auto"]
    rate = f"{on['connections_per_second']:,.0f}"
    cpu = f"{on['cpu_us_per_connection']:,.0f}"
    if "ratios" not in figures:
        return (
            f"recycling is {figures['recycling']}, so there is nothing to compare: {rate} "
            f"connections/s, {cpu} us of the server's CPU each, closed and replaced"
        )
    off = figures["medians"]["off"]
    count = len(figures["rounds"]["auto"])
    lines = [
        f"on / off, medians of {count} pairs of rounds: "
        f"{rate} / {off['connections_per_second']:,.0f} connections/s"
        f"{_ratio_in_words(figures['ratios']['connections_per_second'])}",
        f"the server's CPU {cpu} / {off['cpu_us_per_connection']:,.0f} us a connection"
        f"{_ratio_in_words(figures['ratios']['cpu_us_per_connection'])}",
    ]
    if figures["ratios"]["cycles_per_connection"]:
        lines.append(f"cycles{_ratio_in_words(figures['ratios']['cycles_per_connection'])}")
    return "; ".join(lines)


def _ratio_in_words(ratio: dict[str, float] | None) -> str:
    if ratio is None:
        return ", too little for a ratio"
    words = f", ratio {ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['greatest']:.2f})"
    if ratio["least"] <= 1.0 <= ratio["greatest"]:
        words += ", no difference can be told"
    return words
