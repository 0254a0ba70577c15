"""Subinterpreters: a clear error there, and no harm to the server of the main interpreter."""

import importlib

import pytest
from peers import Client

# Its name and its functions have changed from version to version.
for name in ("_interpreters", "_xxsubinterpreters"):
    try:
        interpreters = importlib.import_module(name)
        break
    except ImportError:
        continue

TRY = """
try:
    import iocpreuse
except ImportError as exc:
    text = str(exc)
else:
    text = "it was imported"
import os
os.write({descriptor}, text.encode())
"""


def kinds():
    """How a subinterpreter can be made here: isolated, and as programs have made them for long."""
    if hasattr(interpreters, "new_config"):  # 3.13
        return ["isolated", "legacy"]
    return [True, False]


def run(kind, code):
    if isinstance(kind, bool):
        made = interpreters.create(isolated=kind)
    else:
        made = interpreters.create(kind)
    try:
        failure = interpreters.run_string(made, code)  # raises before 3.13
        assert failure is None, failure
    finally:
        interpreters.destroy(made)


@pytest.mark.parametrize("kind", kinds())
def test_import_is_a_clear_error(serve, tmp_path, kind):
    server = serve()
    with Client(server.address) as client:
        for _ in range(2):
            with open(tmp_path / "said", "w+b") as said:
                run(kind, TRY.format(descriptor=said.fileno()))
                said.seek(0)
                text = said.read().decode()
            assert "subinterpreter" in text
            assert "iocpreuse" in text
            assert client.ask(b"x") == b"x"
