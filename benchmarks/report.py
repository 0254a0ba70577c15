"""Tables and plots of a campaign, as files."""

from pathlib import Path

from benchmarks import front, plots, table
from benchmarks.results import Results

TABLES, CHART = "tables.md", "front.svg"


def write(results: Results, folder: Path) -> str:
    """Writes tables.md, the plots and the front page's chart into FOLDER; returns the tables."""
    text = table.markdown(results)
    (folder / TABLES).write_text(text, "utf-8")
    plots.draw(results, folder)
    write_chart(folder)
    return text


def write_chart(folder: Path) -> bool:
    """Draws the front page's chart from FOLDER's tables, if these have all that it shows."""
    chart = front.draw((folder / TABLES).read_text("utf-8"))
    if chart is not None:
        (folder / CHART).write_text(chart, "utf-8")
    return chart is not None
