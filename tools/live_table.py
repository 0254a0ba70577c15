"""The live table as a picture, from the figures of a real server: python -m tools.live_table

`iocpreuse echo --json` runs in a Windows Python under Wine, on the wineserver that recycles
sockets, and the campaign's generator sends it clients that stay, that come and go, and that
reset. Its last figures are drawn by the code that draws them on a terminal; a Windows program
under Wine has none, only a pipe."""

import argparse
import contextlib
import io
import itertools
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.build import build
from iocpreuse.cli.display import make_table
from iocpreuse.cli.figures import Snapshot, format_address
from iocpreuse.cli.report import greeting
from iocpreuse.reason import CloseReason
from iocpreuse.stats import Stats
from tools import cache, programs
from tools.missing import Missing, left_out
from tools.tree import ROOT
from tools.windows import prefix, python, wheel, wineserver

PICTURE = ROOT / "docs" / "pictures" / "table.svg"
COLUMNS = 84
LOADS = (
    ("echo", "--connections", "20"),
    ("churn", "--connections", "30"),
    ("churn", "--connections", "3", "--reset"),
)
# So many times the server tells its figures under the load, a second apart.
REPORTS = 8
# As rich's own, without the fonts that it would fetch from the network.
FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
.{unique_id}-title {{
  font-family: ui-sans-serif, system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
  font-size: 18px;
  font-weight: bold;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
ATTEMPTS = 5
LIMIT_S = 90.0
LOAD_SECONDS = 100  # the generators are ended when the last figures are there

Figures = Mapping[str, Any]


class TableError(Exception):
    """The server did not do what the picture is to show."""


@contextlib.contextmanager
def serving(windows: prefix.Prefix, home: Path) -> Iterator[Iterator[Figures]]:
    """An echo server of the Python in HOME; what it tells, from its start on."""
    options = ("echo", "--port", "0", "--json", "--interval", "1")
    process = subprocess.Popen(
        ["wine", str(home / "python.exe"), "-P", "-u", "-m", "iocpreuse", *options],
        env=windows.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    # A server that says nothing more is ended, and with it what it is read for.
    limit = threading.Timer(LIMIT_S, process.kill)
    limit.start()
    try:
        yield map(json.loads, process.stdout)
    finally:
        limit.cancel()
        process.kill()
        process.wait()


@contextlib.contextmanager
def loading(port: int) -> Iterator[None]:
    """All LOADS at once, until the block ends."""
    generator = str(build("generator"))
    settings = ("--port", str(port), "--warmup", "0", "--seconds", str(LOAD_SECONDS))
    started = [
        subprocess.Popen([generator, *load, *settings], stdin=subprocess.DEVNULL) for load in LOADS
    ]
    try:
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait()


def measure(windows: prefix.Prefix, home: Path) -> list[Figures]:
    """What the server told at its start, and each time under the loads."""
    with serving(windows, home) as told:
        start: Figures = next(told, {})
        if start.get("recycling") != "verified":
            raise TableError(f"recycling has to be verified there, and is {start.get('recycling')}")
        with loading(start["address"][1]):
            figures = list(itertools.islice(told, REPORTS))
    if len(figures) < REPORTS:
        raise TableError("the server ended before its clients did")
    return [start, *figures]


def measure_patiently() -> list[Figures]:
    """Again on a fresh Windows where the probe failed, as it now and then did on a busy machine."""
    server = wineserver.mended()
    with cache.scratch("table") as folder:
        home = python.copy_to(folder / "python")
        python.install(home, str(wheel.build(folder)))
        for attempt in range(ATTEMPTS):
            with prefix.booted(server) as windows:
                try:
                    return measure(windows, home)
                except TableError as error:
                    print(f"attempt {attempt + 1}: {error}", file=sys.stderr)
    raise TableError(f"none of {ATTEMPTS} attempts made a table")


def snapshot(told: Figures) -> Snapshot:
    """What a line of --json was made of."""
    stats = {field.name: told[field.name] for field in fields(Stats)}
    reasons = {CloseReason(name): count for name, count in told["closed_by_reason"].items()}
    stats["closed_by_reason"] = reasons
    return Snapshot(Stats(**stats), told["connections_logged_in"], told["seconds"], told["time"])


def draw(figures: Sequence[Figures]) -> str:
    """The terminal's picture at the end, with the fonts of whoever looks at it."""
    start, (before, last) = figures[0], figures[-2:]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    address = (start["address"][0], 7007)  # the default, instead of the free port it was given
    console.print("$ iocpreuse echo", highlight=False)
    console.print(greeting(start["server"], address, start["recycling"]), highlight=False)
    rows = snapshot(last).rows(snapshot(before))
    console.print(make_table(rows, f"{start['server']} on {format_address(address)}"))
    picture = console.export_svg(title="iocpreuse echo", code_format=FORMAT, unique_id="table")
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Measures and draws; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.live_table", description=__doc__)
    parser.add_argument("--out", type=Path, default=PICTURE)
    out = parser.parse_args(argv).out
    try:
        figures = measure_patiently()
    except Missing as reason:
        left_out(reason)
        return 1
    except (programs.BuildError, TableError) as error:
        print(error, file=sys.stderr)
        return 1
    out.write_text(draw(figures), "utf-8")
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
