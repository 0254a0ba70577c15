"""The whole test suite under Wine, on the stock wineserver and on the mended one."""

import re
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tools import cache, programs, recycling, tree
from tools.missing import Missing, left_out
from tools.windows import prefix, python, toolchain, wheel, wineserver
from tools.windows.prefix import Prefix
from tools.windows.run import Finished, run

# What the start-up probe for recycling has to find on each server.
EXPECTED = {"stock": "unsupported", "mended": "verified"}
PARTS = ("programs", "pytest", "demo")
PYTEST_LIMIT_S = 1500.0
LIMIT_S = 300.0
DEMO_LIMIT_S = 120.0


@dataclass
class Results:
    """What was run on one server, and what became of it."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, name: str, good: bool) -> None:
        (self.passed if good else self.failed).append(name)


@dataclass(frozen=True)
class Server:
    """A wineserver: stock or mended."""

    name: str
    path: Path


@dataclass(frozen=True)
class Place:
    """Where and as what a program is run: a booted prefix, and the name before its lines."""

    name: str
    booted: Prefix
    environment: dict[str, str]

    def run(self, command: Sequence[str | Path], folder: Path, limit_s: float) -> Finished:
        return run(
            self.booted,
            command,
            environment=self.environment,
            folder=folder,
            limit_s=limit_s,
            label=f"{self.name}: ",
        )


@dataclass(frozen=True)
class Built:
    """What the runs need; there is a Python for each server."""

    folder: Path
    programs: list[Path]
    pythons: dict[str, Path]


def servers(names: Sequence[str]) -> dict[str, Path]:
    """The wineservers of NAMES that can be had here."""
    found = {}
    if "stock" in names:
        found["stock"] = prefix.stock_server()
    if "mended" in names:
        try:
            found["mended"] = wineserver.mended()
        except Missing as reason:
            left_out(reason)
    return found


@dataclass(frozen=True)
class Choice:
    """What to run: on which servers, which parts, which C programs (none named: all)."""

    servers: tuple[str, ...] = tuple(EXPECTED)
    parts: tuple[str, ...] = PARTS
    programs: tuple[str, ...] = ()
    pytest_args: tuple[str, ...] = ()


def main(choice: Choice) -> int:
    """Runs what is chosen; returns the exit code."""
    found = servers(choice.servers)
    toolchain.mingw()
    prefix.template()
    with cache.scratch("suite") as folder, ThreadPoolExecutor(2) as pool:
        built = _build(folder, choice, list(found))
        running = {
            name: pool.submit(_on_server, Server(name, path), built, choice)
            for name, path in found.items()
        }
        results = {name: future.result() for name, future in running.items()}
    for name, result in results.items():
        for part in result.passed:
            print(f"wine, {name} server: {part} passed")
        for part in result.failed:
            print(f"wine, {name} server: {part} FAILED")
    bad = [name for name, result in results.items() if result.failed or not result.passed]
    return 1 if bad or not results else 0


def _build(folder: Path, choice: Choice, names: list[str]) -> Built:
    """The C programs, and a Windows CPython with the wheel and pytest for each server."""
    compiled: list[Path] = []
    pythons: dict[str, Path] = {}
    if "programs" in choice.parts:
        compiled = programs.build(programs.WINDOWS, folder, choice.programs)
    if set(choice.parts) & {"pytest", "demo"}:
        package = wheel.build(folder / "dist")
        for name in names:
            original = pythons[names[0]] if pythons else None
            pythons[name] = python.copy_to(folder / f"python-{name}", original)
            if original is None:
                python.install(pythons[name], f"{package}[cli]", *test_requirements())
    return Built(folder, compiled, pythons)


def test_requirements() -> list[str]:
    """What the tests need, as pyproject.toml states it."""
    project = tomllib.loads((tree.ROOT / "pyproject.toml").read_text("utf-8"))
    # pip judges a requirement for Windows only by the system that it runs on.
    groups = project["dependency-groups"]
    return [*groups["test"], *groups["guide"], "colorama"]


def _on_server(server: Server, built: Built, choice: Choice) -> Results:
    results = Results()
    with prefix.booted(server.path) as booted:
        environment = {
            "IOCPREUSE_EXPECT_RECYCLING": EXPECTED[server.name],
            # Else the Windows Python would leave its bytecode in the tree.
            "PYTHONPYCACHEPREFIX": str(built.folder / f"pycache-{server.name}"),
            "PYTHONUNBUFFERED": "1",
        }
        place = Place(server.name, booted, environment)
        for program in built.programs:
            begin = time.monotonic()
            ended = run(booted, [program], environment=environment, limit_s=LIMIT_S, label=None)
            seconds = time.monotonic() - begin
            programs.report(f"{server.name}: {program.stem}", ended.code, ended.output, seconds)
            results.add(program.stem, ended.code == 0)
        if "pytest" in choice.parts:
            results.add("pytest", _pytest(place, built, choice.pytest_args))
        if "demo" in choice.parts and EXPECTED[server.name] == "verified":
            results.add("demo", _demo(place, built))
    return results


def _pytest(place: Place, built: Built, arguments: tuple[str, ...]) -> bool:
    """A run counts only with pytest's "N passed" line and exit code 0."""
    # Not run in the tree: there "import iocpreuse" would find the sources without the engine.
    folder = built.folder / f"pytest-{place.name}"
    folder.mkdir()
    command: list[str | Path] = [built.pythons[place.name] / "python.exe", "-m", "pytest"]
    command += ["-p", "no:cacheprovider", "-c", tree.ROOT / "pyproject.toml", "--rootdir", folder]
    ended = place.run([*command, *arguments, tree.TESTS / "python"], folder, PYTEST_LIMIT_S)
    said_so = re.search(r"\b[1-9]\d* passed\b", ended.output) is not None
    return ended.code == 0 and said_so


def _demo(place: Place, built: Built) -> bool:
    """The demo as a user starts it; it has to serve many clients with few sockets."""
    python_exe = built.pythons[place.name] / "python.exe"
    ended = place.run([python_exe, *recycling.DEMO], built.folder, DEMO_LIMIT_S)
    found = recycling.faults(ended.output)
    for fault in found:
        print(f"{place.name}: demo: {fault} (exit code {ended.code})")
    return ended.code == 0 and not found
