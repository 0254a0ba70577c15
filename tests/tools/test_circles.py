"""The check of the house's plan: are circles and needs that look back found, and no others?"""

import shutil
import textwrap

import pytest

from tools import programs
from tools.circles import modules, objects
from tools.circles.__main__ import FOLDERS, looks_back, main
from tools.circles.graph import Graph, describe
from tools.tree import CSRC, ROOT


def write(folder, files):
    """Writes FILES, texts by their paths, into FOLDER."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")


@pytest.fixture(params=[programs.LINUX, programs.WINDOWS], ids=["linux", "windows"])
def symbols(request, tmp_path):
    """Compiles a made-up tree and reads its symbols; returns them and the tree's folder."""
    if shutil.which(request.param.compiler) is None:
        pytest.skip(f"{request.param.compiler} is not here")

    def compiled(files):
        top = tmp_path / "csrc"
        write(top, files)
        made = tmp_path / "objects"
        made.mkdir()
        return objects.compile_symbols(request.param, sorted(top.rglob("*.c")), made), top

    return compiled


@pytest.fixture
def circles_in_c(symbols):
    """What is said of a made-up tree."""

    def said(files):
        graph = Graph()
        objects.add_ties(graph, *symbols(files))
        return describe(graph)

    return said


@pytest.fixture
def circles_in_python(tmp_path):
    """What is said of a made-up package, whose name is "made"."""

    def said(files):
        write(tmp_path / "made", {"__init__.py": "", **files})
        return describe(modules.graph_of(tmp_path / "made"))

    return said


def test_a_circle_in_c_is_named_with_what_ties_it(circles_in_c):
    said = circles_in_c(
        {
            "low.c": "int high(void); int low(void) { return high(); }",
            "high.c": "int low(void); int high(void) { return low(); }",
            "apart.c": "int low(void); int apart(void) { return low(); }",
        }
    )
    assert said == [
        "a circle of high.c, low.c",
        "    high.c needs low.c for low",
        "    low.c needs high.c for high",
    ]


def test_a_circle_goes_through_folders_and_data(circles_in_c):
    said = circles_in_c(
        {
            "loop.c": "int begin(void); int count; int loop(void) { return begin(); }",
            "session/begin.c": "int give(void); int begin(void) { return give(); }",
            "life/pool.c": "extern int count; int give(void) { return count; }",
        }
    )
    assert said == [
        "a circle of life/pool.c, loop.c, session/begin.c",
        "    life/pool.c needs loop.c for count",
        "    loop.c needs session/begin.c for begin",
        "    session/begin.c needs life/pool.c for give",
    ]


def test_two_circles_are_two(circles_in_c):
    said = circles_in_c(
        {
            "a.c": "void b(void); void a(void) { b(); }",
            "b.c": "void a(void); void c(void); void b(void) { a(); c(); }",
            "c.c": "void d(void); void c(void) { d(); }",
            "d.c": "void c(void); void d(void) { c(); }",
        }
    )
    assert [line for line in said if line[0] != " "] == [
        "a circle of a.c, b.c",
        "a circle of c.c, d.c",
    ]


def test_c_files_that_look_one_way_pass(circles_in_c):
    said = circles_in_c(
        {
            "top.c": "void low(void); void middle(void); void top(void) { low(); middle(); }",
            "middle.c": "void low(void); static void help(void) { low(); }"
            "void middle(void) { help(); }",
            # Handed in: no symbol, and so no need. And a name of its own, used elsewhere too.
            "low.c": "static void help(void) {} void low(void) { help(); }"
            "void with(void (*back)(void)) { back(); }",
        }
    )
    assert said == []


HOUSE = {
    "io/io.h": "int io_send(int);",
    "io/table.c": "int table(void) { return 0; }",
    "io/some/sock.c": "int table(void); int io_send(int n) { return n + table(); }"
    "int sock_hidden(void) { return 0; }",
    "engine/loop.c": "int io_send(int); int table(void);"
    "int engine_send(void) { return io_send(table()); }",
    "py/module.c": "int engine_send(void); int py_send(void) { return engine_send(); }",
}


