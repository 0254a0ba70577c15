"""The tables of the report: what is divided by what, and what of failures is told."""

from benchmarks import results as results_module
from benchmarks import table


def section(text, title):
    """The table under a title."""
    return text.partition(f"### {title}\n\n")[2].partition("\n\n")[0].splitlines()


def test_ours_is_divided_by_each_base(results):
    seen = results(
        (1, "echo-a", "limit", {"rate": 100.0, "cpu_us": 4.0}),
        (1, "echo-a", "ours", {"rate": 150.0, "cpu_us": 3.0}),
        (1, "echo-a", "uvloop", {"rate": 50.0, "cpu_us": 6.0}),
    )
    text = table.markdown(seen)
    assert section(text, "ours / limit") == [
        "| workload | rate | server CPU | p50 | p99 | memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| echo-a | 1.50 | 0.75 | - | - | - |",
    ]
    assert section(text, "ours / uvloop")[2:] == ["| echo-a | 3.00 | 0.50 | - | - | - |"]
    assert "### ours / asyncio" not in text


def test_loads_of_a_group_are_summed_up(results):
    rates = {"echo-a": 0.9, "echo-b": 1.1, "echo-c": 1.4}
    rows = [(1, load, "limit", {"rate": 100.0}) for load in rates]
    rows += [(1, load, "ours", {"rate": 100.0 * rate}) for load, rate in rates.items()]
    text = table.markdown(results(*rows))
    assert "| echo, median of 3 | 1.10 | - | - | - | - |" in text
    assert "| echo, lowest of 3 | 0.90 | - | - | - | - |" in text
    assert "| echo, highest of 3 | 1.40 | - | - | - | - |" in text


def test_workers_are_compared_with_one(results):
    seen = results(
        (1, "work", "ours-1-worker", {"rate": 10.0}),
        (1, "work", "ours-2-workers", {"rate": 18.5}),
        group="work",
    )
    text = table.markdown(seen)
    assert section(text, "ours-2-workers / ours-1-worker")[2].startswith("| work | 1.85 |")


def test_failures_are_told(results):
    seen = results(
        (1, "echo-a", "ours", {"rate": 1.0}), failures=[(2, "echo-a", "ours", "3 wrong bytes")]
    )
    assert "- round 2, echo-a, ours: 3 wrong bytes" in table.markdown(seen)


def test_memory_is_compared(results):
    seen = results(
        (1, "idle", "asyncio", {"bytes_a_connection": 3000.0, "rate": 1.0}),
        (1, "idle", "ours", {"bytes_a_connection": 600.0, "rate": 1.0}),
        group="idle",
    )
    assert section(table.markdown(seen), "ours / asyncio")[2:] == [
        "| idle | 1.00 | - | - | - | 0.20 |"
    ]


def test_the_file_holds_all_that_the_tables_need(results, tmp_path):
    seen = results(
        (1, "echo-a", "limit", {"rate": 100.0}),
        (1, "echo-a", "ours", {"rate": 90.0}),
        failures=[(2, "echo-a", "ours", "it broke")],
    )
    seen.save(tmp_path / "results.json")
    assert table.markdown(results_module.load(tmp_path / "results.json")) == table.markdown(seen)
