"""What `echo` and `run` share: the options of a server, and serving with a status line."""

import argparse
import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from iocpreuse.server import Server
from iocpreuse.signals import serve_until_stopped

if TYPE_CHECKING:
    from iocpreuse.stats import Stats

# A terminal's line is rewritten; elsewhere a line is added, and only when something changed.
TERMINAL_SECONDS: Final = 1.0
PLAIN_SECONDS: Final = 10.0


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """The command-line options that go to the Server as they are."""
    parser.add_argument("--workers", type=int, help="worker threads (default: per build)")
    parser.add_argument("--concurrency", type=int, help="of them at once (default: per build)")
    parser.add_argument("--accept-pool", type=int, help="accepts kept posted (default: 64)")
    parser.add_argument("--max-connections", type=int, help="(default: no limit)")
    parser.add_argument("--recycle", choices=("auto", "off"), help="(default: auto)")


def server_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those of them that were given."""
    names = ("workers", "concurrency", "accept_pool", "max_connections", "recycle")
    values = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def format_address(address: tuple[Any, ...]) -> str:
    """host:port, with the brackets that IPv6 needs."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def format_bytes(count: float) -> str:
    """A number of bytes with the unit that keeps it short."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _line(stats: "Stats", logged_in: int) -> str:
    return (
        f"{stats.connections_active} connected, {logged_in} of them logged in, "
        f"{stats.connections_total} served, pool {stats.accepts_pending}, "
        f"in {format_bytes(stats.bytes_received)}, out {format_bytes(stats.bytes_sent)}, "
        f"sockets: {stats.sockets_created} created, {stats.sockets_recycled} recycled, "
        f"{stats.sockets_cooling} cooling, {stats.sockets_replaced} replaced"
    )


class StatusLine:
    """Prints the figures of a server while the block runs, and once more at its end."""

    def __init__(self, server: Server) -> None:
        """Of SERVER, which is running."""
        self._server = server
        self._terminal = sys.stdout.isatty()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status-line", daemon=True)
        self._printed = ""

    def __enter__(self) -> None:
        """Begins."""
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        """Prints the last figures."""
        self._done.set()
        self._thread.join()
        self._print(_line(self._server.stats(), len(self._server.logged_in)))
        if self._terminal:
            print(flush=True)

    def _run(self) -> None:
        seconds = TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS
        while not self._done.wait(seconds):
            self._print(_line(self._server.stats(), len(self._server.logged_in)))

    def _print(self, line: str) -> None:
        if self._terminal:
            print(f"\r\x1b[K{line}", end="", flush=True)
        elif line != self._printed:
            with contextlib.suppress(BrokenPipeError):
                print(time.strftime("%H:%M:%S"), line, flush=True)
        self._printed = line


def serve(server: Server) -> int:
    """Serves until Ctrl-C, or until the application stops it. Returns the exit status."""
    with contextlib.ExitStack() as stack:

        def start() -> None:
            server._start_if_new()
            print(
                f"{type(server).__name__} listening on {format_address(server.address)}, "
                f"recycling {server.recycling}; Ctrl-C stops it",
                flush=True,
            )
            stack.enter_context(StatusLine(server))

        # Not serve_forever: a Ctrl-C just after that line must find the handlers in place.
        serve_until_stopped(start, server._stop_for_signal, server._stopped)
    return 0
