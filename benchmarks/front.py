"""The chart of the front page: our rate over those of uvloop and asyncio, from tables.md.

It is drawn from the tables and not from the results, so that it can be made again, and be
compared, where only they are."""

import math
import re
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from benchmarks.contenders import OURS

BASES = ("uvloop", "asyncio")
# The rows of the tables that are shown, and what a reader calls them.
ROWS = {
    "echo, median of 12": "echo, median of 12 loads",
    "framed": "framed messages of 64 bytes",
    "chat-500x20": "a chat of 500, 20 of them talk",
    "broadcast-1000": "one sender, 1,000 receivers",
    "churn-clean": "connect, ask once, leave",
    "churn-reset": "the same, leaving by a reset",
    "bulk": "echo of as much as goes",
    "computing-50": "beside a main thread that computes",
    "blocking": "callbacks that wait 5 ms",
}
TITLE = "The rate of iocpreuse on Linux, as a multiple of the other's"
NOTE = "Medians of paired ratios, on a logarithmic scale. Left of the line the other is faster."
WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 860, 316, 770, 76, 34, 12
LOWEST, HIGHEST = 0.5, 100.0
STYLE = """
  text { font: 13.5px ui-sans-serif, system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
         fill: #1f2933; }
  .head { font-weight: 600; font-size: 15px; }
  .small { font-size: 12.5px; fill: #52606d; }
  .load { text-anchor: end; }
  .mid { text-anchor: middle; }
  .card { fill: #ffffff; stroke: #cbd2d9; }
  .grid { stroke: #e4e7eb; }
  .equal { stroke: #52606d; stroke-width: 1.5; }
  .uvloop { fill: #3f72af; }
  .asyncio { fill: #d08a2c; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb; }
    .small { fill: #a9b4c0; }
    .card { fill: #161b22; stroke: #3b4654; }
    .grid { stroke: #2b333d; }
    .equal { stroke: #a9b4c0; }
    .uvloop { fill: #6ea3df; }
    .asyncio { fill: #e0a85a; }
  }
"""

Ratios = Mapping[str, float]


def rates(tables: str, base: str) -> dict[str, float]:
    """Our rate over that of BASE for each row of its table; empty if there is no such table."""
    found = re.search(rf"^### {OURS} / {base}\n\n(.*?)(?:\n\n|\Z)", tables, re.M | re.S)
    rows = re.findall(r"^\| (.+?) \| +([\d.]+|inf) \|", found[1] if found else "", re.M)
    return {name: float(rate) for name, rate in rows}


def draw(tables: str) -> str | None:
    """The chart as SVG; None where a figure that it shows was not measured."""
    columns = {base: rates(tables, base) for base in BASES}
    if not all(row in column for row in ROWS for column in columns.values()):
        return None
    height = TOP + ROW * len(ROWS) + 36
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>iocpreuse beside {' and '.join(BASES)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10"/>',
        _text(24, 32, TITLE, "head"),
        *_legend(),
        *_grid(TOP + ROW * len(ROWS)),
    ]
    for number, row in enumerate(ROWS):
        parts += _bars(row, TOP + ROW * number, columns)
    parts += [_text(24, height - 14, NOTE, "small"), "</svg>"]
    return "\n".join(parts) + "\n"


def _place(ratio: float) -> float:
    """Where a ratio stands on the scale, which ends are not left."""
    inside = min(max(ratio, LOWEST), HIGHEST)
    share = math.log(inside / LOWEST) / math.log(HIGHEST / LOWEST)
    return round(LEFT + (RIGHT - LEFT) * share, 1)


def _text(x: float, y: float, what: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(what)}</text>'


def _legend() -> Iterator[str]:
    for number, base in enumerate(BASES):
        x = 24 + 130 * number
        yield f'<rect class="{base}" x="{x}" y="45" width="13" height="13" rx="2"/>'
        yield _text(x + 20, 56, f"over {base}", "small")


def _grid(bottom: float) -> Iterator[str]:
    """A line for each power of ten and some between, the one where both are equal in front."""
    for mark in (0.5, 1, 2, 5, 10, 20, 50, 100):
        x, kind = _place(mark), "equal" if mark == 1 else "grid"
        yield f'<path class="{kind}" d="M{x} {TOP - 6} V{bottom}"/>'
        yield _text(x, TOP - 12, f"{mark:g}", "small mid")


def _bars(row: str, top: float, columns: Mapping[str, Ratios]) -> Iterator[str]:
    """A load's name, and a bar over each of the others, from the line where both are equal."""
    yield _text(LEFT - 22, top + 21, ROWS[row], "load")
    equal = _place(1)
    for number, (base, column) in enumerate(columns.items()):
        end, y = _place(column[row]), top + 3 + (BAR + 2) * number
        left, width = min(end, equal), round(max(abs(end - equal), 1.5), 1)
        yield f'<rect class="{base}" x="{left}" y="{y}" width="{width}" height="{BAR}"/>'
        yield _text(max(end, equal) + 7, y + 10.5, f"{column[row]:.2f}", "small")
