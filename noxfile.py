"""Every task of a developer: nox -l lists them, nox -s NAME runs one."""

import os
import platform
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))

from tools import cache, debian, programs, pythons, tree
from tools.fuzz import PACKAGES as FUZZING
from tools.missing import Missing, left_out
from tools.windows import toolchain

nox.needs_version = ">=2025.2"
nox.options.sessions = [
    "lint",
    "docs",
    "tests",
    "ctests",
    "simulate",
    "sanitize",
    "fuzz",
    "speed",
    "windows",
]
nox.options.default_venv_backend = "venv"

PYTHONS = ["3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t", "3.15"]
SANITIZERS = "address undefined"
ON_LINUX = sys.platform == "linux"
LINUX_ONLY = "it needs Linux; run it there, or in a container of Debian"
# Clients of other origin: tests/python/programs.py runs them against the examples.
STRANGERS = ("socat", "netcat-openbsd", "telnet", "redis-tools", "wrk")
BENCH_COMMANDS = ("run", "report", "chart", "requests", "list")
GROUPS = nox.project.dependency_groups
PYPROJECT = nox.project.load_toml("pyproject.toml")

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
if HERE not in PYTHONS:
    PYTHONS.append(HERE)


pythons.offer(PYTHONS)
if "NOX_ENVDIR" not in os.environ:
    nox.options.envdir = str(cache.folder("nox"))


def skip(session: nox.Session, reason: object) -> None:
    """Leaves the session out, in words that the summary of tools/check.py shows."""
    left_out(reason)
    session.skip(str(reason))


def need(session: nox.Session, what: str, *packages: str) -> None:
    """Has Debian's PACKAGES installed, or leaves the session out."""
    try:
        debian.install(what, *packages)
    except Missing as reason:
        skip(session, reason)


def need_compiler(session: nox.Session) -> None:
    """A C compiler; and Python.h, which Debian has in a package of its own."""
    if ON_LINUX and not shutil.which(programs.LINUX.compiler):
        need(session, "everything in C", "gcc", "libc6-dev")
    if ON_LINUX and not Path(sysconfig.get_path("include"), "Python.h").exists():
        need(session, "building the extension", f"libpython3.{sys.version_info.minor}-dev")


def have_strangers() -> dict[str, str]:
    """Has the client programs installed that tests use; what is set tells them to expect these."""
    if not ON_LINUX:
        return {}
    try:
        debian.install("client programs for tests", *STRANGERS)
    except Missing as reason:
        left_out(reason)
        return {}
    return {"IOCPREUSE_EXPECT_PROGRAMS": "1"}


def run_pytest(session: nox.Session, **environment: str) -> None:
    """Runs the Python tests on the installed package, not on the sources in the tree."""
    folder = session.create_tmp()
    tests = Path("tests", "python").absolute()
    configuration = Path("pyproject.toml").absolute()
    # Most tests wait for something now and then: three at a time take a third of the time.
    settings = ("-c", str(configuration), "--rootdir", folder, "-p", "no:cacheprovider", "-n", "3")
    session.chdir(folder)
    session.run("python", "-m", "pytest", *settings, *session.posargs, str(tests), env=environment)


def install_package(session: nox.Session, *options: str, **environment: str) -> None:
    """Installs the package, built from a copy of the tree."""
    need_compiler(session)
    with cache.scratch("source") as folder:
        source = tree.copy_to(folder / "source")
        session.install(*options, f"{source}[cli]", env=environment)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """pytest, on each Python that is there."""
    install_package(session, *GROUPS(PYPROJECT, "test"))
    # Not where its extensions have no wheels: then the guide's test says what it leaves out.
    if platform.machine() in ("x86_64", "AMD64"):
        session.install(*GROUPS(PYPROJECT, "guide"))
    run_pytest(session, **have_strangers())


@nox.session
def lint(session: nox.Session) -> None:
    """Style, circles, types, formats, warnings, workflows."""
    groups = [tool for name in ("lint", "test", "bench") for tool in GROUPS(PYPROJECT, name)]
    install_package(session, *groups)
    session.run("python", "-m", "tools.lint")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation's site, from docs/ and the docstrings; a warning is an error."""
    install_package(session, *GROUPS(PYPROJECT, "docs"))
    session.run("python", "-m", "tools.docs", *session.posargs)


