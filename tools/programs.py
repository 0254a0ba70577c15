"""The C suites as programs: each tests/c/test_*.c, tests/io_contract, and tests/engine."""

import dataclasses
import os
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools import debian, tree

CONTRACT = "io_contract"
ENGINE = "engine"
LIMIT_S = 300.0
WARNINGS = ("-Wall", "-Wextra")


class BuildError(Exception):
    """The compiler or the linker refused; what they said is printed already."""


@dataclass(frozen=True)
class Target:
    """A compiler, the backend it is for, and what goes with the two."""

    compiler: str
    backend: str
    flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    suffix: str = ""

    def with_flags(self, *flags: str) -> "Target":
        """The same, with FLAGS added for both the compiler and the linker."""
        return dataclasses.replace(
            self, flags=self.flags + flags, link_flags=self.link_flags + flags
        )


LINUX = Target(
    os.environ.get("CC", "cc"),
    "epoll",
    ("-std=c11", "-O1", "-g", "-D_GNU_SOURCE", "-pthread", *WARNINGS),
    ("-pthread",),
)
# The simulator leads the engine's locks through tests/sim/hooks.c: inline ones have no name.
WRAPPABLE_LOCKS = "-DIOCPREUSE_PTHREAD_LOCKS"
SIMULATOR = dataclasses.replace(LINUX, backend="sim", flags=(*LINUX.flags, WRAPPABLE_LOCKS))
WINDOWS = Target(
    "x86_64-w64-mingw32-gcc",
    "iocp",
    ("-std=c11", "-O1", "-g", "-D_WIN32_WINNT=0x0A00", "-DWINVER=0x0A00", *WARNINGS),
    ("-static-libgcc", "-lws2_32"),
    ".exe",
)


def backend_folder(target: Target) -> Path:
    return tree.CSRC / "io" / target.backend


def sources(target: Target) -> dict[str, list[Path]]:
    """The C files of each program, by its name."""
    io = tree.c_files(tree.CSRC / "io", backend_folder(target))
    engine = tree.engine_files()
    if target.backend == SIMULATOR.backend:
        world = tree.c_files(tree.TESTS / SIMULATOR.backend)
        return {SIMULATOR.backend: [*world, *engine, *io]} if world else {}
    programs: dict[str, list[Path]] = {}
    units = tree.c_files(tree.TESTS / "c")
    shared = [path for path in units if not path.name.startswith("test_")]
    for path in units:
        if path.name.startswith("test_"):
            programs[path.stem] = [path, *shared, *engine, *io]
    contract = tree.c_files(tree.TESTS / CONTRACT)
    if contract:
        programs[CONTRACT] = [*contract, *io]
    stress = tree.c_files(tree.TESTS / ENGINE)
    if stress:
        programs[ENGINE] = [*stress, tree.TESTS / CONTRACT / "peer.c", *engine, *io]
    return programs


def build(target: Target, folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Compiles each C file once, in parallel, and links the programs into FOLDER."""
    chosen = {name: files for name, files in sources(target).items() if not names or name in names}
    unique = dict.fromkeys(path for files in chosen.values() for path in files)
    objects = compile_files(target, unique, folder)
    commands = []
    programs = []
    for name, files in chosen.items():
        program = folder / f"{name}{target.suffix}"
        parts = [str(objects[path]) for path in files]
        flags = [*target.link_flags, *_wraps(files)]
        commands.append([target.compiler, *parts, "-o", str(program), *flags])
        programs.append(program)
    _run_all(target, commands)
    return programs


def compile_files(target: Target, files: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """Compiles each of FILES into FOLDER, in parallel; the object file of each."""
    objects = {path: folder / ("-".join(path.parts[1:]) + ".o") for path in files}
    include = f"-I{backend_folder(target)}"
    commands = [
        [target.compiler, *target.flags, include, "-c", str(path), "-o", str(out)]
        for path, out in objects.items()
    ]
    _run_all(target, commands)
    return objects


def python_flags() -> tuple[str, ...]:
    """What csrc/py needs beside TARGET's flags: Python.h, and the package's version."""
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").exists():
        debian.install("Python.h", f"libpython3.{sys.version_info.minor}-dev")
    return ("-isystem", str(headers), tree.version_macro())


def _run_all(target: Target, commands: list[list[str]]) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if not all(list(pool.map(_quiet, commands))):
            raise BuildError(f"the {target.backend} programs do not build")


def _wraps(files: list[Path]) -> list[str]:
    """Has the linker lead calls of X to each __wrap_X that the tests among FILES define."""
    texts = (path.read_text("utf-8") for path in files if path.is_relative_to(tree.TESTS))
    names = {name for text in texts for name in re.findall(r"\b__wrap_(\w+)\(", text)}
    return [f"-Wl,--wrap={name}" for name in sorted(names)]


def _quiet(command: list[str]) -> bool:
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ran.stderr or ran.returncode != 0:
        sys.stderr.write(ran.stderr.decode("utf-8", "replace"))
        sys.stderr.flush()
    return ran.returncode == 0


def run(program: Path, environment: dict[str, str] | None = None) -> bool:
    """Runs a program of this machine; whether it succeeded, in time."""
    begin = time.monotonic()
    try:
        ran = subprocess.run(
            [str(program)],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
        code: int | str = ran.returncode
        said = ran.stdout
    except subprocess.TimeoutExpired as expired:
        code = "none, it hung"
        said = expired.stdout or b""
    report(program.stem, code, said.decode("utf-8", "replace"), time.monotonic() - begin)
    return code == 0


def report(name: str, code: int | str, output: str, seconds: float) -> None:
    """Says how a program ended: with its last line, or if it failed with all it said."""
    if code != 0:
        print(output)
    verdict = "passed" if code == 0 else f"FAILED with exit code {code}"
    closing = output.rstrip().rpartition("\n")[2]
    print(f"{name}: {verdict} in {seconds:.1f} s: {closing}", flush=True)
