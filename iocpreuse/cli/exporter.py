"""`--prometheus`: the library's own HTTP server, with the metrics of a server."""

import contextlib
import importlib.util
import logging
from collections.abc import Iterator

from iocpreuse.cli.figures import format_address
from iocpreuse.server import Server

logger = logging.getLogger("iocpreuse.cli")


def parse_place(text: str) -> tuple[str, int]:
    """[HOST:]PORT as a pair; ValueError for anything else."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not port.isdecimal() or int(port) > 65535 or (":" in text and not host):
        right = "[HOST:]PORT, such as 9100 or 0.0.0.0:9100"
        raise ValueError(f"--prometheus must be {right}, not {text!r}")
    return host or "127.0.0.1", int(port)


@contextlib.contextmanager
def exporting(server: Server, place: str) -> Iterator[None]:
    """Answers Prometheus at PLACE during the block. SERVER need not have been started.

    What else the process has in the library's default registry is there as well: what the
    application counts itself, and the process's own figures.
    """
    host, port = parse_place(place)
    if importlib.util.find_spec("prometheus_client") is None:
        raise ValueError(
            "--prometheus needs the library prometheus_client: pip install 'iocpreuse[prometheus]'"
        )
    from prometheus_client import REGISTRY, start_http_server

    from iocpreuse.metrics import ServerCollector

    collector = ServerCollector(server)
    try:
        httpd, thread = start_http_server(port, host)
    except OSError as exc:
        text = f"cannot serve metrics on {host} port {port}: {exc.strerror or exc}"
        raise OSError(exc.errno, text) from None
    REGISTRY.register(collector)
    where = format_address(httpd.server_address)
    logger.info("metrics for Prometheus on http://%s/metrics", where)
    try:
        yield
    finally:
        REGISTRY.unregister(collector)
        httpd.shutdown()
        httpd.server_close()
        thread.join()
