"""The tables of a campaign, in Markdown."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from benchmarks import ratios
from benchmarks.contenders import LIMIT, OURS
from benchmarks.results import Results

NONE = "-"
BASES = (LIMIT, "uvloop", "asyncio", "winloop", "proactor")
FIGURES = {
    "rate": "Rate: messages, deliveries, connections or MiB a second",
    "cpu_us": "Server CPU, µs each: user and system",
    "p50_us": "Latency, median, µs",
    "p99_us": "Latency, 99th percentile, µs",
    "bytes_a_connection": "Memory of an idle connection, bytes",
    "main_thread_share": "What the computing main thread gets, of one processor",
}


def markdown(results: Results) -> str:
    """All tables: how, ours against the bases, and what everybody reached."""
    parts = [_how(results), "## Ours, as median of the paired ratios", _ours(results)]
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
        f"- {settings['rounds']} rounds, {settings['seconds']:g} s each "
        f"after {settings['warmup']:g} s of warm-up",
    ]
    for name in results.contender_names():
        versions = results.contenders[name]["versions"]
        made_of = ", ".join(f"{part} {version}" for part, version in versions.items())
        lines.append(f"- {name}: `{results.contenders[name]['server']}` {made_of}".rstrip())
    return "\n".join(lines)


def _bases(results: Results) -> list[str]:
    there = results.contender_names()
    return [name for name in BASES if name in there]


def _ours(results: Results) -> str:
    """A row for each workload, and what the echo loads are together."""
    keys = {"rate": "rate", "cpu_us": "CPU", "p99_us": "p99"}
    columns = [(base, key) for base in _bases(results) for key in keys]
    head = ["workload", *(f"{keys[key]} / {base}" for base, key in columns)]
    rows = [
        [name, *(_ratio(results, key, name, base) for base, key in columns)]
        for name in results.workload_names()
    ]
    echo = results.group("echo")
    if len(echo) > 1:
        for title, combine in (("median", median), ("lowest", min), ("highest", max)):
            cells = [_over(results, echo, key, base, combine) for base, key in columns]
            rows.append([f"echo, {title} of {len(echo)}", *cells])
    rows += [
        [f"{name}, memory", *_memory_cells(results, name, columns)]
        for name in results.group("idle")
    ]
    return _grid(head, rows)


def _ratio(results: Results, key: str, workload: str, base: str) -> str:
    return _shown(ratios.median_ratio(results.records, key, workload, OURS, base))


def _over(
    results: Results,
    workloads: Sequence[str],
    key: str,
    base: str,
    combine: Callable[[list[float]], float],
) -> str:
    found = [ratios.median_ratio(results.records, key, name, OURS, base) for name in workloads]
    values = [value for value in found if value is not None]
    return _shown(combine(values) if values else None)


def _memory_cells(results: Results, workload: str, columns: Sequence[tuple[str, str]]) -> list[str]:
    """In the first column of each base; the others have nothing to say."""
    return [
        _ratio(results, "bytes_a_connection", workload, base) if key == "rate" else ""
        for base, key in columns
    ]


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
