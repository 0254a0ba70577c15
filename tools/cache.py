"""The cache folder: all that is downloaded or built stands there, nothing in the tree."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def folder(*parts: str) -> Path:
    """A folder of the cache, made where it does not exist."""
    home = os.environ.get("IOCPREUSE_CACHE")
    if home is None:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        home = str(Path(base) / "iocpreuse")
    path = Path(home).absolute().joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Holds NAME against other processes; they wait."""
    with (folder("locks") / name).open("w") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def scratch(label: str) -> Iterator[Path]:
    """A folder in the cache that is gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix=f"{label}-", dir=folder("scratch")))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def building(path: Path) -> Iterator[Path]:
    """A scratch folder that becomes PATH at the end, whole or not at all."""
    with scratch(path.name) as unfinished:
        yield unfinished
        shutil.rmtree(path, ignore_errors=True)
        unfinished.rename(path)
