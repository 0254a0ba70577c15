"""The first free-threaded Python, 3.13: nobody packs it, so it is built from Debian's source."""

import hashlib
import os
import platform
import sys
from pathlib import Path

from tools import cache, debian, quiet
from tools.archive import Archive
from tools.missing import Missing

SUITE = "trixie"
PACKAGE = "python3.13"
# The libraries are those that a virtual environment and pip need, and ctypes.
NEEDED = "gcc libc6-dev make pkg-config zlib1g-dev libssl-dev libffi-dev"
CONFIGURE = ("--disable-gil", "--disable-test-modules", "--without-static-libpython")
# Without -g, which would make twice as much of it.
FLAGS = {"OPT": "-DNDEBUG -O2"}
# No bytecode now: most modules are never imported. And no pip: each environment has its own.
INSTALL = ("altinstall", "ENSUREPIP=no", "PYTHON_FOR_BUILD=true")


def programs(name: str) -> Path:
    """Where the interpreter stands, once it is built."""
    return _home(name) / "bin"


def get(name: str) -> None:
    """Builds it, which takes some four minutes on two cores; raises Missing where it cannot."""
    what = f"Python {name}"
    if sys.platform != "linux":
        raise Missing(what, "it is built on Linux only")
    path = _home(name)
    with cache.lock(path.name):
        if path.exists():
            return
        debian.install(what, *NEEDED.split())
        with cache.scratch("source") as scratch, cache.building(path) as unfinished:
            # As its authors wrote it: Debian's own patches move what pip installs.
            source = Archive(scratch, what, "deb-src", SUITE).source(PACKAGE, patched=False)
            environment = {**os.environ, **FLAGS}
            configure = ("./configure", *CONFIGURE, f"--prefix={path}")
            quiet.run(what, source, *configure, environment=environment)
            quiet.run(what, source, "make", f"-j{os.cpu_count()}")
            quiet.run(what, source, "make", *INSTALL, f"prefix={unfinished}")
            # This folder is to offer one Python, not a "python3.13" that is none to others.
            for program in (unfinished / "bin").iterdir():
                if program.name != f"python{name}":
                    program.unlink()


def _home(name: str) -> Path:
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    key = hashlib.sha256(Path(__file__).read_bytes() + release.encode()).hexdigest()
    return cache.folder("pythons") / f"{name}-{key[:12]}"