@nox.session(name="format")
def format_sources(session: nox.Session) -> None:
    """Brings the sources into the format that lint wants."""
    session.install(*(tool for tool in GROUPS(PYPROJECT, "lint") if re.match("ruff|clang-f", tool)))
    session.env["RUFF_CACHE_DIR"] = str(cache.folder("ruff"))
    session.run("ruff", "check", "--fix-only", "--quiet", ".")
    session.run("ruff", "format", ".")
    session.run("clang-format", "-i", *map(str, tree.c_and_headers()))


@nox.session(venv_backend="none")
def ctests(session: nox.Session) -> None:
    """The C suites, on this system's backend."""
    if not ON_LINUX:
        skip(session, f"C suites here: {LINUX_ONLY}")
    need_compiler(session)
    session.run(sys.executable, "-m", "tools.suites")


@nox.session(venv_backend="none")
def simulate(session: nox.Session) -> None:
    """The engine in the simulator, and whether it notices each guard that is taken out."""
    if not ON_LINUX:
        skip(session, f"the simulator: {LINUX_ONLY}")
    need_compiler(session)
    session.run(sys.executable, "-m", "tools.sim")
    session.run(sys.executable, "-m", "tests.sim.mutants", *session.posargs)


@nox.session
def sanitize(session: nox.Session) -> None:
    """C suites and pytest under ASan and UBSan, C suites under TSan."""
    if not ON_LINUX:
        skip(session, f"sanitizers: {LINUX_ONLY}")
    need_compiler(session)
    session.run(sys.executable, "-m", "tools.suites", "address,undefined", "thread", external=True)
    install_package(session, *GROUPS(PYPROJECT, "test"), IOCPREUSE_SANITIZE=SANITIZERS)
    compiler = programs.LINUX.compiler
    runtime = session.run(compiler, "-print-file-name=libasan.so", external=True, silent=True)
    run_pytest(
        session,
        **have_strangers(),
        # Tells tests that measure memory that they cannot.
        IOCPREUSE_SANITIZE=SANITIZERS,
        LD_PRELOAD=re.split(r"\s", str(runtime))[0],
        PYTHONMALLOC="malloc",
        ASAN_OPTIONS="detect_leaks=0:halt_on_error=1",
        UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
    )


@nox.session(venv_backend="none")
def fuzz(session: nox.Session) -> None:
    """The fuzz targets for a minute, or with options of tools.fuzz after --."""
    if not ON_LINUX:
        skip(session, f"fuzzing: {LINUX_ONLY}")
    need(session, "fuzzing", *FUZZING)
    session.run(sys.executable, "-m", "tools.fuzz", *(session.posargs or ("--seconds", "60")))


@nox.session
def speed(session: nox.Session) -> None:
    """The campaign's own tests, and whether messages take more instructions than they did."""
    if not ON_LINUX:
        skip(session, f"benchmarks: {LINUX_ONLY}")
    need_compiler(session)
    session.install(*GROUPS(PYPROJECT, "bench"), *GROUPS(PYPROJECT, "test"))
    session.run("python", "-m", "pytest", "-p", "no:cacheprovider", "tests/benchmarks")
    session.run("python", "-m", "benchmarks.instructions", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmark campaign: after --, options of `run`, or another of its commands."""
    if not ON_LINUX:
        skip(session, f"benchmarks: {LINUX_ONLY}")
    need_compiler(session)
    session.install(*GROUPS(PYPROJECT, "bench"))
    named = bool(session.posargs) and session.posargs[0] in BENCH_COMMANDS
    command = session.posargs if named else ["run", *session.posargs]
    session.run("python", "-m", "benchmarks", *command)


@nox.session(venv_backend="none")
def windows(session: nox.Session) -> None:
    """Compile checks, C suites and pytest for Windows, under Wine."""
    if not ON_LINUX:
        skip(session, f"Windows under Wine: {LINUX_ONLY}")
    needs = {
        ("compile",): (toolchain.mingw, toolchain.msvc),
        ("suite", *session.posargs): (toolchain.mingw, toolchain.wine),
    }
    missing = []
    for command, packages in needs.items():
        try:
            for package in packages:
                package()
        except Missing as reason:
            left_out(reason)
            missing.append(str(reason))
        else:
            session.run(sys.executable, "-m", "tools.windows", *command)
    if len(missing) == len(needs):
        session.skip(missing[-1])
