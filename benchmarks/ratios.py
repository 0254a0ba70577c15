"""The arithmetic of a comparison: medians, and medians of paired ratios.

A machine has faster and slower minutes, which move all that is measured in them. So a contender
is only ever divided by another one's figure of the same round and workload, and the median is
taken of these ratios, not the ratio of two medians."""

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.results import Record


def by_round(
    records: Iterable[Record], key: str, workload: str, contender: str
) -> dict[int, float]:
    """The figure KEY of a contender under a workload, of each round that has it."""
    return {
        record.round: record.figures[key]
        for record in records
        if (record.workload, record.contender) == (workload, contender) and key in record.figures
    }


def paired_ratios(
    records: Sequence[Record], key: str, workload: str, contender: str, base: str
) -> list[float]:
    """The contender's figure over the base's, for each round that has both.

    A base of 0 makes an infinite ratio (1 if both are 0): "none" is a result too.
    """
    ours = by_round(records, key, workload, contender)
    theirs = by_round(records, key, workload, base)
    return [_ratio(ours[turn], theirs[turn]) for turn in sorted(ours.keys() & theirs.keys())]


def _ratio(figure: float, base: float) -> float:
    if base == 0:
        return 1.0 if figure == 0 else float("inf")
    return figure / base


def median_ratio(
    records: Sequence[Record], key: str, workload: str, contender: str, base: str
) -> float | None:
    """The median of `paired_ratios`; None where no round has both."""
    ratios = paired_ratios(records, key, workload, contender, base)
    return median(ratios) if ratios else None


def median_figure(
    records: Sequence[Record], key: str, workload: str, contender: str
) -> float | None:
    """The median over the rounds; None where none has it."""
    figures = by_round(records, key, workload, contender)
    return median(figures.values()) if figures else None


def spread(values: Sequence[float]) -> float | None:
    """(Highest - lowest) / median: how far the rounds are from each other."""
    if not values or median(values) == 0:
        return None
    return (max(values) - min(values)) / median(values)
