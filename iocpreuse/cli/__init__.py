"""The command line: `python -m iocpreuse` and `iocpreuse`."""

import argparse
import logging
import sys
from collections.abc import Sequence

from iocpreuse import __version__
from iocpreuse.cli import demo, echo, run
from iocpreuse.doctor import command as doctor


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="iocpreuse",
        description="TCP servers on I/O completion ports that recycle their sockets.",
    )
    parser.add_argument("--version", action="version", version=f"iocpreuse {__version__}")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="log every connect and disconnect"
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for module in (demo, echo, run, doctor):
        module.add_command(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of ARGV (None = sys.argv). Returns the exit status: 0 if all went well."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(threadName)s %(message)s",
    )
    try:
        return int(arguments.run(arguments))
    except (OSError, ValueError) as exc:
        print(f"iocpreuse: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
