"""Wine prefixes: one made once as a template, and a copy of it for every use."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import cache, debian
from tools.missing import Missing
from tools.windows import toolchain

# Without winedbg a crash ends the program at once; with it, a crash once returned 0.
OVERRIDES = "mscoree=;mshtml=;winemenubuilder.exe=;winedbg.exe=d"
# Passed on from our own environment. Wine hands all of it to Windows programs, and what
# is meant for the Python that runs here (PYTHONPATH, VIRTUAL_ENV) would mislead that one.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "CI")
SERVICES_S = 120
# Longer than any pause between two programs: Wine itself would start the installed server next,
# whichever was wanted, and all that follows would be a test of that one.
PERSISTENCE_S = 3600


class WrongServerError(RuntimeError):
    """Another wineserver answers in a prefix than the one that it was started with, or none."""


@dataclass(frozen=True)
class Prefix:
    """A Windows of one's own: its files, and the wineserver that is its kernel."""

    path: Path
    server: Path

    def environment(self) -> dict[str, str]:
        """What a Windows program is to be started with."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {
            "HOME": str(self.path),
            **inherited,
            "WINEPREFIX": str(self.path),
            "WINESERVER": str(self.server),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": OVERRIDES,
        }

    def start(self, trace: Path | None = None) -> None:
        """Starts the services, so that no later run has them inherit its pipe and hang.

        With TRACE, the server writes every request down, in that file."""
        # It ends by itself that long after the last program, should nobody stop it.
        command = [str(self.server), f"-p{PERSISTENCE_S}"]
        if trace is None:
            self._quietly(*command)
        else:
            with trace.open("wb") as file:
                self._quietly(*command, "-d1", stderr=file.fileno())
        self._quietly("wine", "cmd", "/c", "exit")
        self.check_server()

    def answering(self) -> set[Path]:
        """The program of the wineserver that serves this prefix now; none where none does."""
        place = self.path.stat()
        name = f"server-{place.st_dev:x}-{place.st_ino:x}"  # of the folder that it works in
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or is somebody else's
                if (process / "cwd").readlink().name == name:
                    found.add((process / "exe").readlink())
        return found

    def check_server(self) -> None:
        """Raises WrongServerError unless the server that was asked for is the one that answers."""
        found = self.answering()
        if found != {self.server.resolve()}:
            names = " and ".join(map(str, sorted(found))) or "no wineserver"
            raise WrongServerError(
                f"in the prefix {self.path} {names} answers, not {self.server}: "
                "what is run there would not be a test of that one"
            )

    def stop(self) -> None:
        """Ends every program of the prefix, and waits for that."""
        self._quietly(str(self.server), "-k")
        self._quietly(str(self.server), "-w")

    def boot(self) -> None:
        """Makes the prefix: 693 MB, 7 s."""
        self._quietly("wineboot", "-i")
        self._quietly("wine", "winecfg", "-v", "win10")

    def _quietly(self, *command: str, stderr: int = subprocess.DEVNULL) -> None:
        subprocess.run(
            command,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            timeout=SERVICES_S,
            check=False,
        )


_running: set[Prefix] = set()


def stop_all() -> None:
    """Stops every prefix that this process has booted."""
    for prefix in tuple(_running):
        prefix.stop()


def stock_server() -> Path:
    """The installed wineserver: Debian's releases have it in different folders."""
    toolchain.wine()
    files = (Path(line) for line in debian.files("wine64"))
    found = sorted(path for path in files if re.fullmatch(r"wineserver(64)?", path.name))
    programs = [path for path in found if path.is_file() and os.access(path, os.X_OK)]
    if not programs:
        raise Missing("running under Wine", "the package wine64 has no wineserver")
    return programs[0]


def template() -> Path:
    """The prefix that all others are copied from; nothing runs in it."""
    server = stock_server()
    path = cache.folder("windows") / f"prefix-{debian.version('wine')}"
    with cache.lock("windows-prefix"):
        if not path.exists():
            with cache.building(path) as unfinished:
                prefix = Prefix(unfinished, server)
                prefix.boot()
                prefix.stop()
    return path


@contextlib.contextmanager
def booted(server: Path, trace: Path | None = None) -> Iterator[Prefix]:
    """A fresh prefix with its services up, for the time of the block; TRACE as for `start`."""
    with cache.scratch("prefix") as folder:
        prefix = Prefix(folder / "prefix", server)
        shutil.copytree(template(), prefix.path, symlinks=True)
        _running.add(prefix)
        try:
            prefix.start(trace)
            yield prefix
        finally:
            prefix.stop()
            _running.discard(prefix)
