"""`iocpreuse run module:ClassOrInstance`: serves an application's subclass of Server."""

import argparse
import importlib
import sys
from typing import Any

from iocpreuse.cli.option import add_server_options, as_given, server_options
from iocpreuse.cli.output import output
from iocpreuse.cli.serving import add_report_options, serve
from iocpreuse.server import Server


def add_command(commands: Any) -> None:
    """Adds `run` to the sub-parsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help="serve your own Server until Ctrl-C", description=__doc__
    )
    parser.add_argument(
        "spec",
        metavar="module:ClassOrInstance",
        help="a subclass of iocpreuse.Server, or an instance; found from the current directory",
    )
    parser.add_argument("--host", help="for a class (default: all interfaces)")
    parser.add_argument("--port", type=int, help="for a class (default: a free one)")
    add_server_options(parser)
    add_report_options(parser)
    parser.set_defaults(run=_run)


def _import(name: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        # Only where the module itself is missing; what it imports in vain is its own affair.
        if exc.name is None or not (name == exc.name or name.startswith(f"{exc.name}.")):
            raise
        raise ValueError(f"no module named {exc.name!r}, here or installed") from None


def find_target(spec: str) -> Any:
    """The object that SPEC names; ValueError says what is wrong with it."""
    module_name, colon, path = spec.partition(":")
    if not colon or not module_name or not path:
        raise ValueError(f"{spec!r} is not module:ClassOrInstance, such as myapp:ChatServer")
    if module_name.startswith(".") or module_name.endswith((".py", "/", "\\")):
        raise ValueError(f"{module_name!r} is not the name of a module, such as myapp or my.app")
    target: Any = _import(module_name)
    for name in path.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            raise ValueError(f"{module_name!r} has no {path!r}") from None
    return target


def make_server(target: Any, spec: str, options: dict[str, Any]) -> Server:
    """The server that TARGET is or makes."""
    if isinstance(target, Server):
        if options:
            given = ", ".join(as_given(name) for name in options)
            raise ValueError(f"{spec} is an instance, made with its own options: leave out {given}")
        return target
    if isinstance(target, type) and issubclass(target, Server):
        return target(**options)
    kind = target.__name__ if isinstance(target, type) else type(target).__name__
    raise ValueError(f"{spec} is neither a subclass of iocpreuse.Server nor an instance: {kind}")


def _run(arguments: argparse.Namespace) -> int:
    options = server_options(arguments)
    for name in ("host", "port"):
        if getattr(arguments, name) is not None:
            options[name] = getattr(arguments, name)
    # The application may print as soon as it is imported.
    with output(exclusive=arguments.json) as out:
        server = make_server(find_target(arguments.spec), arguments.spec, options)
        return serve(server, arguments, out)
