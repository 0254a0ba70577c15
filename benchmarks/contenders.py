"""Those that are compared: the plain C limit, ours, and the peers."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.workloads import Workload

LIMIT = "limit"
OURS = "ours"
ALL_ROLES = frozenset(("echo", "framed", "chat", "broadcast", "blocking"))


@dataclass(frozen=True)
class Contender:
    """A server program with its options, and what has to be installed for it."""

    name: str
    program: str  # in benchmarks/servers, or LIMIT
    arguments: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    roles: frozenset[str] = ALL_ROLES
    groups: frozenset[str] | None = None  # only these groups of workloads; None = all
    free_threaded: bool = False

    def can(self, workload: Workload) -> bool:
        """Whether it takes part in that."""
        if workload.role not in self.roles or (self.groups and workload.group not in self.groups):
            return False
        return self.program != LIMIT or not workload.server_arguments


def _loop(name: str, requirement: str) -> Contender:
    return Contender(name, "asyncio_protocol", ("--loop", name), (requirement,))


def _workers(count: int) -> Contender:
    """Ours with so many workers, on a free-threaded Python."""
    return Contender(
        f"ours-{count}-worker{'s' if count > 1 else ''}",
        OURS,
        ("--workers", str(count)),
        roles=frozenset(("work",)),
        free_threaded=True,
    )


CHURN = frozenset(("churn",))
# Sends to each member by itself, as the peers do.
SENDS = Contender("ours-sends", OURS, ("--sends",), groups=frozenset(("chat",)))

LINUX: tuple[Contender, ...] = (
    Contender(LIMIT, LIMIT, roles=frozenset(("echo", "chat", "broadcast"))),
    Contender(OURS, OURS),
    SENDS,
    _loop("uvloop", "uvloop>=0.22"),
    Contender(
        "aiofastnet",
        "asyncio_protocol",
        ("--loop", "uvloop", "--transport", "aiofastnet"),
        ("uvloop>=0.22", "aiofastnet>=1.2"),
    ),
    Contender("asyncio", "asyncio_protocol"),
    Contender("streams", "asyncio_streams"),
    Contender("twisted", "twisted_protocol", requirements=("twisted>=25.5",)),
    Contender("gevent", "gevent_server", requirements=("gevent>=25",)),
    _workers(1),
    _workers(2),
)
# With a Windows Python. asyncio's own loop there is the Proactor.
WINDOWS: tuple[Contender, ...] = (
    Contender(OURS, OURS),
    Contender("ours-fresh", OURS, ("--recycle", "off"), groups=CHURN),
    SENDS,
    _loop("winloop", "winloop>=0.2"),
    Contender("proactor", "asyncio_protocol"),
    # pip judges what a requirement needs by the system it runs on: here not Windows.
    Contender(
        "twisted-iocp",
        "twisted_protocol",
        requirements=("twisted>=25.5", "twisted-iocpsupport", "pywin32"),
    ),
)
QUICK = (LIMIT, OURS, "uvloop", "asyncio")


def choose(contenders: Iterable[Contender], wanted: Iterable[str]) -> list[Contender]:
    """Those that are named; ValueError for a name that is none of theirs."""
    contenders, wanted = list(contenders), list(wanted)
    known = [contender.name for contender in contenders]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"there is no contender {unknown[0]!r}; there are: {', '.join(known)}")
    return [contender for contender in contenders if contender.name in wanted]
