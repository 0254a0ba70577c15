"""Debian packages: installed where they are missing, on a Debian-like system, by root."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from tools import cache
from tools.missing import Missing

LISTS = Path("/var/lib/apt/lists")
LISTS_AGE_MAX_S = 12 * 3600


def is_installed(package: str) -> bool:
    """Whether dpkg knows the package as fully installed."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return found.stdout == "installed"


def version(package: str) -> str:
    """The version of an installed package."""
    query = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout


def files(package: str) -> list[str]:
    """What an installed package has put on the machine."""
    query = ["dpkg-query", "--listfiles", package]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()


def install(what: str, *packages: str) -> None:
    """Makes sure that PACKAGES are installed; raises Missing for WHAT where that cannot be."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-query") is None:
        raise Missing(what, f"needs Debian 12 or newer with the packages {' '.join(packages)}")
    with cache.lock("apt"):
        wanted = [package for package in packages if not is_installed(package)]
        if not wanted:
            return
        if os.geteuid() != 0:
            raise Missing(what, f"run as root: apt-get install {' '.join(wanted)}")
        print(f"apt-get install {' '.join(wanted)}", flush=True)
        _refresh()
        if _apt("install", "--yes", "--no-install-recommends", *wanted) != 0:
            # The lists may be older than the archive.
            _apt("update")
            if _apt("install", "--yes", "--no-install-recommends", *wanted) != 0:
                raise Missing(what, f"apt-get install {' '.join(wanted)} failed")


def refresh(what: str) -> None:
    """Makes sure that apt has lists of this machine's packages; raises Missing for WHAT."""
    if shutil.which("apt-get") is None:
        raise Missing(what, "needs Debian 12 or newer")
    if os.geteuid() == 0:
        with cache.lock("apt"):
            _refresh()
    elif not any(LISTS.glob("*Packages*")):
        raise Missing(what, "run as root: apt-get update")


def _refresh() -> None:
    if not _lists_are_fresh():
        _apt("update")


def _lists_are_fresh() -> bool:
    lists = list(LISTS.glob("*Packages*"))
    newest = max((path.stat().st_mtime for path in lists), default=0.0)
    return time.time() - newest < LISTS_AGE_MAX_S


def _apt(*args: str) -> int:
    """Runs apt-get; prints what it said only if it failed."""
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600", *args]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ran = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        print(ran.stdout, flush=True)
    return ran.returncode
