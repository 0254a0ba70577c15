"""Looks for circles, and for layers that look back: python -m tools.circles [PART ...]

A part is one of csrc/engine, csrc/io/epoll, csrc/io/iocp, csrc/io/sim, csrc/tls, csrc/py,
iocpreuse and layers; without one, all are looked at."""

import functools
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools import cache, programs, tree
from tools.circles import modules, objects
from tools.circles.graph import Graph, describe
from tools.circles.objects import Symbols
from tools.missing import Missing, left_out
from tools.programs import LINUX, SIMULATOR, WINDOWS, Target
from tools.tree import CSRC, ROOT
from tools.windows import toolchain

LAYERS = "layers"
PACKAGE = "iocpreuse"
# The engine's calls depend on the backend, so it is looked at with each. Python's do not.
FOLDERS: dict[str, tuple[Target, ...]] = {
    "csrc/engine": (LINUX, SIMULATOR, WINDOWS),
    "csrc/io/epoll": (LINUX,),
    "csrc/io/sim": (SIMULATOR,),
    "csrc/io/iocp": (WINDOWS,),
    "csrc/tls": (LINUX,),
    "csrc/py": (LINUX,),
}
PARTS = (*FOLDERS, PACKAGE, LAYERS)

# Whose symbols a layer may need. Of a backend's, the engine may have those that io.h declares.
MAY_NEED = {
    "py": {"py", "tls", "engine"},
    "tls": {"tls", "engine"},
    "engine": {"engine", "io", "backend"},
    "io": {"io"},
    "backend": {"backend", "io"},
}


def main(parts: Sequence[str] = ()) -> int:
    """Prints each offence; returns 1 if there is one."""
    for name in parts:
        if name not in PARTS:
            print(f"no part is called {name!r}: there are {', '.join(PARTS)}")
            return 2
    found = []
    with cache.scratch("circles") as scratch:
        house = House(scratch)
        for name in parts or PARTS:
            try:
                lines = house.look(name)
            except programs.BuildError as error:
                lines = [str(error)]
            found += [line if line[0] == " " else f"{name}: {line}" for line in lines]
    for line in found:
        print(line)
    return 1 if found else 0


class House:
    """The sources, compiled for each target once."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._symbols: dict[str, dict[Path, Symbols]] = {}

    def look(self, part: str) -> list[str]:
        """What is wrong with a part, in words."""
        if part == PACKAGE:
            return describe(modules.graph_of(ROOT / PACKAGE))
        if part == LAYERS:
            compiled = [self._compiled(target) for target in self._targets]
            return sorted({line for symbols in compiled for line in looks_back(symbols, CSRC)})
        graph = Graph()
        for target in FOLDERS[part]:
            if target in self._targets:
                shared = CSRC / "io" if part.startswith("csrc/io/") else None
                inside = {
                    path: its
                    for path, its in self._compiled(target).items()
                    if path.is_relative_to(ROOT / part) or path.parent == shared
                }
                objects.add_ties(graph, inside, shared or ROOT / part)
        return describe(graph)

    @functools.cached_property
    def _targets(self) -> list[Target]:
        """Those that there are compilers for."""
        if shutil.which(LINUX.compiler) is None:
            raise Missing("circles in csrc", f"needs the C compiler {LINUX.compiler}")
        try:
            toolchain.mingw()
        except Missing as reason:
            left_out(f"circles and layers of csrc/io/{WINDOWS.backend}: {reason}")
            return [LINUX, SIMULATOR]
        return [LINUX, SIMULATOR, WINDOWS]

    def _compiled(self, target: Target) -> dict[Path, Symbols]:
        """All that TARGET is built of; csrc/py is Linux's alone, where Python.h is at hand."""
        if target.backend not in self._symbols:
            folder = self._scratch / target.backend
            folder.mkdir()
            backend = programs.backend_folder(target)
            files = [*(CSRC / "engine").rglob("*.c"), *backend.rglob("*.c")]
            files += tree.c_files(CSRC / "io")
            flags: tuple[str, ...] = ()
            if target is LINUX:
                files += [*(CSRC / "py").rglob("*.c"), *(CSRC / "tls").rglob("*.c")]
                flags = programs.python_flags()
            found = objects.compile_symbols(target, sorted(files), folder, *flags)
            self._symbols[target.backend] = found
        return self._symbols[target.backend]


def layer_of(path: Path, csrc: Path) -> str:
    """The layer of a C file: py, tls, engine, io (what the backends share), or backend."""
    parts = path.relative_to(csrc).parts
    return "backend" if parts[0] == "io" and len(parts) > 2 else parts[0]


def looks_back(symbols: dict[Path, Symbols], csrc: Path) -> Iterator[str]:
    """Each need that points another way than py, tls, engine, io.h and backend to io.h."""
    seam = set(re.findall(r"\bio_\w+(?=\()", (csrc / "io" / "io.h").read_text("utf-8")))
    layers = {path.relative_to(csrc).as_posix(): layer_of(path, csrc) for path in symbols}
    graph = Graph()
    objects.add_ties(graph, symbols, csrc)
    for user, used, what in graph.ties():
        if layers[used] not in MAY_NEED[layers[user]]:
            yield f"{user} needs {used} for {', '.join(what)}: no {layers[user]} may"
        elif layers[user] != "backend" and layers[used] == "backend":
            hidden = [symbol for symbol in what if symbol not in seam]
            if hidden:
                yield f"{user} needs {used} for {', '.join(hidden)}, which io.h does not declare"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
