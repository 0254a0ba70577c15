"""Takes the engine's guards out, one at a time, and requires that the simulator notices.

python -m tests.sim.mutants [NAME ...]

The engine's sources are copied, changed by exact replacement of text, and run for the seeds of a
normal run. What a change does not touch is compiled once, for all. A text that is no longer found
is an error: then this file must follow the engine."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.sim.mutations import MUTANTS, Mutant
from tests.sim.variants import VARIANTS
from tools import cache, tree
from tools.sim import compile_files, link, made_of, sources

FLAGS = ("-O1", "-w")
LIMIT_S = 240.0


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: whether the simulator failed, and what it said."""

    mutant: Mutant
    failed: bool
    said: str
    seconds: float


class Base:
    """The tree as it is, compiled once: a mutant takes from it what its changes leave alone."""

    def __init__(self, folder: Path, flags: tuple[str, ...]) -> None:
        self._flags = (*FLAGS, *flags)
        files = sources(tree.ROOT)
        self._objects = compile_files(tree.ROOT, folder, self._flags, files)
        self._parts = {name: made_of(tree.ROOT, made) for name, made in self._objects.items()}

    def build(self, root: Path, out: Path, changed: set[Path]) -> Path:
        """The program of the tree at ROOT, in which the files CHANGED are others."""
        again = [root / name for name, parts in self._parts.items() if parts & changed]
        objects = self._objects | compile_files(root, out, self._flags, again)
        return link(root, out, self._flags, objects)


def mutate(mutant: Mutant, root: Path) -> set[Path]:
    """Writes a tree to ROOT that has the mutant's changes; returns the files that have changed."""
    for folder in ("csrc", "tests/sim"):
        shutil.copytree(tree.ROOT / folder, root / folder)
    changed = set()
    for name, old, new in mutant.changes:
        path = next((root / "csrc" / "engine").rglob(name))
        text = path.read_text("utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{mutant.name}: {name} has {text.count(old)} times: {old!r}")
        path.write_text(text.replace(old, new), "utf-8")
        changed.add(path.relative_to(root))
    return changed


def attack(mutant: Mutant, base: Base) -> Verdict:
    """Builds and runs one mutant."""
    with cache.scratch("mutant") as folder:
        changed = mutate(mutant, folder / "tree")
        program = base.build(folder / "tree", folder / "out", changed)
        begin = time.monotonic()
        try:
            ran = subprocess.run(
                [str(program)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=LIMIT_S,
                check=False,
            )
            failed = ran.returncode != 0
            lines = ran.stdout.decode("utf-8", "replace").splitlines()
            said = next((line for line in lines if ": " in line), "nothing") if failed else ""
            said += " | " + lines[-1] if failed else ""
        except subprocess.TimeoutExpired:
            failed, said = True, "it hung"
        return Verdict(mutant, failed, said, time.monotonic() - begin)


def main(names: list[str]) -> int:
    chosen = [each for each in (*MUTANTS, *VARIANTS) if not names or each.name in names]
    wrong = 0
    with cache.scratch("mutants") as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        kinds = dict.fromkeys(each.flags for each in chosen)
        bases = {flags: Base(folder / str(n), flags) for n, flags in enumerate(kinds)}
        for verdict in pool.map(lambda each: attack(each, bases[each.flags]), chosen):
            expected = verdict.mutant in MUTANTS
            good = verdict.failed == expected
            wrong += not good
            word = "found" if verdict.failed else "alive" if expected else "well"
            print(
                f"{'' if good else 'WRONG: '}{verdict.mutant.name}: {word}"
                f" in {verdict.seconds:.1f} s {verdict.said}",
                flush=True,
            )
    print(f"mutants and variants: {len(chosen)}, of these {wrong} not as they should be")
    return 1 if wrong or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
