"""The guide in docs/: its code runs as it stands, and what it says of the package holds."""

import collections
import re

import guide
import pytest
from peers import ROOT

import iocpreuse
from iocpreuse.options import Options

LANGUAGES = {"python", "console", "text", "check", "{toctree}"}
# How many blocks may not be run, by what stands there for a reason.
NOT_RUN = {
    "it installs from PyPI": 1,
    "it changes the machine": 2,
    "it sets up the project": 1,
    "it measures for minutes": 6,
}


@pytest.mark.parametrize("page", guide.pages())
def test_page(page, tmp_path, capsys):
    """Every block of the page, from the first to the last."""
    blocks = guide.blocks_of(page)
    with guide.PageRun(tmp_path) as run:
        for block in blocks:
            run.run(block)
        run.stop_serving()
    assert run.files == set(), f"programs that no command of {page} uses"
    with capsys.disabled():
        for where, reason in run.left_out:
            print(f"\nleft out: {where}: {reason}", end="")


def test_every_block_is_code_that_runs_or_says_why_not():
    blocks = [block for page in guide.pages() for block in guide.blocks_of(page)]
    assert {block.language for block in blocks} <= LANGUAGES
    reasons = collections.Counter(block.order("not run:") for block in blocks)
    del reasons[None]
    assert reasons <= collections.Counter(NOT_RUN)
    assert sum(block.language == "python" for block in blocks) > 20


def test_the_runner_notices_what_is_wrong(tmp_path):
    def run(language, content, *orders):
        with guide.PageRun(tmp_path) as run:
            run.run(guide.Block("index.md", 1, language, content, orders))

    with pytest.raises(ZeroDivisionError):
        run("python", "1 / 0")
    (tmp_path / "ends.py").write_text("raise SystemExit(3)", "utf-8")
    (tmp_path / "says.py").write_text("print('one')", "utf-8")
    with pytest.raises(AssertionError, match="status 3"):
        run("console", "$ python ends.py\n")
    with pytest.raises(AssertionError, match="printed"):
        run("console", "$ python says.py\ntwo\n")
    run("console", "$ python says.py\no...\n")


def test_every_public_name_is_in_the_reference():
    reference = (ROOT / "docs" / "reference.rst").read_text("utf-8")
    named = re.findall(r"^\.\. auto\w+:: (\w+)(?:\(\))?$", reference, re.MULTILINE)
    assert sorted(named) == sorted(set(iocpreuse.__all__) - {"__version__"})


def test_every_option_is_explained():
    """Outside the reference, which has all of them from their definitions."""
    text = "".join((ROOT / "docs" / page).read_text("utf-8") for page in guide.pages())
    missing = [name for name in Options.__annotations__ if f"`{name}`" not in text]
    assert missing == []


def test_every_reason_has_its_row():
    page = (ROOT / "docs" / "ends.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(reason.name for reason in iocpreuse.CloseReason)


def test_the_diagram_shows_the_life_of_a_slot():
    """docs/life.dot, and the picture made of it, against the table in architecture.md."""
    table = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = set(re.findall(r"^\| ([A-Z]+) \| ([A-Z]+) \|", table, re.MULTILINE))
    dot = (ROOT / "docs" / "life.dot").read_text("utf-8")
    picture = (ROOT / "docs" / "life.svg").read_text("utf-8")
    assert set(re.findall(r"(\w+) -> (\w+)", dot)) == rows
    drawn = re.findall(r"<title>(\w+)(?:&#45;|-)(?:&gt;|>)(\w+)</title>", picture)
    assert set(drawn) == rows


def test_every_page_is_in_the_table_of_contents():
    blocks = [block for page in guide.pages() for block in guide.blocks_of(page)]
    trees = "".join(block.content for block in blocks if block.language == "{toctree}")
    listed = set(re.findall(r"^[\w/-]+$", trees, re.MULTILINE))
    there = {page.removesuffix(".md") for page in guide.pages()} | {"reference"}
    assert listed == there - {"index"}
