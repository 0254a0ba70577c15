"""The Windows peers under Wine: rates there are only good for comparing them with each other."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import OURS, Contender
from benchmarks.trial import LAUNCH, TrialError
from benchmarks.workloads import Workload
from tools import cache
from tools.windows import prefix, python, wheel, wineserver
from tools.windows.prefix import Prefix


@dataclass(frozen=True)
class WineHost:
    """A Windows of its own, and a Windows Python for each program."""

    booted: Prefix
    interpreters: dict[str, Path]

    def command(self, contender: Contender, workload: Workload) -> list[str]:
        """The server, as a Windows program."""
        python_exe = str(self.interpreters[contender.name])
        task = [contender.program, workload.role, *workload.server_arguments]
        return ["wine", python_exe, "-P", str(LAUNCH), *task, *contender.arguments]

    def environment(self) -> dict[str, str]:
        """That of the prefix."""
        python_wants = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return {**self.booted.environment(), **python_wants}

    def pids(self, process: "subprocess.Popen[bytes]") -> tuple[int, ...]:
        """The server's, which wine has become; and the wineserver, which is its kernel."""
        return (process.pid, wineserver_pid(self.booted))


def wineserver_pid(booted: Prefix) -> int:
    """The kernel of that Windows."""
    mark = f"WINEPREFIX={booted.path}".encode()
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if not (process / "comm").read_text("utf-8").startswith("wineserver"):
                continue
            if mark in (process / "environ").read_bytes().split(b"\0"):
                return int(process.name)
    raise TrialError("the prefix has no wineserver")


@contextlib.contextmanager
def wine_host(contenders: Sequence[Contender], trace: Path | None = None) -> Iterator[WineHost]:
    """Windows with all that the contenders need, and with sockets that can be recycled.

    With TRACE, its kernel writes every request down there, and is slow."""
    server = wineserver.mended()
    with cache.scratch("benchmarks") as folder, prefix.booted(server, trace) as booted:
        homes: dict[tuple[str, ...], Path] = {}
        for contender in contenders:
            if _needs(contender) not in homes:
                homes[_needs(contender)] = _install(contender, folder / f"python-{len(homes)}")
        executables = {one.name: homes[_needs(one)] / "python.exe" for one in contenders}
        yield WineHost(booted, executables)


def _needs(contender: Contender) -> tuple[str, ...]:
    """What has to be installed for it; equal for those that can share a Python."""
    return (OURS,) if contender.program == OURS else contender.requirements


def _install(contender: Contender, folder: Path) -> Path:
    """A Windows Python with what the contender needs."""
    home = python.copy_to(folder)
    if contender.program == OURS:
        python.install(home, str(wheel.build(folder.parent)))
    elif contender.requirements:
        python.install(home, *contender.requirements)
    return home
