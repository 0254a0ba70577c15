"""How the campaign says where it is: a bar with the time left, or lines where nobody looks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Reporter(Protocol):
    """Is told of each trial."""

    def begin(self, what: str) -> None:
        """A trial begins."""

    def end(self, what: str, outcome: str) -> None:
        """It has ended."""


class Bar:
    """For a terminal."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        """TASK is one of PROGRESS."""
        self._progress, self._task = progress, task

    def begin(self, what: str) -> None:
        """Shown beside the bar."""
        self._progress.update(self._task, description=what)

    def end(self, what: str, outcome: str) -> None:
        """The bar grows, and failures stay on the screen."""
        self._progress.advance(self._task)
        if outcome.startswith("FAILED"):
            self._progress.console.print(f"{what}: {outcome}")


class Lines:
    """For a log: a line a trial, with the time left as far as can be told."""

    def __init__(self, total: int) -> None:
        """So many trials are to come."""
        self._total, self._done, self._begin = total, 0, time.monotonic()

    def begin(self, what: str) -> None:
        """Nothing to say yet."""

    def end(self, what: str, outcome: str) -> None:
        """The line."""
        self._done += 1
        left = (time.monotonic() - self._begin) / self._done * (self._total - self._done)
        count = f"{self._done}/{self._total}"
        print(f"{count:>9}  {what}: {outcome}  ({left:.0f} s left)", flush=True)


@contextmanager
def reporting(console: Console, total: int) -> Iterator[Reporter]:
    """What suits the console, for the time of the block."""
    if not console.is_terminal:
        yield Lines(total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *times, console=console) as progress:
        yield Bar(progress, progress.add_task("", total=total))
