"""The front page's chart: it is what the tables say."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import front, report

DOCUMENTS = Path(__file__).parents[2] / "docs" / "performance"
LEFT_OF_ALL = front.LEFT - 0.1


def tables(uvloop, asyncio):
    """Tables in which each load has the same ratio."""
    parts = []
    for base, ratio in (("uvloop", uvloop), ("asyncio", asyncio)):
        rows = "\n".join(f"| {name} | {ratio} | 9.99 | - |" for name in front.ROWS)
        parts.append(f"### ours / {base}\n\n| workload | rate |\n| --- | ---: |\n{rows}\n")
    return "\n".join(parts)


def bars(chart, base):
    """Left and right end of each bar over BASE; the legend's is not one."""
    found = re.findall(rf'<rect class="{base}" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', chart)
    return [(float(x), float(x) + float(width)) for x, width in found if float(x) > LEFT_OF_ALL]


def test_the_chart_in_the_documents_is_of_the_tables_there():
    """If not: python -m benchmarks chart docs/performance"""
    drawn = front.draw((DOCUMENTS / report.TABLES).read_text("utf-8"))
    assert (DOCUMENTS / report.CHART).read_text("utf-8") == drawn


def test_a_bar_is_on_the_side_of_the_faster():
    chart = front.draw(tables("0.80", "4.02"))
    equal = float(re.search(r'<path class="equal" d="M([\d.]+) ', chart)[1])
    assert len(bars(chart, "uvloop")) == len(bars(chart, "asyncio")) == len(front.ROWS)
    assert all(right == pytest.approx(equal) for _, right in bars(chart, "uvloop"))
    assert all(left == pytest.approx(equal) for left, _ in bars(chart, "asyncio"))
    shown = [text.text for text in ET.fromstring(chart).iter("{http://www.w3.org/2000/svg}text")]
    assert shown.count("0.80") == shown.count("4.02") == len(front.ROWS)


@pytest.mark.parametrize("ratio", ["0.01", "5000", "inf"])
def test_no_bar_leaves_the_scale(ratio):
    chart = front.draw(tables(ratio, "1.00"))
    assert all(front.LEFT <= left <= right <= front.RIGHT for left, right in bars(chart, "uvloop"))
    assert chart.count(f">{float(ratio):.2f}<") == len(front.ROWS)


def test_without_a_figure_there_is_no_chart(tmp_path):
    whole = tables("1.10", "4.02")
    (tmp_path / report.TABLES).write_text(whole.replace("| bulk |", "| other |", 1), "utf-8")
    assert not report.write_chart(tmp_path)
    assert not (tmp_path / report.CHART).exists()
    assert front.draw(whole.replace("### ours / asyncio", "### ours / winloop")) is None
