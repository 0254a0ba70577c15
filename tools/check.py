"""Sets up and runs all tests, on a machine that has Python and a C compiler: python3 tools/check.py

What a session needs is installed, or one line says what was left out and how to get it.
The sessions are those of noxfile.py; the last lines say what became of each."""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import cache, pythons, venvs
from tools.missing import MARK, Missing
from tools.tree import ROOT

NOX = "nox>=2025.2"
# One stage after the other; what stands in one stage runs at the same time.
STAGES = (
    ("lint", "docs", "speed", "fuzz", "tests setup", "windows setup"),
    ("tests",),
    ("sanitize", "simulate"),
    ("windows", "ctests"),
)
# What a session needs and takes long to get; its name begins with that of the session.
MORE = "tests setup"
SETUPS = {MORE: "tools.pythons", "windows setup": "tools.windows setup"}
SESSIONS = (
    "lint",
    "docs",
    "tests",
    "ctests",
    "simulate",
    "sanitize",
    "speed",
    "fuzz",
    "windows",
)
LIMIT_S = 30 * 60
SKIPPED = re.compile(r"^nox > Session (\S+) skipped: (.*?)\.?$", re.MULTILINE)
RAN = re.compile(r"^nox > Session \S+ was successful", re.MULTILINE)


@dataclass
class Job:
    """One session: what it runs, and how that went."""

    name: str
    command: list[str]
    verdict: str = "not run"
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def run(self, together: threading.Lock) -> None:
        """Runs it; all that it said is printed at its end, in one piece."""
        begin = time.monotonic()
        with cache.scratch("check") as folder:
            log = folder / "log"
            with log.open("wb") as file:
                code = self._wait(file.fileno())
            output = log.read_text("utf-8", "replace")
        self.seconds = time.monotonic() - begin
        lines = [line for line in output.splitlines() if line.startswith(MARK)]
        self.notes = list(dict.fromkeys(lines))
        skipped = [f"{MARK}{name}: {reason}" for name, reason in SKIPPED.findall(output)]
        self.notes += [line for line in skipped if "interpreter" in line]
        ran = RAN.search(output) or not skipped
        self.verdict = "FAILED" if code else "passed" if ran else "left out"
        with together:
            print(f"=== {self.name}\n{output}\n=== {self.name}: {self.verdict}", flush=True)

    def _wait(self, log: int) -> int:
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.stop()
            return self.process.wait() or 1

    def stop(self) -> None:
        """Ends the session; it has the time to end its services."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)


def jobs(names: list[str]) -> list[list[Job]]:
    """The chosen sessions, in their stages."""
    nox = str(venvs.python("nox", NOX).absolute())
    stages = []
    for stage in STAGES:
        chosen = []
        for name in stage:
            if name in names:
                options = ["--nocolor", "--non-interactive", "--no-error-on-missing-interpreters"]
                chosen.append(Job(name, [nox, "-m", "nox", *options, "-s", name]))
            elif name.partition(" ")[0] in names and (name != MORE or pythons.are_wanted()):
                command = [sys.executable, "-m", *SETUPS[name].split()]
                chosen.append(Job(name, command))
        stages.append(chosen)
    return stages


def left_out_lines(done: list[Job]) -> list[str]:
    """What was left out, each thing once: nox adds nothing on a Python that could not be had."""
    notes = list(dict.fromkeys(note for job in done for note in job.notes))
    told = {found[1] for note in notes if (found := re.match(rf"{MARK}Python (\S+) \(", note))}
    return [note for note in notes if not told & set(re.findall(rf"^{MARK}tests-(\S+):", note))]


def summary(stages: list[list[Job]]) -> int:
    """Prints the last lines; returns the exit code."""
    done = [job for stage in stages for job in stage]
    print("\nSummary")
    for job in done:
        print(f"  {job.name:14} {job.verdict:9} {job.seconds:5.0f} s")
    for note in left_out_lines(done):
        print(f"  {note}")
    counts = {
        verdict: sum(job.verdict == verdict for job in done)
        for verdict in ("passed", "FAILED", "left out")
    }
    print(f"sessions: {counts['passed']} passed, {counts['FAILED']} failed", end="")
    print(f", {counts['left out']} skipped")
    return 1 if counts["FAILED"] or not counts["passed"] else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sessions", nargs="*", help=f"some of: {' '.join(SESSIONS)} (all)")
    parser.add_argument(
        "--more-pythons",
        action="store_true",
        help="tests also on Pythons that this machine lacks, which are built or fetched",
    )
    options = parser.parse_args(argv)
    names = options.sessions or list(SESSIONS)
    if options.more_pythons:
        pythons.want()
    if not set(names) <= set(SESSIONS):
        parser.error(f"there are these sessions: {' '.join(SESSIONS)}")
    try:
        stages = jobs(names)
    except Missing as reason:
        print(reason)
        return 1
    together = threading.Lock()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stage in stages:
        threads = [threading.Thread(target=job.run, args=(together,)) for job in stage]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            for job in stage:
                job.stop()
            return 130
    return summary(stages)


if __name__ == "__main__":
    sys.exit(main())
