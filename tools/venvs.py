"""Virtual environments in the cache, for tools that are not to be installed on the machine."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from tools import cache, debian
from tools.missing import Missing


def python(name: str, *requirements: str, base: Path | None = None) -> Path:
    """The interpreter of the environment NAME, which has REQUIREMENTS installed.

    BASE is the Python that makes it and that it is: without one, the one that runs here."""
    made_by = (str(base),) if base else (sys.version, sys.base_prefix)
    contents = "\n".join((*made_by, *requirements))
    key = hashlib.sha256(contents.encode()).hexdigest()
    path = cache.folder("venvs") / f"{name}-{key[:12]}"
    interpreter = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = path / "ready"
    with cache.lock(f"venv-{name}"):
        if not ready.exists():
            _make(path, base)
            if requirements:
                pip = [str(interpreter), "-m", "pip", "install", "--quiet", *requirements]
                if subprocess.run(pip, stdin=subprocess.DEVNULL, check=False).returncode != 0:
                    raise Missing(f"the tools in {name}", "pip could not install them: see above")
            ready.touch()
    return interpreter


def _make(path: Path, base: Path | None) -> None:
    if base is None and importlib.util.find_spec("ensurepip") is None:
        # Debian's python3 comes without it.
        debian.install("virtual environments", f"python3.{sys.version_info.minor}-venv")
    command = [str(base or sys.executable), "-m", "venv", "--clear", str(path)]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise Missing("virtual environments", f"'{' '.join(command)}' has to work")
