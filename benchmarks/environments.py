"""Where each contender's Python comes from: environments in the cache."""

import hashlib
import subprocess
import sys
from pathlib import Path

from benchmarks.contenders import OURS, Contender
from tools import cache, tree, venvs
from tools.missing import Missing


def interpreter(contender: Contender, base: Path | None = None) -> Path:
    """A Python that has what the contender needs, and nothing else; made by BASE, if given."""
    ours = (str(_wheel(base)),) if contender.program == OURS else ()
    requirements = (*ours, *contender.requirements)
    return venvs.python(f"bench-{contender.program}", *requirements, base=base)


def require_free_threaded(python: Path) -> None:
    """ValueError unless it is an interpreter that can run without the GIL."""
    asked = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED'))"
    try:
        said = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"{python} is no Python that runs: {error}") from None
    if said.stdout.strip() != "1":
        raise ValueError(f"{python} is not a free-threaded Python, such as python3.14t")


def _wheel(base: Path | None) -> Path:
    """The package as it stands in the tree, built as pip builds it for anyone."""
    digest = hashlib.sha256(str(base or sys.version).encode())
    for name in tree.PACKAGE:
        top = tree.ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.suffix in (".c", ".h", ".py", ".pyi", ".toml"):
                digest.update(path.read_bytes())
    folder = cache.folder("benchmarks") / f"wheel-{digest.hexdigest()[:12]}"
    with cache.lock("benchmarks-wheel"):
        if not folder.exists():
            with cache.building(folder) as unfinished, cache.scratch("source") as scratch:
                source = tree.copy_to(scratch / "source")
                pip = [
                    str(venvs.python("pip", base=base)),
                    "-m",
                    "pip",
                    "wheel",
                    "--quiet",
                    "--no-deps",
                ]
                command = [*pip, "--wheel-dir", str(unfinished), str(source)]
                if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
                    raise Missing("the package", "its wheel does not build: see above")
    return next(folder.glob("*.whl"))
