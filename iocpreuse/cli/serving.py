"""What `echo` and `run` share: serving until Ctrl-C, with a report."""

import argparse
import contextlib
import threading

from iocpreuse.cli.exporter import exporting
from iocpreuse.cli.figures import Snapshot
from iocpreuse.cli.output import Output
from iocpreuse.cli.report import Report, check_interval, make_report
from iocpreuse.server import Server
from iocpreuse.signals import serve_until_stopped


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """The command-line options that say what is reported, and how."""
    parser.add_argument("--plain", action="store_true", help="lines instead of a live table")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line, and nothing else, on stdout"
    )
    parser.add_argument(
        "--interval",
        type=float,
        metavar="SECONDS",
        help="between reports (default: 1; 10 for plain lines into a file or pipe)",
    )
    parser.add_argument(
        "--prometheus",
        metavar="[HOST:]PORT",
        help="serve metrics for Prometheus there (default host: 127.0.0.1)",
    )


class Reporter:
    """Has a report show a server's figures at intervals, from a thread, until the block ends."""

    def __init__(self, server: Server, report: Report, seconds: float) -> None:
        """Of SERVER, which is running, every SECONDS."""
        self._server = server
        self._report = report
        self._seconds = seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def __enter__(self) -> None:
        """Begins."""
        self._report.begin(self._server, Snapshot.take(self._server))
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        """Shows the last figures."""
        self._done.set()
        self._thread.join()
        self._report.end(Snapshot.take(self._server))

    def _run(self) -> None:
        while not self._done.wait(self._seconds):
            self._report.show(Snapshot.take(self._server))


def serve(server: Server, arguments: argparse.Namespace, output: Output) -> int:
    """Serves until Ctrl-C, or until the application stops it. Returns the exit status."""
    check_interval(arguments.interval)
    report = make_report(output, as_json=arguments.json, plain=arguments.plain)
    with contextlib.ExitStack() as stack:
        if arguments.prometheus is not None:
            stack.enter_context(exporting(server, arguments.prometheus))

        def start() -> None:
            server._start_if_new()
            stack.enter_context(Reporter(server, report, arguments.interval or report.seconds))

        # Not serve_forever: a Ctrl-C just after the first line must find the handlers in place.
        serve_until_stopped(start, server._stop_for_signal, server._stopped)
    return 0
