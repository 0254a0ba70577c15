"""What the documents say is what the code does."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import iocpreuse
from iocpreuse.cli.figures import Snapshot
from iocpreuse.options import Options, check_options

ROOT = Path(__file__).parents[2]


def read(name):
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not here: these tests run apart from the sources")
    return path.read_text("utf-8")


def test_the_slot_table_equals_the_code():
    code = read("csrc/engine/life/slot.c").partition("slot_transitions[] = {")[2].partition("};")[0]
    in_code = re.findall(r"\{SLOT_(\w+), SLOT_(\w+)\}", code)
    text = read("docs/architecture.md")
    table = text.partition("<!-- slot-table:begin -->")[2].partition("<!-- slot-table:end -->")[0]
    in_table = re.findall(r"^\| ([A-Z]+) \| ([A-Z]+) \|", table, re.MULTILINE)
    assert len(in_code) > 10
    assert sorted(in_table) == sorted(in_code)


def between(text, mark):
    return text.partition(f"<!-- {mark}:begin -->")[2].partition(f"<!-- {mark}:end -->")[0]


@pytest.mark.parametrize("road", ["road-of-a-message", "road-of-a-socket"])
def test_the_roads_lead_through_files_that_are_there(road):
    steps = re.findall(r"^(\d+)\. (.*)$", between(read("docs/architecture.md"), road), re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) > 10
    for number, step in steps:
        files = re.findall(r"`([a-z]+/[\w./]+)`", step)
        assert files, f"step {number} names no file"
        for name in files:
            assert (ROOT / name).is_file(), f"step {number}: {name}"
        # What a step calls by its name is in one of its files, or stays within the reader's reach.
        for name in re.findall(r"`((?:io|engine|session)_\w+|[a-z_]+)`", step):
            texts = [(ROOT / file).read_text("utf-8") for file in files]
            assert any(re.search(rf"\b{name}\b", text) for text in texts), f"{number}: {name}"


def test_every_file_of_the_engine_has_its_room():
    rooms = between(read("docs/architecture.md"), "rooms")
    named = re.findall(r"`(\w+\.[ch])`", rooms)
    there = [path.name for path in (ROOT / "csrc" / "engine").rglob("*.[ch]")]
    assert sorted(named) == sorted(there)
    for folder in (path for path in (ROOT / "csrc" / "engine").iterdir() if path.is_dir()):
        row = next(row for row in rooms.splitlines() if f"`{folder.name}/`" in row)
        assert sorted(re.findall(r"`(\w+\.[ch])`", row)) == sorted(p.name for p in folder.iterdir())


def test_the_reasons_equal_the_code():
    body = read("csrc/engine/life/reason.h").partition("typedef enum {")[2].partition("}")[0]
    names = [reason.name for reason in iocpreuse.CloseReason]
    assert re.findall(r"REASON_(\w+)", body) == [*names, "COUNT"]


def test_every_documented_default_is_the_default():
    """A comment in Options ends with the default: it is compared where it is a number."""
    settings = check_options(None, 0, {})
    source = read("iocpreuse/options.py").partition("class Options")[2].partition("\nclass ")[0]
    comments = dict(re.findall(r"^    (\w+): [^#\n]*# (.*)$", source, re.MULTILINE))
    documented = {
        name: comment.rpartition(";")[2].partition(",")[0].strip()
        for name, comment in comments.items()
    }
    assert set(documented) == set(Options.__annotations__)
    sizes = {"": 1, " KiB": 1024, " MiB": 1024**2}
    compared = 0
    for name, text in documented.items():
        if number := re.fullmatch(r"([\d.]+)( KiB| MiB|)", text):
            assert getattr(settings, name) == float(number[1]) * sizes[number[2]], name
            compared += 1
    assert compared >= 5


def test_links_lead_somewhere():
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *pages):
        text = read(name)
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            if not link.startswith("https://"):
                assert (ROOT / name).parent.joinpath(link).exists(), f"{name}: {link}"
        if name == "CHANGELOG.md":
            continue
        for path in re.findall(r"`((?:csrc|tests|docs|iocpreuse|tools|examples)/[\w./]+)`", text):
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_the_example_in_the_readme_runs(stack):
    example = read("README.md").partition("```python\n")[2].partition("```")[0]
    code = example.replace('Echo("127.0.0.1", 7007).serve_forever()', 'server = Echo("127.0.0.1")')
    names = {}
    exec(code, names)
    from peers import Client

    with names["server"] as server, Client(server.address) as client:
        assert client.ask(b"x") == b"x"


def pictures():
    """Those that are drawn for the first page."""
    names = re.findall(r"!\[[^\]]*\]\((docs/[^)]+\.svg)\)", read("README.md"))
    assert len(names) == 3
    return {name: ET.fromstring(read(name)) for name in names}


def texts(picture):
    """The elements with text in them."""
    return list(picture.iter("{http://www.w3.org/2000/svg}text"))


def test_the_first_pages_show_the_same():
    """The site's and the README's; and both show it before they go on."""
    on_site = re.findall(r"!\[[^\]]*\]\(([^)]+\.svg)\)", read("docs/index.md"))
    assert [f"docs/{name}" for name in on_site] == list(pictures())
    for name in ("README.md", "docs/index.md"):
        before, _, after = read(name).partition("python3 tools/check.py")
        assert before.count(".svg)") == 3, name
        assert ".svg)" not in after, name


def test_pictures_need_no_network():
    for name in pictures():
        fetched = re.findall(r"(?:href=|url\(|@import)[\s\"']*(?!#)([^\s\"')]+)", read(name))
        assert [found for found in fetched if not found.startswith("#")] == [], name


@pytest.mark.parametrize("name", ["docs/pictures/socket.svg", "docs/performance/front.svg"])
def test_no_text_is_cut_off(name):
    """Fonts differ: six tenths of its height are more than a letter takes on the average."""
    picture = pictures()[name]
    width = float(picture.get("viewBox").split()[2])
    for text in texts(picture):
        kinds = (text.get("class") or "").split()
        length = len(text.text) * 14 * 0.6
        before = length if "load" in kinds else length / 2 if "mid" in kinds else 0
        begin = float(text.get("x")) - before
        assert 4 <= begin <= begin + length <= width - 4, text.text


def test_the_live_table_in_the_picture_has_its_rows():
    """If not: python -m tools.live_table"""
    with iocpreuse.Server("127.0.0.1") as server:
        snapshot = Snapshot.take(server)
    picture = pictures()["docs/pictures/table.svg"]
    shown = {text.text.replace("\xa0", " ").strip(" │") for text in texts(picture)}
    for row in snapshot.rows(snapshot):
        assert any(line.startswith(row) for line in shown), row
