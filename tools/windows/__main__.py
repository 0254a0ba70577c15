"""The Windows side by hand: python -m tools.windows setup|compile|wheel|run|suite."""

import argparse
import signal
import sys
from pathlib import Path

from tools import cache, programs
from tools.missing import Missing, left_out
from tools.windows import compile, prefix, python, suite, toolchain, wheel, wineserver
from tools.windows.run import LIMIT_S, run


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return int(arguments.command(arguments))
    except Missing as reason:
        left_out(reason)
        return 1
    except (programs.BuildError, wheel.BadWheelError) as error:
        print(error, file=sys.stderr)
        return 1


def _terminate(_number: int, _frame: object) -> None:
    """Ends what runs under Wine, which does not end with us."""
    prefix.stop_all()
    sys.exit(128 + signal.SIGTERM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.windows", description=__doc__)
    commands = parser.add_subparsers(required=True)

    setup = commands.add_parser("setup", help="get and build all that the others need")
    setup.set_defaults(command=_setup)

    check = commands.add_parser("compile", help="check csrc with MSVC semantics, for three CPUs")
    check.set_defaults(command=lambda _: compile.main())

    build = commands.add_parser("wheel", help="cross-build the wheel and check it")
    build.add_argument("--out", type=Path, default=Path("dist"))
    build.set_defaults(command=_wheel)

    one = commands.add_parser("run", help="run one Windows program, or the Windows Python")
    _add_server(one, ["stock", "mended"], "mended")
    one.add_argument("--wheel", action="store_true", help="install the package and pytest first")
    one.add_argument("--limit", type=float, default=LIMIT_S, metavar="SECONDS")
    one.add_argument("program", nargs="+", help="X.exe and its arguments, or those of Python")
    one.set_defaults(command=_run)

    every = commands.add_parser("suite", help="the C programs and pytest, under Wine")
    _add_server(every, ["stock", "mended", "both"], "both")
    every.add_argument(
        "--only", nargs="+", metavar="PART", help="programs [NAME ...], pytest or demo"
    )
    every.add_argument("pytest_args", nargs="*", metavar="PYTEST_ARGUMENT", help="after --")
    every.set_defaults(command=_suite)
    return parser


def _add_server(parser: argparse.ArgumentParser, choices: list[str], default: str) -> None:
    parser.add_argument("--server", choices=choices, default=default, help="the wineserver")


def _setup(_: argparse.Namespace) -> int:
    """What cannot be had is left out, as the commands that need it will do."""
    parts = (toolchain.mingw, toolchain.msvc, python.home, prefix.template, wineserver.mended)
    for get in parts:
        try:
            get()
        except Missing as reason:
            left_out(reason)
    return 0


def _wheel(arguments: argparse.Namespace) -> int:
    print(wheel.build(arguments.out))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    server = wineserver.mended() if arguments.server == "mended" else prefix.stock_server()
    with cache.scratch("run") as scratch:
        home = python.copy_to(scratch / "python")
        command = list(arguments.program)
        if not command[0].endswith(".exe"):
            command.insert(0, str(home / "python.exe"))
        if arguments.wheel:
            package = wheel.build(scratch)
            python.install(home, f"{package}[cli]", *suite.test_requirements())
        # The package that is installed there counts, not the one in the current folder.
        environment = {"PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
        # Not before: a server with nothing to serve ends after a while, and Wine would then start
        # the installed one, whichever was asked for.
        with prefix.booted(server) as booted:
            return run(booted, command, environment=environment, limit_s=arguments.limit).code


def _suite(arguments: argparse.Namespace) -> int:
    names = ("stock", "mended") if arguments.server == "both" else (arguments.server,)
    words = tuple(arguments.only or suite.PARTS)
    parts = tuple(word for word in words if word in suite.PARTS)
    named = tuple(word for word in words if word not in suite.PARTS)
    return suite.main(suite.Choice(names, parts, named, tuple(arguments.pytest_args)))


if __name__ == "__main__":
    sys.exit(main())
