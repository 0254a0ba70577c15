"""The ratios between contenders: paired by round, and what they make of gaps."""

import math

import pytest

from benchmarks import ratios
from benchmarks.results import Record


def records(**rounds_of):
    """Records of a workload "load" with the figure "rate", None where a round has none."""
    return [
        Record(turn, "load", name, {} if rate is None else {"rate": rate})
        for name, rates in rounds_of.items()
        for turn, rate in enumerate(rates, 1)
    ]


def test_ratio_is_paired_by_round():
    # The machine was half as fast in round 2; both felt it.
    seen = records(ours=[200.0, 110.0, 210.0], peer=[100.0, 50.0, 100.0])
    assert ratios.paired_ratios(seen, "rate", "load", "ours", "peer") == [2.0, 2.2, 2.1]
    assert ratios.median_ratio(seen, "rate", "load", "ours", "peer") == 2.1


def test_a_slow_minute_of_the_machine_changes_no_ratio():
    fast = records(ours=[200.0, 300.0], peer=[100.0, 100.0])
    slow = records(ours=[200.0, 30.0], peer=[100.0, 10.0])
    assert ratios.median_ratio(fast, "rate", "load", "ours", "peer") == pytest.approx(
        ratios.median_ratio(slow, "rate", "load", "ours", "peer")
    )


def test_a_round_that_only_one_has_does_not_count():
    seen = records(ours=[10.0, None, 90.0], peer=[10.0, 20.0, None])
    assert ratios.paired_ratios(seen, "rate", "load", "ours", "peer") == [1.0]


def test_no_common_round_is_no_ratio():
    seen = records(ours=[10.0, None], peer=[None, 10.0])
    assert ratios.median_ratio(seen, "rate", "load", "ours", "peer") is None
    assert ratios.median_ratio(seen, "rate", "other", "ours", "peer") is None


def test_a_peer_that_serves_nobody_is_infinitely_slower():
    seen = records(ours=[5.0, 0.0], peer=[0.0, 0.0])
    assert ratios.paired_ratios(seen, "rate", "load", "ours", "peer") == [math.inf, 1.0]


def test_median_figure():
    seen = records(ours=[3.0, None, 1.0, 2.0])
    assert ratios.median_figure(seen, "rate", "load", "ours") == 2.0
    assert ratios.median_figure(seen, "cpu_us", "load", "ours") is None


def test_spread():
    assert ratios.spread([9.0, 10.0, 12.0]) == pytest.approx(0.3)
    assert ratios.spread([]) is None
