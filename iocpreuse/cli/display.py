"""How the demo shows its figures while it runs: a live table, or plain lines."""

import importlib.util
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from rich.table import Table

PLAIN_SECONDS: Final = 1.0

Figures = Mapping[str, Any]


class Display(Protocol):
    """Shows figures, by the names that are shown with them."""

    def live(self) -> AbstractContextManager[object]:
        """The block in which `show` may be called."""

    def show(self, figures: Figures) -> None:
        """Shows them now, or as often as suits."""


class PlainDisplay:
    """A line about once a second."""

    def __init__(self) -> None:
        """Nothing shown yet."""
        self._shown = 0.0

    def live(self) -> AbstractContextManager[object]:
        """Needs nothing."""
        return nullcontext()

    def show(self, figures: Figures) -> None:
        """One line, unless the last is too young."""
        if time.monotonic() - self._shown >= PLAIN_SECONDS:
            self._shown = time.monotonic()
            print(", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)


class TableDisplay:
    """A table that rewrites itself."""

    def __init__(self) -> None:
        """Nothing shown yet."""
        from rich.live import Live

        self._live = Live(auto_refresh=False, transient=True)

    def live(self) -> AbstractContextManager[object]:
        """Takes the terminal over."""
        return self._live

    def show(self, figures: Figures) -> None:
        """The table, with these figures."""
        self._live.update(make_table(figures, "iocpreuse demo"), refresh=True)


def make_table(figures: Figures, title: str) -> "Table":
    """A table of two columns."""
    from rich.table import Table

    table = Table(title=title, show_header=False, min_width=44)
    table.add_column()
    table.add_column(justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    return table


def make_display(*, plain: bool) -> Display:
    """The table where there is a terminal and rich to draw it, else lines."""
    if plain or not sys.stdout.isatty() or importlib.util.find_spec("rich") is None:
        return PlainDisplay()
    return TableDisplay()