def test_layers_that_look_down_pass(symbols):
    assert list(looks_back(*symbols(HOUSE))) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "engine/back.c",
            "int py_send(void); int back(void) { return py_send(); }",
            "engine/back.c needs py/module.c for py_send: no engine may",
        ),
        (
            "io/some/back.c",
            "int engine_send(void); int back(void) { return engine_send(); }",
            "io/some/back.c needs engine/loop.c for engine_send: no backend may",
        ),
        (
            "io/back.c",
            "int sock_hidden(void); int back(void) { return sock_hidden(); }",
            "io/back.c needs io/some/sock.c for sock_hidden: no io may",
        ),
        (
            "engine/session/back.c",
            "int sock_hidden(void); int back(void) { return sock_hidden(); }",
            "engine/session/back.c needs io/some/sock.c for sock_hidden, "
            "which io.h does not declare",
        ),
        (
            "py/past.c",
            "int io_send(int); int past(void) { return io_send(0); }",
            "py/past.c needs io/some/sock.c for io_send: no py may",
        ),
    ],
)
def test_layers_that_look_elsewhere_are_named(symbols, name, text, said):
    assert list(looks_back(*symbols({**HOUSE, name: text}))) == [said]


def test_imports_in_a_circle_are_named(circles_in_python):
    said = circles_in_python(
        {
            "server.py": "from made import hook\nfrom made.errors import Wrong\n",
            "hook.py": "def late():\n    from .server import Server\n    return Server\n",
            "errors.py": "class Wrong(Exception): pass\n",
        }
    )
    assert said == [
        "a circle of made/hook.py, made/server.py",
        "    made/hook.py needs made/server.py for import made.server.Server",
        "    made/server.py needs made/hook.py for import made.hook",
    ]


def test_a_private_attribute_of_one_other_module_ties(circles_in_python):
    said = circles_in_python(
        {
            "server.py": """
                from made import hook

                class Server:
                    def _stop(self): ...
            """,
            "hook.py": "def stop_all(servers):\n    for each in servers:\n        each._stop()\n",
        }
    )
    assert said[1] == "    made/hook.py needs made/server.py for Server._stop"


def test_what_is_called_on_a_parameter_of_a_type_ties(circles_in_python):
    said = circles_in_python(
        {
            "server.py": "from made import hook\n\nclass Server:\n    def wait(self): ...\n",
            "hook.py": """
                from typing import TYPE_CHECKING

                if TYPE_CHECKING:
                    from made.server import Server

                def wait(server: "Server | None") -> None:
                    server.wait()
            """,
        }
    )
    assert said[1] == "    made/hook.py needs made/server.py for Server.wait"


def test_types_alone_and_protocols_do_not_tie(circles_in_python):
    said = circles_in_python(
        {
            "server.py": """
                from made import hook, names

                class Server:
                    def _stop(self): ...
            """,
            "hook.py": """
                from typing import TYPE_CHECKING, Protocol

                if TYPE_CHECKING:
                    from made.server import Server

                class Stoppable(Protocol):
                    def _stop(self): ...

                servers: "list[Server]" = []

                def stop_all(stoppable: Stoppable):
                    stoppable._stop()
            """,
            # Two others have one: whose it is cannot be told.
            "names.py": "def names(server):\n    return server._name\n",
            "one.py": "from made import names\n\nclass One:\n    _name = 1\n",
            "two.py": "from made import names\n\nclass Two:\n    _name: int\n",
        }
    )
    assert said == []


def test_a_package_is_not_needed_by_what_stands_in_it(circles_in_python):
    said = circles_in_python(
        {
            "__init__.py": "from made.server import Server\n",
            "server.py": "from made import errors\nfrom . import hook\n",
            "errors.py": "",
            "hook.py": "",
        }
    )
    assert said == []


def test_what_a_module_takes_from_its_package_ties(circles_in_python):
    said = circles_in_python(
        {
            "__init__.py": "from made.server import Server\n",
            "server.py": "from made import Server\n",
        }
    )
    assert said[0] == "a circle of made/__init__.py, made/server.py"


def test_no_folder_with_c_files_is_forgotten():
    folders = {ROOT / name for name in FOLDERS}
    forgotten = {
        path
        for path in CSRC.rglob("*.c")
        if path.parent != CSRC / "io" and not any(map(path.is_relative_to, folders))
    }
    assert forgotten == set()


def test_a_wrong_part_is_refused(capsys):
    assert main(["csrc/nowhere"]) == 2
    assert "csrc/nowhere" in capsys.readouterr().out


def test_a_circle_fails_the_check(monkeypatch, capsys, tmp_path):
    write(
        tmp_path / "iocpreuse",
        {"a.py": "import iocpreuse.b\n", "b.py": "import iocpreuse.a\n"},
    )
    monkeypatch.setattr("tools.circles.__main__.ROOT", tmp_path)
    assert main(["iocpreuse"]) == 1
    assert capsys.readouterr().out.startswith(
        "iocpreuse: a circle of iocpreuse/a.py, iocpreuse/b.py"
    )
