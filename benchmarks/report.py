"""Tables and plots of a campaign, as files."""

from pathlib import Path

from benchmarks import plots, table
from benchmarks.results import Results


def write(results: Results, folder: Path) -> str:
    """Writes tables.md and the plots into FOLDER; returns the tables."""
    text = table.markdown(results)
    (folder / "tables.md").write_text(text, "utf-8")
    plots.draw(results, folder)
    return text
