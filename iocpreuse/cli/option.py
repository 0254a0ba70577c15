"""The options of a server, from the command line."""

import argparse
import ast
from typing import Any, Final

from iocpreuse.options import check_options

# Those that have a switch of their own; --option takes the others, and these as well.
SWITCHES: Final = ("workers", "concurrency", "accept_pool", "max_connections", "recycle")


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """The command-line options that go to the Server as they are."""
    parser.add_argument("--workers", type=int, help="worker threads (default: per build)")
    parser.add_argument("--concurrency", type=int, help="of them at once (default: per build)")
    parser.add_argument("--accept-pool", type=int, help="accepts kept posted (default: 64)")
    parser.add_argument("--max-connections", type=int, help="(default: no limit)")
    parser.add_argument("--recycle", choices=("auto", "off"), help="(default: auto)")
    parser.add_argument(
        "--tls",
        nargs=2,
        metavar=("CERT", "KEY"),
        help="speak TLS, with this certificate chain and its key (PEM files)",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any option of iocpreuse.Server, such as idle_timeout=30 or "
        "keepalive=(60,10,3); may be given several times",
    )


def make_context(certificate: str, key: str) -> Any:
    """The SSLContext for --tls; ValueError says what is wrong with the files."""
    import ssl  # who has no TLS need not load it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as exc:
        raise ValueError(
            f"--tls {certificate} {key}: not a certificate and its key as PEM files ({exc})"
        ) from None
    except OSError as exc:
        raise ValueError(f"--tls {certificate} {key}: {exc.strerror}") from None
    return context


def _parse(text: str) -> tuple[str, Any]:
    """The name and the value of one --option."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"--option {text!r} is not NAME=VALUE, such as idle_timeout=30")
    if name in ("host", "port"):
        raise ValueError(f"--option {text!r}: that is what --{name} is for")
    if name == "ssl":
        raise ValueError(f"--option {text!r}: that is what --tls is for")
    if name == "sock":
        raise ValueError(f"--option {text!r}: a socket cannot be given on the command line")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return name, value  # a plain word: a shell has its own use for quotes


def server_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those that were given, checked; ValueError says what is wrong with one."""
    values = {name: getattr(arguments, name) for name in SWITCHES}
    options = {name: value for name, value in values.items() if value is not None}
    if arguments.tls is not None:
        options["ssl"] = make_context(*arguments.tls)
    for text in arguments.option:
        name, value = _parse(text)
        if name in options:
            raise ValueError(f"{name} is given twice, the second time by --option {text}")
        options[name] = value
    try:
        check_options(None, 0, options)
    except TypeError as exc:
        raise ValueError(str(exc)) from None
    return options


def as_given(name: str) -> str:
    """How the command line says that option."""
    if name == "ssl":
        return "--tls"
    return (
        f"--{name.replace('_', '-')}"
        if name in (*SWITCHES, "host", "port")
        else f"--option {name}=..."
    )
