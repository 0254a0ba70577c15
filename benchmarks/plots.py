"""The plots of a campaign, as SVG: rate, CPU, latency, memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks import ratios
from benchmarks.results import Results

# One colour for each contender, the same in every plot.
COLOURS = [f"C{number}" for number in range(10)]
PANELS_A_ROW = 4
PERCENTILES = {"p50_us": "50 %", "p90_us": "90 %", "p99_us": "99 %", "p99.9_us": "99.9 %"}


def draw(results: Results, folder: Path) -> None:
    """Writes them into FOLDER; those that nothing was measured for are left out."""
    # The same figures give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "iocpreuse"
    matplotlib.rcParams["svg.fonttype"] = "none"  # letters as letters, not as curves
    _bars(results, "rate", "a second", folder / "rate.svg")
    _bars(results, "cpu_us", "µs of server CPU each", folder / "cpu.svg")
    _latencies(results, folder / "latency.svg")
    _bars(results, "bytes_a_connection", "bytes of memory each", folder / "memory.svg")


def _loads_with(results: Results, key: str) -> list[str]:
    seen = {record.workload for record in results.records if key in record.figures}
    return [name for name in results.workload_names() if name in seen]


def _bars(results: Results, key: str, unit: str, out: Path) -> None:
    """A panel for each workload, a bar for each contender; a line from best to worst round."""
    loads = _loads_with(results, key)
    names = results.contender_names()
    for axes, load in _panels(loads, out):
        shown = [name for name in names if ratios.by_round(results.records, key, load, name)]
        for place, name in enumerate(shown):
            values = ratios.by_round(results.records, key, load, name).values()
            middle = ratios.median_figure(results.records, key, load, name) or 0.0
            error = [[middle - min(values)], [max(values) - middle]]
            colour = COLOURS[names.index(name) % len(COLOURS)]
            axes.barh(place, middle, xerr=error, color=colour, error_kw={"lw": 0.8})
        axes.set_yticks(range(len(shown)), shown)
        axes.invert_yaxis()
        unit_of = {item["name"]: item["unit"] for item in results.workloads}
        axes.set_xlabel(f"{unit_of[load]} {unit}" if key == "rate" else unit)


def _latencies(results: Results, out: Path) -> None:
    """A panel for each workload, a line for each contender through its percentiles."""
    loads = _loads_with(results, "p50_us")
    names = results.contender_names()
    for axes, load in _panels(loads, out):
        for name in names:
            found = [ratios.median_figure(results.records, key, load, name) for key in PERCENTILES]
            points = [(i, value) for i, value in enumerate(found) if value]
            if points:
                places, values = zip(*points, strict=True)
                colour = COLOURS[names.index(name) % len(COLOURS)]
                axes.plot(places, values, marker="o", ms=3, lw=1, color=colour, label=name)
        axes.set_xticks(range(len(PERCENTILES)), list(PERCENTILES.values()))
        axes.set_yscale("log")
        axes.set_ylabel("µs")
        axes.legend(fontsize=6)


def _panels(loads: Sequence[str], out: Path) -> Iterator[tuple[Axes, str]]:
    """An empty panel for each workload; when all are drawn, the file is written."""
    if not loads:
        return
    columns = min(PANELS_A_ROW, len(loads))
    rows = -(-len(loads) // columns)
    size = (4 * columns, 2.6 * rows)
    figure, grid = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
    flat: list[Axes] = list(grid.flat)
    for axes, load in zip(flat, loads, strict=False):
        axes.set_title(load, fontsize=9)
        axes.tick_params(labelsize=7)
        yield axes, load
    for axes in flat[len(loads) :]:
        axes.set_axis_off()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})
    pyplot.close(figure)
