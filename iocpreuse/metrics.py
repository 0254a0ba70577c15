"""Metrics for Prometheus, through its own client library: ServerCollector.

It wants the extra `prometheus`:

    import prometheus_client
    from iocpreuse.metrics import ServerCollector

    prometheus_client.REGISTRY.register(ServerCollector(server))
    prometheus_client.start_http_server(9100)
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from iocpreuse.errors import ServerStateError
from iocpreuse.reason import CloseReason
from iocpreuse.server import Server
from iocpreuse.stats import Stats

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as exc:
    raise ImportError(
        "iocpreuse.metrics needs the library prometheus_client: pip install 'iocpreuse[prometheus]'"
    ) from exc


class _Figure(NamedTuple):
    """How a field of Stats becomes a metric. The library adds unit and _total to the name."""

    field: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    name: str
    text: str
    unit: str = ""
    label: str = ""  # of a field that is a mapping: what its keys are


_FIGURES: Final = (
    _Figure("connections_active", GaugeMetricFamily, "connections_active", "Clients connected."),
    _Figure(
        "connections_logged_in",
        GaugeMetricFamily,
        "connections_logged_in",
        "Clients that have logged in.",
    ),
    _Figure("connections_total", CounterMetricFamily, "connections", "Clients accepted."),
    _Figure("accepts_pending", GaugeMetricFamily, "accepts_pending", "Accepts posted."),
    _Figure("accept_errors", CounterMetricFamily, "accept_errors", "Accepts that failed."),
    _Figure(
        "accept_pool_grown", CounterMetricFamily, "accept_pool_grown", "Accepts added to the pool."
    ),
    _Figure(
        "accept_pool_shrunk", CounterMetricFamily, "accept_pool_shrunk", "Accepts taken from it."
    ),
    _Figure("sockets_created", CounterMetricFamily, "sockets_created", "Sockets made."),
    _Figure(
        "sockets_recycled", CounterMetricFamily, "sockets_recycled", "Sockets reused for a client."
    ),
    _Figure(
        "replaced_by_cause",
        CounterMetricFamily,
        "sockets_replaced",
        "Sockets closed instead, by why.",
        label="cause",
    ),
    _Figure(
        "sockets_cooling", GaugeMetricFamily, "sockets_cooling", "Sockets in a slow disconnect."
    ),
    _Figure("sockets_spare", GaugeMetricFamily, "sockets_spare", "Sockets that wait to be reused."),
    _Figure(
        "recycled_share",
        GaugeMetricFamily,
        "recycled_share",
        "Of the clients that left, the part whose socket was kept for reuse.",
    ),
    _Figure(
        "closed_by_reason",
        CounterMetricFamily,
        "sessions_closed",
        "Sessions that ended, by why.",
        label="reason",
    ),
    _Figure("bytes_received", CounterMetricFamily, "received", "Bytes received.", unit="bytes"),
    _Figure("bytes_sent", CounterMetricFamily, "sent", "Bytes sent.", unit="bytes"),
    _Figure(
        "send_queue_bytes",
        GaugeMetricFamily,
        "send_queue",
        "Bytes queued that the stack has not taken.",
        unit="bytes",
    ),
    _Figure("completions", CounterMetricFamily, "completions", "Events taken from the port."),
    _Figure("batches", CounterMetricFamily, "batches", "Batches that they were taken in."),
    _Figure("callback_errors", CounterMetricFamily, "callback_errors", "Callbacks that raised."),
    _Figure(
        "callback_seconds",
        CounterMetricFamily,
        "callback",
        "Time of all workers in callbacks.",
        unit="seconds",
    ),
    _Figure(
        "gil_wait_seconds",
        CounterMetricFamily,
        "gil_wait",
        "Time of all workers waiting for the GIL.",
        unit="seconds",
    ),
    _Figure(
        "stale_sends_blocked",
        CounterMetricFamily,
        "stale_sends_blocked",
        "Sends to clients that had gone.",
    ),
    _Figure("handshakes", CounterMetricFamily, "handshakes", "TLS handshakes done."),
    _Figure(
        "handshakes_failed",
        CounterMetricFamily,
        "handshakes_failed",
        "TLS handshakes that failed, by why.",
        label="reason",
    ),
)

_LABELS: Final = ("server", "address")


class _Sight:
    """What one server has to show at a moment."""

    def __init__(self, name: str, server: Server) -> None:
        """Of SERVER, called NAME."""
        self._stats: Stats | None = None
        with contextlib.suppress(ServerStateError):  # not started, or another process's
            host, port = server.address[:2]
            self.labels = (name, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            self._logged_in = len(server.logged_in)
            self._stats = server.stats()

    def numbers(self, figure: _Figure) -> Iterator[tuple[tuple[str, ...], float]]:
        """The samples of FIGURE, each with the values of the labels that are its own."""
        if self._stats is None:
            return
        if figure.label == "reason":
            counts = getattr(self._stats, figure.field)
            # All of them, so that the first one of its kind is seen as an increase.
            for reason in CloseReason:
                yield (reason.value,), counts.get(reason, 0)
        elif figure.field == "replaced_by_cause":
            for cause, count in self._stats.replaced_by_cause.items():
                yield (cause,), count
        elif figure.field == "connections_logged_in":
            yield (), self._logged_in
        else:
            yield (), getattr(self._stats, figure.field)


class ServerCollector(Collector):
    """The figures of servers, taken when Prometheus asks. Every field of `Stats` is in it.

    Their names begin with `iocpreuse_`, and they have the labels `server` and `address`. All
    servers of a registry go into one collector: a second one there is a ValueError of the library.
    """

    def __init__(self, *servers: Server) -> None:
        """Of SERVERS, each under the name of its class; `add` takes more."""
        self._servers: list[tuple[str, Server]] = []
        for server in servers:
            self.add(server)

    def add(self, server: Server, name: str | None = None) -> None:
        """Of SERVER as well, as NAME; None is the name of its class. Any thread.

        A server that has not been started has no metrics yet; one that has stopped, its last.
        """
        self._servers.append((type(server).__name__ if name is None else name, server))

    def describe(self) -> Iterator[Metric]:
        """Which metrics there are, so that a registry refuses a second collector."""
        return self._metrics(())

    def collect(self) -> Iterator[Metric]:
        """The metrics now. Any thread."""
        return self._metrics([_Sight(*each) for each in tuple(self._servers)])

    def _metrics(self, sights: Iterable[_Sight]) -> Iterator[Metric]:
        for figure in _FIGURES:
            names = (*_LABELS, figure.label) if figure.label else _LABELS
            name = f"iocpreuse_{figure.name}"
            metric = figure.kind(name, figure.text, labels=names, unit=figure.unit)
            for sight in sights:
                for more, number in sight.numbers(figure):
                    metric.add_metric((*sight.labels, *more), number)
            yield metric
