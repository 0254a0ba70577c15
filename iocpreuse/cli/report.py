"""How `echo` and `run` report while they serve: JSON lines, a live table, or plain lines."""

import importlib.util
import json
import logging
import sys
import time
from typing import Any, Final, Protocol

from iocpreuse.cli.display import make_table
from iocpreuse.cli.figures import Snapshot, format_address
from iocpreuse.cli.output import Output
from iocpreuse.server import Server

TERMINAL_SECONDS: Final = 1.0
PLAIN_SECONDS: Final = 10.0
SECONDS_MAX: Final = 24 * 3600.0


class Report(Protocol):
    """Tells how a server fares; one thread at a time."""

    seconds: float  # from one show() to the next, unless the user says so

    def begin(self, server: Server, first: Snapshot) -> None:
        """SERVER listens."""

    def show(self, now: Snapshot) -> None:
        """Its figures, again."""

    def end(self, last: Snapshot) -> None:
        """It has stopped."""


def check_interval(seconds: float | None) -> None:
    """ValueError for what --interval cannot be."""
    if seconds is not None and not 0 < seconds <= SECONDS_MAX:  # also false for nan
        right = f"a number of seconds above 0, at most {SECONDS_MAX:.0f}"
        raise ValueError(f"--interval must be {right}, not {seconds:g}")


def greeting(name: str, address: tuple[Any, ...], recycling: str) -> str:
    """The first line, for people: which server listens, and where."""
    return f"{name} listening on {format_address(address)}, recycling {recycling}; Ctrl-C stops it"


def _greeting_of(server: Server) -> str:
    return greeting(type(server).__name__, server.address, server.recycling)


class JsonReport:
    """One object a line: an event "start", any number of "figures", and "stop"."""

    seconds = TERMINAL_SECONDS

    def __init__(self, output: Output) -> None:
        """To OUTPUT, where nothing else is written."""
        self._output = output
        self._same: dict[str, Any] = {}
        self._began = 0.0

    def begin(self, server: Server, first: Snapshot) -> None:
        """The first line."""
        self._began = first.at
        self._same = {
            "server": type(server).__name__,
            "address": list(server.address),
            "recycling": server.recycling,
        }
        self._write("start", first)

    def show(self, now: Snapshot) -> None:
        """A line, also when nothing has changed."""
        self._write("figures", now)

    def end(self, last: Snapshot) -> None:
        """The last line."""
        self._write("stop", last)

    def _write(self, event: str, now: Snapshot) -> None:
        head = {"event": event, "time": now.time, "seconds": round(now.at - self._began, 3)}
        self._output.write(json.dumps({**head, **self._same, **now.as_json()}))


class PlainReport:
    """A line now and then: only when something has changed, or on a terminal in place."""

    def __init__(self, output: Output) -> None:
        """To OUTPUT."""
        self._output = output
        self._terminal = output.stream.isatty()
        self._printed = ""
        self.seconds = TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS

    def begin(self, server: Server, first: Snapshot) -> None:
        """Where it listens."""
        self._output.write(_greeting_of(server))

    def show(self, now: Snapshot) -> None:
        """The line, if it is another than the last."""
        line = now.line()
        if self._terminal:
            self._output.write(f"\r\x1b[K{line}", end="")
        elif line != self._printed:
            self._output.write(f"{time.strftime('%H:%M:%S')} {line}")
        self._printed = line

    def end(self, last: Snapshot) -> None:
        """The last figures stay."""
        self.show(last)
        if self._terminal:
            self._output.write("")


class TableReport:
    """A table that rewrites itself; the lines of the log pass above it."""

    seconds = TERMINAL_SECONDS

    def __init__(self, output: Output) -> None:
        """On OUTPUT, a terminal."""
        from rich.console import Console
        from rich.live import Live

        self._output = output
        self._title = ""
        # Stderr is another place when it is not this terminal.
        self._live = Live(
            console=Console(file=output.stream),
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=sys.stderr.isatty(),
        )
        self._handlers: list[logging.StreamHandler[Any]] = []

    def begin(self, server: Server, first: Snapshot) -> None:
        """Where it listens, and the table's first state."""
        self._title = f"{type(server).__name__} on {format_address(server.address)}"
        self._output.write(_greeting_of(server))
        before = sys.stderr
        with self._output.guarding():
            self._live.start()
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(sys.stderr)
                self._handlers.append(handler)
        self._before = first
        self.show(first)

    def show(self, now: Snapshot) -> None:
        """The table with these figures."""
        if not self._output.is_gone:
            with self._output.guarding():
                rows = now.rows(self._before)
                self._live.update(make_table(rows, self._title), refresh=True)
        self._before = now

    def end(self, last: Snapshot) -> None:
        """The last state stays on the terminal."""
        self.show(last)
        with self._output.guarding():
            self._live.stop()
        for handler in self._handlers:
            handler.setStream(sys.stderr)


def make_report(output: Output, *, as_json: bool, plain: bool) -> Report:
    """JSON where it is wanted; the table where there is a terminal, and rich to draw it."""
    if as_json:
        return JsonReport(output)
    if plain or not output.stream.isatty() or importlib.util.find_spec("rich") is None:
        return PlainReport(output)
    return TableReport(output)
