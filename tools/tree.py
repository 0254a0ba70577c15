"""The source tree: where it is, and which files it has."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
TESTS = ROOT / "tests"


def version() -> str:
    """The version that iocpreuse/_version.py states, without importing the package."""
    scope: dict[str, str] = {}
    exec((ROOT / "iocpreuse" / "_version.py").read_text("utf-8"), scope)
    return scope["__version__"]


def c_files(*folders: Path) -> list[Path]:
    """The C files directly in each folder, in a stable order."""
    return [path for folder in folders for path in sorted(folder.glob("*.c"))]


def c_and_headers() -> list[Path]:
    """Every C file and header of the project."""
    return sorted(path for top in (CSRC, TESTS) for path in top.rglob("*.[ch]"))


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """A folder outside the tree, where "import iocpreuse" finds the installed package."""
    with tempfile.TemporaryDirectory(prefix="iocpreuse-") as folder:
        yield Path(folder)
