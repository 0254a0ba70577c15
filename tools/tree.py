"""The source tree: where it is, and which files it has."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
TESTS = ROOT / "tests"
BENCHMARKS = ROOT / "benchmarks"


# What a build of the package reads.
PACKAGE = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "csrc", "iocpreuse")


def copy_to(folder: Path) -> Path:
    """Copies the package's sources to FOLDER: a build there leaves nothing in the tree, and
    takes nothing for new that an earlier one, with other flags, has left."""
    folder.mkdir(parents=True)
    for name in PACKAGE:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, folder / name)
    return folder


def version() -> str:
    """The version that iocpreuse/_version.py states, without importing the package."""
    scope: dict[str, str] = {}
    exec((ROOT / "iocpreuse" / "_version.py").read_text("utf-8"), scope)
    return scope["__version__"]


def version_macro() -> str:
    """The compiler flag that tells the C files the version."""
    return f'-DIOCPREUSE_VERSION="{version()}"'


def c_files(*folders: Path) -> list[Path]:
    """The C files directly in each folder, in a stable order."""
    return [path for folder in folders for path in sorted(folder.glob("*.c"))]


def engine_files(root: Path = ROOT) -> list[Path]:
    """The C files of the engine, in all its folders, in the tree at ROOT."""
    return sorted((root / "csrc" / "engine").rglob("*.c"))


def c_and_headers() -> list[Path]:
    """Every C file and header of the project."""
    return sorted(path for top in (CSRC, TESTS, BENCHMARKS) for path in top.rglob("*.[ch]"))


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """A folder outside the tree, where "import iocpreuse" finds the installed package."""
    with tempfile.TemporaryDirectory(prefix="iocpreuse-") as folder:
        yield Path(folder)
