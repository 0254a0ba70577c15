"""Counts the server's instructions and compares them: python -m benchmarks.instructions.

Valgrind counts those that the worker's thread runs in user mode, Python's and the C library's
among them. They depend on the machine's architecture, the Python and the compiler, so each such
set has a record of its own in record.json; where there is none, there is nothing to compare."""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import contenders, environments
from tools import debian, programs
from tools.missing import Missing, left_out

HERE = Path(__file__).resolve().parent
RECORD = HERE / "record.json"
# All that a worker does happens in this function of csrc/py; the optimizer may add to its name.
WORKER = "engine_type_work*"
TIMES = {"echo": 1000, "crowd": 1000, "framed": 200, "churn": 300, "chat": 200}
# Runs of one build were within 1 % of each other (churn; the others 0.3 %), on a busy machine.
TOLERANCE = 0.03
LIMIT_SECONDS = 180.0

Counts = dict[str, float]  # instructions for each message, segment or connection


def main(argv: list[str] | None = None) -> int:
    """Returns 1 if a scenario takes more instructions than its record allows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--record", action="store_true", help="what is counted is the new record")
    arguments = parser.parse_args(argv)
    try:
        debian.install("counting instructions", "valgrind")
        counts = count()
    except Missing as reason:
        left_out(reason)
        return 0
    records = json.loads(RECORD.read_text("utf-8"))
    record = records.get(environment(), {})
    print_counts(counts, record)
    if arguments.record:
        records[environment()] = counts
        RECORD.write_text(json.dumps(records, indent=2, sort_keys=True) + "\n", "utf-8")
        return 0
    if not record:
        left_out(
            f"comparing instructions (no record for {environment()}; make one: "
            "python -m benchmarks.instructions --record)"
        )
        return 0
    worse = exceeding(counts, record)
    for name in worse:
        print(f"{name}: more than {TOLERANCE:.0%} above the record")
    return 1 if worse else 0


def environment() -> str:
    """What the counts depend on beside the sources."""
    compiler = [programs.LINUX.compiler, "-dumpfullversion"]
    version = subprocess.run(compiler, capture_output=True, text=True, check=True).stdout.strip()
    return f"{platform.machine()}, Python {platform.python_version()}, compiler {version}"


def count() -> Counts:
    """Runs all scenarios, as many at a time as there are processors."""
    ours = contenders.choose(contenders.LINUX, [contenders.OURS])[0]
    python = environments.interpreter(ours)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda name: count_one(python, name, TIMES[name]), TIMES)
        return dict(zip(TIMES, found, strict=True))


def count_one(python: Path, scenario: str, times: int) -> float:
    """The instructions of one scenario, for each time that it goes round."""
    valgrind = ["valgrind", "--tool=callgrind", f"--toggle-collect={WORKER}"]
    command = [*valgrind, "--callgrind-out-file=/dev/null", str(python), "-I", "script.py"]
    ran = subprocess.run(
        [*command, scenario, str(times)],
        cwd=HERE,
        env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    found = re.search(r"Collected : (\d+)", ran.stderr)
    if ran.returncode != 0 or not found or found.group(1) == "0":
        raise RuntimeError(f"{scenario} was not counted:\n{ran.stdout}{ran.stderr}")
    return round(int(found.group(1)) / times, 1)


def exceeding(counts: Counts, record: Counts) -> list[str]:
    """The scenarios that take more than their record allows."""
    return [
        name
        for name, instructions in counts.items()
        if name in record and instructions > record[name] * (1 + TOLERANCE)
    ]


def print_counts(counts: Counts, record: Counts) -> None:
    """A line for each scenario."""
    for name, instructions in counts.items():
        before = record.get(name)
        change = f"{instructions / before - 1:+.1%} against {before:,.0f}" if before else ""
        print(f"{name:8} {instructions:>10,.0f} instructions each  {change}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
