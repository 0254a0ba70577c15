"""How often a server under Wine asks its kernel, the wineserver: a count, where rates say little.

The wineserver serves one request at a time, and each stands for a system call or more on Windows.
It writes down what it is asked; what a connection or a message takes is that count divided."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.trial import Timing, generate, serving
from benchmarks.wine import WineHost, wine_host
from benchmarks.workloads import Workload
from tools import cache

# A request as it is written down: the thread, the name, and the arguments; not its reply.
REQUEST = re.compile(rb"^[0-9a-f]{4}: (\w+)\((?!\) =)", re.MULTILINE)
# Few at a time and no warm-up: what is counted and not complete at the end does not weigh.
CONNECTIONS = 4
TIMING = Timing(warmup=0.0, seconds=2.0)
KINDS_SHOWN = 12

Counts = dict[str, dict[str, dict[str, float]]]  # workload, contender, request: how many each


def count(loads: Sequence[Workload], contenders: Sequence[Contender], generator: Path) -> Counts:
    """The requests of each name for a message or connection."""
    found: Counts = {}
    with cache.scratch("requests") as folder:
        trace = folder / "trace"
        with wine_host(contenders, trace=trace) as host:
            for workload in loads:
                few = min(workload.connections, CONNECTIONS)
                small = dataclasses.replace(workload, connections=few, senders=1)
                of_load = found.setdefault(workload.name, {})
                for contender in contenders:
                    if contender.can(workload):
                        of_load[contender.name] = _count(host, contender, small, generator, trace)
    return found


def _count(
    host: WineHost, contender: Contender, workload: Workload, generator: Path, trace: Path
) -> dict[str, float]:
    with serving(host, contender, workload) as running:
        before = trace.stat().st_size
        said: dict[str, Any] = generate(generator, running, workload, TIMING)
        with trace.open("rb") as file:
            file.seek(before)
            names = Counter(name.decode() for name in REQUEST.findall(file.read()))
    return {name: times / said["messages"] for name, times in names.most_common()}


def markdown(counts: Counts) -> str:
    """The sums, and for each workload what they are made of."""
    names = list(dict.fromkeys(name for of_load in counts.values() for name in of_load))
    sums = {
        load: {name: sum(kinds.values()) for name, kinds in of_load.items()}
        for load, of_load in counts.items()
    }
    parts = [_grid("workload", names, sums)]
    for load, of_load in counts.items():
        kinds: dict[str, dict[str, float]] = {}
        for name, of_contender in of_load.items():
            for kind, times in of_contender.items():
                kinds.setdefault(kind, {})[name] = times
        common = sorted(kinds, key=lambda kind: -max(kinds[kind].values()))[:KINDS_SHOWN]
        table = _grid("request", names, {kind: kinds[kind] for kind in common})
        parts.append(f"{load}, the most frequent requests:\n\n{table}")
    return "\n\n".join(parts) + "\n"


def _grid(corner: str, names: Sequence[str], rows: dict[str, dict[str, float]]) -> str:
    lines = [[corner, *names], ["---", *["---:"] * len(names)]]
    lines += [[title, *(_shown(row.get(name)) for name in names)] for title, row in rows.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _shown(times: float | None) -> str:
    return "-" if times is None else f"{times:.2f}"
