"""The loads that servers are measured under, by name."""

from collections.abc import Iterable
from dataclasses import dataclass

KIB = 1024
UNITS = {"bulk": "MiB", "churn": "connections", "chat": "deliveries"}


@dataclass(frozen=True)
class Workload:
    """One load: what the server has to do, and what the generator does to it."""

    name: str
    group: str
    role: str  # of the server
    mode: str  # of the generator
    connections: int = 1
    size: int = 64  # bytes of a message
    depth: int = 1  # messages of a connection that are on their way
    senders: int = 1
    reset: bool = False
    server_arguments: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """What is counted."""
        return UNITS.get(self.mode, "messages")

    def generator_arguments(self) -> list[str]:
        """All but what belongs to the run: the port, the processes, the seconds."""
        numbers = ("connections", "size", "depth", "senders")
        options = [part for name in numbers for part in (f"--{name}", str(getattr(self, name)))]
        return [self.mode, *options, *(["--reset"] if self.reset else [])]


def _echo(connections: int, size: int, depth: int, group: str = "echo") -> Workload:
    shown = f"{size // KIB}KiB" if size >= KIB else f"{size}B"
    name = f"echo-{connections}x{shown}x{depth}"
    return Workload(name, group, "echo", "echo", connections, size, depth)


def _computing(connections: int) -> Workload:
    name, arguments = f"computing-{connections}", ("--computing",)
    return Workload(name, "computing", "echo", "echo", connections, server_arguments=arguments)


def _work(microseconds: int) -> Workload:
    name, arguments = f"work-{microseconds}us", ("--work-us", str(microseconds))
    return Workload(name, "work", "work", "echo", 50, server_arguments=arguments)


WORKLOADS: tuple[Workload, ...] = (
    *(
        _echo(count, size, deep)
        for deep in (1, 16)
        for size in (64, 4096)
        for count in (1, 50, 1000)
    ),
    _echo(20, 16 * KIB, 1, "large"),
    _echo(2, 64 * KIB, 2, "large"),
    _echo(100, 64 * KIB, 1, "large"),
    Workload("framed", "framed", "framed", "framed", 50, 64, 16),
    Workload("chat-500x20", "chat", "chat", "chat", 500, senders=20),
    Workload("chat-500x100", "chat", "chat", "chat", 500, senders=100),
    Workload("broadcast-1000", "broadcast", "broadcast", "chat", 1000),
    Workload("churn-clean", "churn", "echo", "churn", 50),
    Workload("churn-reset", "churn", "echo", "churn", 50, reset=True),
    Workload("bulk", "bulk", "echo", "bulk", 4),
    Workload("idle-10000", "idle", "echo", "idle", 10_000),
    *(_computing(connections) for connections in (1, 50, 1000)),
    Workload("blocking", "blocking", "blocking", "echo", 50, server_arguments=("--workers", "8")),
    *(_work(microseconds) for microseconds in (20, 200)),
)
# Of these, what a quick run takes.
QUICK = (
    *("echo-1x64Bx1", "echo-50x64Bx1", "echo-50x4KiBx16", "echo-1000x64Bx1", "framed"),
    *("chat-500x20", "broadcast-1000", "churn-clean", "churn-reset", "bulk", "computing-50"),
)
# What is measured under Wine, where a connection costs much.
WINE = (
    *(load.name for load in WORKLOADS if load.group == "echo" and load.connections <= 50),
    *("framed", "chat-500x20", "broadcast-1000", "churn-clean", "churn-reset", "bulk"),
)


def names() -> list[str]:
    """The names of all, in order."""
    return [workload.name for workload in WORKLOADS]


def choose(wanted: Iterable[str]) -> list[Workload]:
    """Those that are named, by their names or those of their groups; ValueError for another."""
    wanted = list(wanted)
    known = {name for workload in WORKLOADS for name in (workload.name, workload.group)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"there is no workload {unknown[0]!r}; there are: {', '.join(names())}")
    return [load for load in WORKLOADS if load.name in wanted or load.group in wanted]
