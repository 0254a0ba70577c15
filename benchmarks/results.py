"""What a campaign saw, as it stands in its JSON file."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.tree import ROOT


@dataclass(frozen=True)
class Record:
    """One trial."""

    round: int
    workload: str
    contender: str
    figures: dict[str, float]
    failure: str | None = None


@dataclass
class Results:
    """All of a campaign; every file of it can be made anew from this."""

    machine: dict[str, Any]
    settings: dict[str, Any]  # when, how, how many rounds, and the command that began it
    workloads: list[dict[str, Any]]
    contenders: dict[str, dict[str, Any]]  # by name: command and versions
    records: list[Record] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        unfinished = path.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")
        unfinished.replace(path)

    def workload_names(self) -> list[str]:
        """Those that have records, in the campaign's order."""
        seen = {record.workload for record in self.records}
        return [load["name"] for load in self.workloads if load["name"] in seen]

    def contender_names(self) -> list[str]:
        """Those that have records, in the campaign's order."""
        seen = {record.contender for record in self.records}
        return [name for name in self.contenders if name in seen]

    def group(self, group: str) -> list[str]:
        """The workloads of a group that have records."""
        of_group = {load["name"] for load in self.workloads if load["group"] == group}
        return [name for name in self.workload_names() if name in of_group]

    def failures(self) -> list[str]:
        """A line for each trial that failed."""
        return [
            f"round {record.round}, {record.workload}, {record.contender}: {record.failure}"
            for record in self.records
            if record.failure
        ]


def load(path: Path) -> Results:
    """Reads the file of a campaign."""
    data = json.loads(path.read_text("utf-8"))
    records = [Record(**record) for record in data.pop("records")]
    return Results(**data, records=records)


def describe_machine() -> dict[str, Any]:
    """What has to be known about this machine to judge its figures; nothing that names it."""
    return {
        "processor": next(_fields(Path("/proc/cpuinfo"), "model name"), platform.processor()),
        "processors": os.cpu_count(),
        "memory": next(_fields(Path("/proc/meminfo"), "MemTotal"), "unknown"),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "commit": _commit(),
    }


def _fields(path: Path, name: str) -> Iterator[str]:
    lines: Iterable[str] = path.read_text("utf-8").splitlines() if path.exists() else ()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == name:
            yield value.strip()


def _commit() -> str:
    """The commit that was measured, and whether the tree differs from it."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        ran = subprocess.run(git, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return ran.stdout.strip()
