"""Metrics for Prometheus, through its own client library: ServerCollector.

It wants the extra `prometheus`:

    import prometheus_client
    from iocpreuse.metrics import ServerCollector

    prometheus_client.REGISTRY.register(ServerCollector(server))
    prometheus_client.start_http_server(9100)
"""

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
    """How a field of Stats becomes a metric. The library adds _total to a counter's name."""

    field: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    name: str
    text: str
    unit: str = ""
    label: str = ""  # of a field that is a mapping: what its keys are


_FIGURES: Final = (
    _Figure("connections_active", GaugeMetricFamily, "connections_active", "Clients connected."),
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
)

_LABELS: Final = ("server", "address")


def _by_key(stats: Stats, figure: _Figure) -> dict[str, float]:
    """The numbers of a field that is a mapping, by their label's value."""
    if figure.field == "closed_by_reason":
        # All of them, so that the first one of its kind is seen as an increase.
        return {reason.value: stats.closed_by_reason.get(reason, 0) for reason in CloseReason}
    return dict(getattr(stats, figure.field))


class ServerCollector(Collector):
    """The figures of one server, taken when Prometheus asks. Every field of `Stats` is in it.

    The metrics are called iocpreuse_..., and have the labels `server` and `address`, so that
    several servers may be in one registry. A server that has not been started has none.
    """

    def __init__(self, server: Server, name: str | None = None) -> None:
        """Of SERVER, as NAME; None is the name of its class."""
        self._server = server
        self._name = type(server).__name__ if name is None else name

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are the same for all servers of a registry."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics now. Any thread."""
        try:
            stats, address = self._server.stats(), self._server.address
            logged_in = len(self._server.logged_in)
        except ServerStateError:
            return
        host, port = address[:2]
        labels = (self._name, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        for figure in _FIGURES:
            names = (*_LABELS, figure.label) if figure.label else _LABELS
            name = f"iocpreuse_{figure.name}"
            metric = figure.kind(name, figure.text, labels=names, unit=figure.unit)
            if figure.label:
                for key, number in _by_key(stats, figure).items():
                    metric.add_metric((*labels, key), number)
            else:
                metric.add_metric(labels, getattr(stats, figure.field))
            yield metric
        text = "Clients that have logged in."
        metric = GaugeMetricFamily("iocpreuse_connections_logged_in", text, labels=_LABELS)
        metric.add_metric(labels, logged_in)
        yield metric
