"""`iocpreuse echo`: sends back what it gets."""

import argparse
from typing import Any

from iocpreuse.cli.option import add_server_options, server_options
from iocpreuse.cli.output import output
from iocpreuse.cli.serving import add_report_options, serve
from iocpreuse.server import Server


class Echo(Server):
    """Sends every client its own bytes."""

    def on_data(self, session: Any, data: bytes) -> None:
        """Back they go."""
        session.send(data)


def add_command(commands: Any) -> None:
    """Adds `echo` to the sub-parsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "echo", help="serve an echo until Ctrl-C", description=__doc__
    )
    parser.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=7007, help="0 = a free one (default: %(default)s)"
    )
    add_server_options(parser)
    add_report_options(parser)
    parser.set_defaults(run=_echo)


def _echo(arguments: argparse.Namespace) -> int:
    server = Echo(arguments.host, arguments.port, **server_options(arguments))
    with output(exclusive=arguments.json) as out:
        return serve(server, arguments, out)
