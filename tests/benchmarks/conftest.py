"""What the campaign's tests share: a generator that is built, and results that are made up."""

import pytest

from benchmarks.build import build
from benchmarks.results import Record, Results


@pytest.fixture(scope="session")
def generator():
    """The load generator, built."""
    return build("generator")


@pytest.fixture
def results():
    """Makes Results from (round, workload, contender, figures) and what each workload is."""

    def make(*rows, group="echo", failures=()):
        loads = list(dict.fromkeys(row[1] for row in rows))
        names = list(dict.fromkeys(row[2] for row in rows))
        records = [Record(*row) for row in rows]
        records += [Record(*where, figures={}, failure=why) for *where, why in failures]
        return Results(
            machine={
                "processor": "one of a test",
                "processors": 2,
                "memory": "1 kB",
                "kernel": "none",
                "python": "3",
                "commit": "0",
            },
            settings={
                "command": "x",
                "rounds": 1,
                "began": "now",
                "how": "as in a test",
            },
            workloads=[{"name": name, "group": group, "unit": "messages"} for name in loads],
            contenders={name: {"server": name, "versions": {"python": "3"}} for name in names},
            records=records,
        )

    return make
