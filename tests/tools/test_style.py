"""The project's own rules for sources: is a file noticed that does not say what it is?"""

from pathlib import Path

import pytest

from tools.style import opening_offences


def offends(name, text):
    return bool(list(opening_offences(Path(name), text.splitlines())))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sock.c", "/* sock.c: what is done to one connection. */\n#include <errno.h>\n"),
        ("io_types.h", "/* io_types.h (sim): the types that\n * it leaves open. */\n#define A 1\n"),
        ("sim.py", '"""Runs it: python -m tools.sim"""\n\nimport os\n'),
        ("test_ratios.py", '"""Are ratios\nright?"""\n'),
    ],
)
def test_a_file_that_says_what_it_is(name, text):
    assert not offends(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sock.c", "#include <errno.h>\n/* sock.c: what is done to one connection. */\n"),
        ("sock.c", "/* socket.c: what is done to one connection. */\n"),
        ("sock.c", "/* What is done to one connection. */\n"),
        ("sock.c", "/* sock.c */\nint a; /* b. */\n"),
        ("sock.c", "/* sock.c: sockets */\nint a; /* b. */\n"),
        ("sock.c", ""),
        ("a.py", "import os\n"),
        ("a.py", 'import os\n"""Too late."""\n'),
        ("a.py", '"""words"""\n'),
        ("a.py", ""),
    ],
)
def test_one_that_does_not(name, text):
    assert offends(name, text)
