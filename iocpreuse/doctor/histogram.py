"""How long something took, many times over: Histogram."""

import statistics
from collections import Counter
from typing import Any, Final

BOUNDS_MS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1_000.0, 10_000.0, 120_000.0)


class Histogram:
    """Times by size, beside those that did not come, or were refused."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._times_ms: list[float] = []
        self._refused: Counter[str] = Counter()
        self.still_waiting = 0

    def add(self, seconds: float) -> None:
        """One that came to its end."""
        self._times_ms.append(seconds * 1000)

    def refuse(self, why: str) -> None:
        """One that was refused or failed."""
        self._refused[why] += 1

    def as_json(self) -> dict[str, Any]:
        """Counts by upper bound (no zeros; null = above the last), median and maximum."""
        counts: Counter[float | None] = Counter()
        for time_ms in self._times_ms:
            counts[next((bound for bound in BOUNDS_MS if time_ms <= bound), None)] += 1
        order = sorted(counts, key=lambda bound: bound if bound is not None else float("inf"))
        return {
            "count": len(self._times_ms) + self.still_waiting + self._refused.total(),
            "ended": len(self._times_ms),
            "median_ms": round(statistics.median(self._times_ms), 3) if self._times_ms else None,
            "max_ms": round(max(self._times_ms), 3) if self._times_ms else None,
            "histogram": [{"up_to_ms": bound, "count": counts[bound]} for bound in order],
            "still_waiting": self.still_waiting,
            "refused": dict(self._refused),
        }
