"""The tables of a campaign, in Markdown."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from benchmarks import ratios
from benchmarks.contenders import LIMIT, OURS
from benchmarks.results import Results

NONE = "-"
# Who is divided by whom.
PAIRS = (
    *((OURS, base) for base in (LIMIT, "uvloop", "asyncio", "winloop", "proactor", "ours-fresh")),
    *(("ours-sends", base) for base in (LIMIT, "uvloop", "winloop")),
    ("ours-2-workers", "ours-1-worker"),
)
COMPARED = {
    "rate": "rate",
    "cpu_us": "server CPU",
    "p50_us": "p50",
    "p99_us": "p99",
    "bytes_a_connection": "memory",
}
FIGURES = {
    "rate": "Rate: messages, deliveries, connections or MiB a second",
    "cpu_us": "Server CPU, µs each: user and system",
    "p50_us": "Latency, median, µs",
    "p99_us": "Latency, 99th percentile, µs",
    "bytes_a_connection": "Memory of an idle connection, bytes",
    "main_thread_share": "What the computing main thread gets, of one processor",
}


def markdown(results: Results) -> str:
    """All tables: how it was measured, who against whom, and what everybody reached."""
    parts = ["# What a campaign measured", _how(results)]
    parts += ["## Medians of the paired ratios", *_comparisons(results)]
    parts += ["## All contenders, as medians over the rounds"]
    for key, title in FIGURES.items():
        table = _figure_table(results, key)
        if table:
            parts += [f"### {title}", table]
    if failures := results.failures():
        parts += ["## Failed trials", "\n".join(f"- {line}" for line in failures)]
    return "\n\n".join(parts) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join([_row(head), _row(rule), *map(_row, rows)])


def _how(results: Results) -> str:
    machine, settings = results.machine, results.settings
    lines = [
        f"- Command: `{settings['command']}`, {settings['began']}, commit {machine['commit']}",
        f"- Machine: {machine['processor']}, {machine['processors']} processors, "
        f"{machine['memory']} of memory, {machine['kernel']}",
        f"- {settings['rounds']} rounds, each {settings['how']}",
    ]
    for name in results.contender_names():
        versions = results.contenders[name]["versions"]
        made_of = ", ".join(f"{part} {version}" for part, version in versions.items())
        lines.append(f"- {name}: `{results.contenders[name]['server']}` {made_of}".rstrip())
    return "\n".join(lines)


def _comparisons(results: Results) -> list[str]:
    """A table for each pair that has something in common."""
    parts = []
    for who, base in PAIRS:
        loads = [name for name in results.workload_names() if _row_of(results, who, base, [name])]
        if loads:
            parts += [f"### {who} / {base}", _comparison(results, who, base, loads)]
    return parts


def _comparison(results: Results, who: str, base: str, loads: Sequence[str]) -> str:
    """A row for each workload, and what the echo loads are together."""
    rows = [[name, *_row_of(results, who, base, [name])] for name in loads]
    echo = [name for name in results.group("echo") if name in loads]
    if len(echo) > 1:
        for title, combine in (("median", median), ("lowest", min), ("highest", max)):
            cells = _row_of(results, who, base, echo, combine)
            rows.append([f"echo, {title} of {len(echo)}", *cells])
    return _grid(["workload", *COMPARED.values()], rows)


def _row_of(
    results: Results,
    who: str,
    base: str,
    loads: Sequence[str],
    combine: Callable[[list[float]], float] = median,
) -> list[str]:
    """The ratios of each figure, combined over LOADS; empty where there is none at all."""
    cells = []
    for key in COMPARED:
        found = [ratios.median_ratio(results.records, key, load, who, base) for load in loads]
        values = [value for value in found if value is not None]
        cells.append(_shown(combine(values) if values else None))
    return cells if set(cells) != {NONE} else []


def _shown(ratio: float | None) -> str:
    if ratio is None:
        return NONE
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def _figure_table(results: Results, key: str) -> str:
    """Empty where nobody has the figure."""
    names = results.contender_names()
    rows = []
    for load in results.workload_names():
        found = [ratios.median_figure(results.records, key, load, name) for name in names]
        if any(value is not None for value in found):
            rows.append([load, *(NONE if value is None else _number(value) for value in found)])
    return _grid(["workload", *names], rows) if rows else ""


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
