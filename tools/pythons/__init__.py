"""The Pythons that the tests run on, beside those that this machine has."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools import quiet
from tools.missing import Missing, left_out
from tools.pythons import free_threaded, sid

# Where a Python comes from that the machine has not.
ORIGINS = {"3.13t": free_threaded, "3.14": sid, "3.15": sid}


# What nothing here imports, and what is not to be compiled but read.
NOT_COMPILED = r"/(tests?|idlelib|turtledemo|site-packages|dist-packages|lib2to3)/"

# Set where they are to be tested on: see tools/check.py --more-pythons.
WANTED = "IOCPREUSE_MORE_PYTHONS"


def want() -> None:
    """Has sessions that are started from now on test on them, too."""
    os.environ[WANTED] = "1"


def are_wanted() -> bool:
    """Whether `want` was called here, or by who started this."""
    return WANTED in os.environ


def offer(names: Sequence[str]) -> None:
    """Has programs that are started from now on find the Pythons NAMES of pyenv, and of the cache
    where they are wanted."""
    _activate_pyenv(names)
    if not are_wanted():
        return
    folders = [str(origin.programs(name)) for name, origin in ORIGINS.items() if name in names]
    # Behind all others: what is installed is what is to be tested.
    searched = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys((*searched, *folders)))


def setup() -> None:
    """Gets what this machine has not; a line tells of each that cannot be had here."""
    want()
    offer(list(ORIGINS))
    for name, origin in ORIGINS.items():
        if not _runs(name):
            try:
                origin.get(name)
            except Missing as reason:
                left_out(reason)
                continue
        program = origin.programs(name) / f"python{name}"
        if program.exists():
            _compile(f"Python {name}", program)


def _compile(what: str, program: Path) -> None:
    """Has its library compiled: where PYTHONDONTWRITEBYTECODE is set, each of the hundreds of
    processes that the tests start would do that anew, for a third of a second."""
    code = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    ran = subprocess.run([program, "-c", code], capture_output=True, text=True, check=False)
    library = Path(ran.stdout.strip())
    if not (library / "__pycache__").exists():
        options = ("-m", "compileall", "-q", "-j", "0", "-x", NOT_COMPILED)
        quiet.run(what, library, program, *options, library, may_fail=True)


def _runs(name: str) -> bool:
    # pyenv has a program for each Python, which fails where that one is not chosen.
    program = shutil.which(f"python{name}")
    command = [program or "", "-c", "pass"]
    return program is not None and subprocess.run(command, check=False).returncode == 0


def _activate_pyenv(names: Sequence[str]) -> None:
    """Has pyenv, where it is used, offer the newest of each Python: it hides all but one."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    kept = sorted(path.name for path in versions.glob("3.*"))
    newest = {name.rpartition(".")[0]: name for name in kept}
    offered = os.environ.get("PYENV_VERSION", "").split(":")
    chosen = [*filter(None, offered), *(newest[name] for name in names if name in newest)]
    if chosen:
        os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys(chosen))
