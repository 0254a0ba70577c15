"""The campaign: every contender under every workload, once a round, in a changing order."""

import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.progress import Reporter
from benchmarks.results import Record, Results, describe_machine
from benchmarks.trial import Host, Timing, TrialError, figures, generate, serving
from benchmarks.workloads import Workload

# The idle workload holds so many connections, on both sides.
DESCRIPTORS = 20_000


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    workloads: Sequence[Workload]
    contenders: Sequence[Contender]
    rounds: int
    timing: Timing

    def trials(self, turn: int) -> Iterator[tuple[Workload, Contender]]:
        """Those of a round. Who is first changes, because the first finds a quieter machine."""
        for number, workload in enumerate(self.workloads):
            able = [contender for contender in self.contenders if contender.can(workload)]
            first = (turn + number) % len(able) if able else 0
            for contender in able[first:] + able[:first]:
                yield workload, contender

    def count(self) -> int:
        """Of all trials."""
        return self.rounds * sum(1 for _ in self.trials(0))


class Campaign:
    """Runs a plan on a host, and saves what it saw after each round."""

    def __init__(self, plan: Plan, host: Host, generator: Path, out: Path, command: str) -> None:
        """OUT is the JSON file; COMMAND is what the campaign was begun with."""
        self._plan, self._host, self._generator, self._out = plan, host, generator, out
        self._versions: dict[str, dict[str, str]] = {}
        settings = {
            "command": command,
            "rounds": plan.rounds,
            "began": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "how": f"{plan.timing.seconds:g} s after {plan.timing.warmup:g} s of warm-up",
        }
        workloads = [
            {**asdict(load), "unit": load.unit, "generator": " ".join(load.generator_arguments())}
            for load in plan.workloads
        ]
        self.results = Results(describe_machine(), settings, workloads, self._describe())

    def run(self, reporter: Reporter) -> Results:
        """All rounds."""
        _allow_descriptors()
        for turn in range(self._plan.rounds):
            for workload, contender in self._plan.trials(turn):
                what = f"round {turn + 1}, {workload.name}, {contender.name}"
                reporter.begin(what)
                record = self._try(turn, workload, contender)
                self.results.records.append(record)
                reporter.end(what, _outcome(record, workload))
            self.results.contenders = self._describe()
            self.results.save(self._out)
        return self.results

    def _try(self, turn: int, workload: Workload, contender: Contender) -> Record:
        where = (turn + 1, workload.name, contender.name)
        try:
            with serving(self._host, contender, workload) as running:
                self._recognise(contender, running.versions)
                said = generate(self._generator, running, workload, self._plan.timing)
        except (TrialError, subprocess.TimeoutExpired) as error:
            return Record(*where, figures={}, failure=str(error))
        return Record(*where, figures=figures(said, workload))

    def _recognise(self, contender: Contender, versions: dict[str, str]) -> None:
        """It has to be what it was: a probe for recycling, say, may fail on a busy machine."""
        known = self._versions.setdefault(contender.name, versions)
        if versions != known:
            raise TrialError(f"it is not what it was: {versions}, before {known}")

    def _describe(self) -> dict[str, dict[str, object]]:
        return {
            contender.name: {
                "server": " ".join((contender.program, *contender.arguments)),
                "versions": self._versions.get(contender.name, {}),
            }
            for contender in self._plan.contenders
        }


def _outcome(record: Record, workload: Workload) -> str:
    if record.failure:
        return f"FAILED: {record.failure}"
    cpu = record.figures.get("cpu_us")
    shown = f", {cpu:.2f} us of CPU each" if cpu is not None else ""
    return f"{record.figures['rate']:,.0f} {workload.unit}/s{shown}"


def _allow_descriptors() -> None:
    """As many as the system lets us have, and servers inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
