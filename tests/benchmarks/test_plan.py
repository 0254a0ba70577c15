"""The campaign's plan: who is measured when, what can be chosen, and what is refused."""

import itertools
import json
import sys
import sysconfig
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from benchmarks import contenders, environments, workloads
from benchmarks.__main__ import main
from benchmarks.campaign import Campaign, Plan
from benchmarks.progress import Lines
from benchmarks.trial import LinuxHost, Timing


@pytest.fixture
def plan():
    chosen = contenders.choose(contenders.LINUX, ["limit", "ours", "uvloop", "asyncio"])
    return Plan(workloads.choose(["echo", "churn"]), chosen, rounds=4, timing=Timing())


def test_everybody_is_measured_once_a_round(plan):
    for turn in range(plan.rounds):
        counts = Counter((load.name, who.name) for load, who in plan.trials(turn))
        assert len(counts) == 14 * 4
        assert set(counts.values()) == {1}
    assert plan.count() == 4 * 14 * 4


def test_contenders_of_a_workload_follow_each_other(plan):
    order = [load.name for load, _ in plan.trials(1)]
    assert [name for name, after in itertools.pairwise(order) if name != after] == [
        load.name for load in plan.workloads[:-1]
    ]


def test_everybody_is_first_equally_often(plan):
    first = defaultdict(Counter)
    for turn in range(plan.rounds):
        seen = set()
        for load, who in plan.trials(turn):
            if load.name not in seen:
                first[load.name][who.name] += 1
            seen.add(load.name)
    assert all(set(counts.values()) == {1} and len(counts) == 4 for counts in first.values())


def test_names_are_unique():
    for names in (
        [load.name for load in workloads.WORKLOADS],
        [who.name for who in contenders.LINUX],
        [who.name for who in contenders.WINDOWS],
    ):
        assert len(set(names)) == len(names)


def test_groups_and_names_can_be_chosen():
    chosen = [load.name for load in workloads.choose(["chat", "bulk"])]
    assert chosen == ["chat-500x20", "chat-500x100", "bulk"]


def test_a_wrong_name_is_refused():
    with pytest.raises(ValueError, match="there is no workload 'ecko'"):
        workloads.choose(["echo", "ecko"])
    with pytest.raises(ValueError, match="there is no contender 'nobody'"):
        contenders.choose(contenders.LINUX, ["nobody"])


def test_the_limit_has_no_part_in_what_it_cannot_do():
    limit = contenders.choose(contenders.LINUX, ["limit"])[0]
    able = {load.group for load in workloads.WORKLOADS if limit.can(load)}
    assert able == {"echo", "large", "chat", "broadcast", "churn", "bulk", "idle"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rounds", "-1"], "must be positive"),
        (["--seconds", "-0.5"], "must be positive"),
        (["--workloads", "nothing"], "there is no workload 'nothing'"),
        (["--contenders", "ours-1-worker"], "there is no contender 'ours-1-worker'"),
        (["--contenders", "limit", "--workloads", "blocking"], "takes part in any"),
        (["--free-threaded", "/nowhere/python"], "is no Python that runs"),
    ],
)
def test_a_wrong_option_is_told_before_anything_runs(options, complaint, capsys):
    assert main(["run", *options]) == 1
    assert complaint in capsys.readouterr().err


def test_only_a_free_threaded_python_shows_what_free_threads_do(capsys):
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        environments.require_free_threaded(Path(sys.executable))
    else:
        assert main(["run", "--free-threaded", sys.executable]) == 1
        assert "is not a free-threaded Python" in capsys.readouterr().err


def test_a_contender_that_is_not_what_it_was_is_a_failed_trial(plan, generator, tmp_path):
    class Changing(LinuxHost):
        """Announces another version each time; the limit's program is not started."""

        turn = 0

        def command(self, contender, workload):
            self.turn += 1
            hello = json.dumps({"port": 1, "versions": {"engine": str(self.turn)}})
            return [
                sys.executable,
                "-c",
                f"print('{hello}', flush=True); import time; time.sleep(60)",
            ]

    few = Plan(plan.workloads[:1], plan.contenders[:1], rounds=2, timing=Timing(0.0, 0.1))
    campaign = Campaign(few, Changing(Path("none")), generator, tmp_path / "results.json", "x")
    failures = campaign.run(Lines(few.count())).failures()
    assert len(failures) == 2
    assert "connect" in failures[0]  # nobody listens there: the trial itself
    assert "it is not what it was" in failures[1]
