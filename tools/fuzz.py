"""Fuzzes parts of the engine: python -m tools.fuzz [TARGET ...] [--seconds 600] [--input FILE].

The targets, tests/fuzz/fuzz_TARGET.c, run at the same time; see tests/fuzz/README.md."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import cache, debian, programs, tree
from tools.missing import Missing, left_out
from tools.windows import toolchain

FOLDER = tree.TESTS / "fuzz"
# What each target is about, wherever in csrc/engine it stands.
TARGETS = {
    "framing": ("framing.c",),
    "proxy": ("proxy.c", "ip_text.c"),
    "sendq": ("sendq.c", "sendbuf.c", "shared.c", "slab.c"),
}
# libFuzzer comes with the second.
PACKAGES = (toolchain.CLANG, f"libclang-rt-{toolchain.CLANG.removeprefix('clang-')}-dev")
SANITIZE = ("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
FLAGS = ("-std=c11", "-O1", "-g", "-D_GNU_SOURCE", "-pthread", *programs.WARNINGS, *SANITIZE)
# What the linker leads through tests/fuzz/memory.c.
WRAPPED = ("malloc", "realloc", "posix_memalign")
INPUT_BYTES_MAX = 2048
FIGURE = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
COVERAGE = re.compile(r"\bcov: (\d+)")
# Beyond the time a run is given: it reads its corpus first, and is done with its last input.
GRACE_S = 120


class BuildError(Exception):
    """The compiler refused; what it said is the message."""


def find(name: str) -> Path:
    """The one file NAME of the engine."""
    found = sorted((tree.CSRC / "engine").rglob(name))
    if len(found) != 1:
        raise BuildError(f"csrc/engine should have one {name}, not {len(found)}")
    return found[0]


def build(target: str, folder: Path) -> Path:
    """Compiles TARGET into FOLDER."""
    program = folder / target
    headers = {path.parent for path in (tree.CSRC / "engine").rglob("*.h")}
    includes = [f"-I{path}" for path in (*sorted(headers), programs.backend_folder(programs.LINUX))]
    sources = [FOLDER / f"fuzz_{target}.c", FOLDER / "memory.c", *map(find, TARGETS[target])]
    wraps = [f"-Wl,--wrap={name}" for name in WRAPPED]
    command = [toolchain.CLANG, *FLAGS, *includes, *map(str, sources), *wraps, "-o", str(program)]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ran.returncode != 0 or ran.stderr:
        raise BuildError(ran.stderr.decode("utf-8", "replace"))
    return program


def fuzz(target: str, program: Path, seconds: int) -> bool:
    """Runs TARGET for so long, with its seeds and what earlier runs have kept; says how it went."""
    corpus = cache.folder("fuzz", target, "corpus")
    crashers = cache.folder("fuzz", target, "crashers")
    command = [
        str(program),
        f"-max_total_time={seconds}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-artifact_prefix={crashers}/",
        "-print_final_stats=1",
        "-timeout=25",
        str(corpus),
        *(str(path) for path in (FOLDER / "seeds" / target,) if path.is_dir()),
    ]
    code, said = _run(command, seconds + GRACE_S)
    figures = dict(FIGURE.findall(said))
    edges = COVERAGE.findall(said)
    inputs = len(list(corpus.iterdir()))
    good = code == 0 and bool(figures)
    if not good:
        print(said)
    print(
        f"fuzz {target}: {'passed' if good else f'FAILED with exit code {code}'}: "
        f"{figures.get('number_of_executed_units', 'no')} inputs in {seconds} s, "
        f"{edges[-1] if edges else 'no'} edges, {inputs} inputs kept",
        flush=True,
    )
    return good


def _run(command: Sequence[str], limit_s: float) -> tuple[int | str, str]:
    """Runs COMMAND; its exit code and what it said."""
    try:
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        return "none, it hung", (expired.stdout or b"").decode("utf-8", "replace")
    return ran.returncode, ran.stdout.decode("utf-8", "replace")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=600, help="for each target (600)")
    parser.add_argument("--input", type=Path, help="only run this file, a crasher, through TARGET")
    options = parser.parse_args(argv)
    targets = options.targets or list(TARGETS)
    for target in targets:
        if target not in TARGETS:
            parser.error(f"there is no target {target!r}; there are: {', '.join(TARGETS)}")
    if options.seconds < 1:
        parser.error(f"--seconds must be at least 1, not {options.seconds}")
    if options.input and len(targets) != 1:
        parser.error("--input is for one target: name it")
    try:
        debian.install("fuzzing", *PACKAGES)
    except Missing as reason:
        left_out(reason)
        return 0
    with cache.scratch("fuzz") as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        built = list(pool.map(lambda target: build(target, folder), targets))
        if options.input:
            return subprocess.run([str(built[0]), str(options.input)], check=False).returncode
        results = list(pool.map(fuzz, targets, built, [options.seconds] * len(targets)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BuildError as error:
        sys.exit(str(error))
