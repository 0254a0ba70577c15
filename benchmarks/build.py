"""The C programs of the campaign: the generator and the limit."""

import hashlib
import subprocess
from pathlib import Path

from tools import cache, programs, tree

HERE = Path(__file__).resolve().parent
FLAGS = ("-std=c11", "-O2", "-D_GNU_SOURCE", *programs.WARNINGS)


def build(name: str) -> Path:
    """The program NAME, compiled from its folder unless that has been done already."""
    folder = HERE / name
    sources = tree.c_files(folder)
    digest = hashlib.sha256(" ".join((programs.LINUX.compiler, *FLAGS)).encode())
    for path in sorted(folder.glob("*.[ch]")):
        digest.update(path.read_bytes())
    path = cache.folder("benchmarks") / f"{name}-{digest.hexdigest()[:12]}"
    with cache.lock(f"benchmarks-{name}"):
        if not path.exists():
            unfinished = path.with_suffix(".new")
            command = [programs.LINUX.compiler, *FLAGS, *map(str, sources), "-o", str(unfinished)]
            if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
                raise programs.BuildError(f"the {name} does not build")
            unfinished.rename(path)
    return path
