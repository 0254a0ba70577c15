"""Builds the simulator and runs it: python -m tools.sim [--build NAME] [arguments of sim ...]

Without arguments each build runs its default seeds and the sweep: see tests/sim/README.md."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools import cache, programs, tree

FOLDERS = ("csrc/io", "csrc/io/sim", "tests/sim")
WARNINGS = (*programs.WARNINGS, "-Wconversion")
FLAGS = ("-std=c11", "-g", *WARNINGS, "-pthread", programs.WRAPPABLE_LOCKS)
# What the linker leads through tests/sim/hooks.c.
WRAP = re.compile(r"\b__wrap_(\w+)\(")
SANITIZE = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


# As on Linux: sockets that come with the completion of an accept, sends that are done at once,
# receives that have no buffer while they wait.
LATE = (
    "-DIO_ACCEPT_MAKES_SOCK=0",
    "-DIO_THREAD_EXIT_CANCELS=0",
    "-DSIM_SENDS_AT_ONCE=1",
    "-DIO_RECV_BORROWS=1",
)


@dataclass(frozen=True)
class Build:
    """A way to compile the simulator."""

    name: str
    flags: tuple[str, ...]
    seeds: int = 6000


BUILDS = (
    Build("plain", ("-O2",)),
    Build("late", ("-O2", *LATE)),
    Build("sanitize", SANITIZE, 400),
)


class BuildError(Exception):
    """The compiler or the linker refused; what they said is the message."""


def sources(root: Path) -> list[Path]:
    """The C files of the simulator in the tree at ROOT."""
    return [*tree.c_files(*(root / folder for folder in FOLDERS)), *tree.engine_files(root)]


def compile_files(
    root: Path, out: Path, flags: Sequence[str], files: Iterable[Path]
) -> dict[Path, Path]:
    """Compiles FILES of the tree at ROOT into the folder OUT; the object file of each, which are
    named as within the tree. What each was made of stands beside it: see `made_of`."""
    out.mkdir(parents=True, exist_ok=True)
    objects = {}
    commands = []
    for path in files:
        name = path.relative_to(root)
        objects[name] = out / f"{'-'.join(name.parts)}.o"
        include = f"-I{root / 'csrc/io/sim'}"
        command = [_compiler(), *FLAGS, *flags, include, "-MMD", "-c", str(path)]
        commands.append([*command, "-o", str(objects[name])])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_quiet, commands))
    return objects


def made_of(root: Path, made: Path) -> set[Path]:
    """The files of the tree at ROOT that the object file MADE was compiled from."""
    rule = made.with_suffix(".d").read_text("utf-8").replace("\\\n", " ")
    names = re.split(r"(?<!\\)\s+", rule.partition(": ")[2].strip())
    paths = [Path(os.path.normpath(name.replace("\\ ", " "))) for name in names]
    return {path.relative_to(root) for path in paths if path.is_relative_to(root)}


def link(root: Path, out: Path, flags: Sequence[str], objects: Mapping[Path, Path]) -> Path:
    """Links what the tree at ROOT was compiled to; the program is OUT/sim."""
    wrapped = {name for path in sources(root) for name in WRAP.findall(path.read_text("utf-8"))}
    wraps = [f"-Wl,--wrap={name}" for name in sorted(wrapped)]
    parts = [str(objects[name]) for name in sorted(objects)]
    program = out / "sim"
    _quiet([_compiler(), *flags, *parts, "-o", str(program), *wraps, "-pthread"])
    return program


def build(root: Path, out: Path, flags: Sequence[str]) -> Path:
    """Compiles and links the tree at ROOT in the folder OUT; the program is OUT/sim."""
    return link(root, out, flags, compile_files(root, out, flags, sources(root)))


def _compiler() -> str:
    return os.environ.get("CC", "cc")


def _quiet(command: list[str]) -> None:
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ran.returncode != 0:
        raise BuildError(ran.stderr.decode("utf-8", "replace"))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [each.name for each in BUILDS]
    parser.add_argument("--build", choices=names, action="append", help="which; all by default")
    options, arguments = parser.parse_known_args(argv)
    chosen = [each for each in BUILDS if each.name in (options.build or names)]
    if arguments and not options.build:
        chosen = chosen[:1]
    failed = 0
    for each in chosen:
        with cache.scratch("sim") as folder:
            program = build(tree.ROOT, folder, each.flags)
            runs = [arguments] if arguments else [["--seeds", str(each.seeds)], ["--sweep"]]
            for run in runs:
                print(f"sim, {each.name} build: {' '.join(run)}", flush=True)
                failed += subprocess.run([str(program), *run], check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BuildError as error:
        sys.exit(str(error))
