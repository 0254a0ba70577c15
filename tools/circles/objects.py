"""Object files: which symbols each defines and needs, and so which C file needs which."""

import dataclasses
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools import programs
from tools.circles.graph import Graph
from tools.programs import Target

# Nothing is inlined, so that each call of another file's function is a symbol.
PLAIN = ("-O0", "-fno-inline", "-fno-lto", "-g0")
# What nm says of a symbol that is needed: undefined, or weak and undefined.
UNDEFINED = "Uwv"


@dataclass(frozen=True)
class Symbols:
    """What an object file offers to others, and what it needs of them."""

    defined: frozenset[str]
    needed: frozenset[str]


def compile_symbols(
    target: Target, files: Iterable[Path], scratch: Path, *flags: str
) -> dict[Path, Symbols]:
    """The symbols of each C file, compiled for TARGET into the folder SCRATCH."""
    plain = dataclasses.replace(target, flags=(*target.flags, *PLAIN, *flags))
    objects = programs.compile_files(plain, files, scratch)
    return {path: read_symbols(target, made) for path, made in objects.items()}


def read_symbols(target: Target, made: Path) -> Symbols:
    """What nm tells of the object file MADE."""
    command = [_nm(target), "--portability", str(made)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    defined, needed = set(), set()
    for line in ran.stdout.splitlines():
        name, kind = line.split()[:2]
        if kind in UNDEFINED:
            needed.add(name)
        elif kind.isupper():
            defined.add(name)
    return Symbols(frozenset(defined), frozenset(needed))


def _nm(target: Target) -> str:
    """The nm beside a cross compiler; else the system's."""
    prefix, dash, _ = target.compiler.rpartition("-gcc")
    return f"{prefix}-nm" if dash else "nm"


def add_ties(graph: Graph, symbols: dict[Path, Symbols], root: Path) -> None:
    """Adds files, named as they stand under ROOT, and who needs a symbol that another defines."""
    names = {path: path.relative_to(root).as_posix() for path in symbols}
    definer = {symbol: path for path, its in symbols.items() for symbol in its.defined}
    for path, its in symbols.items():
        graph.add(names[path])
        for symbol in its.needed & definer.keys():
            graph.tie(names[path], names[definer[symbol]], symbol)
