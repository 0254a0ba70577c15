"""`iocpreuse doctor`: what this machine does to the sockets of a server, on one page."""

import argparse
import json
import sys
from typing import Any, Final

from iocpreuse.doctor.examination import Examination
from iocpreuse.doctor.report import page

SECONDS: Final = 60.0
QUICK_SECONDS: Final = 20.0
SECONDS_MIN: Final = 10.0
SECONDS_MAX: Final = 3600.0


def add_command(commands: Any) -> None:
    """Adds `doctor` to the sub-parsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="say what holds on this machine, on a page to paste",
        description=__doc__,
        epilog="Only loopback is used. Exit status: 0 all right, 1 something essential failed, "
        "2 wrong options.",
    )
    times = parser.add_mutually_exclusive_group()
    times.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        help=f"at most, from {SECONDS_MIN:g}; more shows longer disconnects (default: %(default)g)",
    )
    times.add_argument(
        "--quick",
        action="store_const",
        dest="seconds",
        const=QUICK_SECONDS,
        help=f"the same as --seconds {QUICK_SECONDS:g}",
    )
    parser.add_argument("--json", action="store_true", help="one object instead of the page")
    parser.set_defaults(run=_doctor)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not SECONDS_MIN <= seconds <= SECONDS_MAX:  # also false for nan
        right = f"a number of seconds from {SECONDS_MIN:g} to {SECONDS_MAX:g}"
        raise argparse.ArgumentTypeError(f"must be {right}, not {text!r}")
    return seconds


def _tell(name: str) -> None:
    """On a terminal, that something happens; what is piped or pasted stays clean."""
    if sys.stderr.isatty():
        print(f"... {name}", file=sys.stderr, flush=True)


def _doctor(arguments: argparse.Namespace) -> int:
    findings = Examination(arguments.seconds, _tell).run()
    told = findings.as_json()
    print(json.dumps(told) if arguments.json else page(findings), flush=True)
    return 0 if told["ok"] else 1
