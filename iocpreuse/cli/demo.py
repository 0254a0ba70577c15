"""`iocpreuse demo`: a server with a small accept pool, and a crowd of clients that come and go."""

import argparse
import json
import time
from typing import Any, Final

from iocpreuse.cli.crowd import ClientProcess
from iocpreuse.cli.demo_server import DemoServer
from iocpreuse.cli.display import Display, make_display
from iocpreuse.cli.figures import format_address
from iocpreuse.cli.verdict import Verdict, judge, summary_lines
from iocpreuse.stats import Stats

REFRESH_SECONDS: Final = 0.25


def add_command(commands: Any) -> None:
    """Adds `demo` to the sub-parsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo", help="show it all: serve a crowd of own clients", description=__doc__
    )
    parser.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    parser.add_argument("--clients", type=int, default=200, help="at a time (default: %(default)s)")
    parser.add_argument(
        "--connections", type=int, default=5000, help="in all (default: %(default)s)"
    )
    parser.add_argument(
        "--accept-pool", type=int, default=16, help="accepts kept posted (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, help="worker threads (default: per build)")
    parser.add_argument("--recycle", choices=("auto", "off"), default="auto")
    parser.add_argument("--seconds", type=float, default=0.0, help="no new connections after that")
    parser.add_argument("--seed", type=int, default=0, help="of the clients' behaviour")
    parser.add_argument("--plain", action="store_true", help="lines instead of a live table")
    parser.add_argument("--json", action="store_true", help="only the summary, as a line of JSON")
    parser.set_defaults(run=_demo)


def _figures(stats: Stats, clients: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {
        "seconds": f"{seconds:.1f}",
        "connected": stats.connections_active,
        "served": stats.connections_total,
        "accepts pending": stats.accepts_pending,
        "sockets created": stats.sockets_created,
        "recycled": f"{stats.sockets_recycled} ({100 * stats.recycled_share:.1f} %)",
        "replaced": stats.sockets_replaced,
        "cooling": stats.sockets_cooling,
        "messages": clients.get("messages", 0),
        "wrong bytes": clients.get("wrong_bytes", 0) + clients.get("misdelivered_bytes", 0),
        "stale sends blocked": stats.stale_sends_blocked,
    }


def _watch(server: DemoServer, clients: ClientProcess, display: Display | None) -> None:
    """Until the clients have finished, one way or another."""
    started = time.monotonic()
    while clients.wait(REFRESH_SECONDS):
        if display is not None:
            display.show(_figures(server.stats(), clients.figures, time.monotonic() - started))


def _run(arguments: argparse.Namespace, display: Display | None) -> Verdict:
    options = {"accept_pool": arguments.accept_pool, "recycle": arguments.recycle}
    server = DemoServer(arguments.host, 0, workers=arguments.workers, **options)
    started = time.monotonic()
    try:
        with server:
            if display is not None:
                where = format_address(server.address)
                print(f"serving on {where}, recycling {server.recycling}", flush=True)
            with ClientProcess(server.address, arguments) as clients:
                if display is None:
                    _watch(server, clients, None)
                else:
                    with display.live():
                        _watch(server, clients, display)
    finally:
        server.finish()
    return judge(server, clients, arguments, time.monotonic() - started)


def _demo(arguments: argparse.Namespace) -> int:
    for name in ("clients", "connections"):
        if getattr(arguments, name) < 1:
            raise ValueError(f"--{name} must be at least 1, not {getattr(arguments, name)}")
    display = None if arguments.json else make_display(plain=arguments.plain)
    verdict = _run(arguments, display)
    if arguments.json:
        print(json.dumps({**verdict.figures, "ok": verdict.ok, "failures": verdict.failures}))
    else:
        print("\n".join(summary_lines(verdict)), flush=True)
    return 0 if verdict.ok else 1
