"""The figures of a server as the command line shows them: Snapshot."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, Final, Self

from iocpreuse.server import Server
from iocpreuse.stats import Stats

# So many of the causes and reasons are shown, the most frequent first.
SHOWN_MAX: Final = 4


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


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _most_frequent(counts: Mapping[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{name} {count:,}" for name, count in ranked[:SHOWN_MAX]]
    rest = sum(count for _, count in ranked[SHOWN_MAX:])
    return ", ".join([*shown, f"others {rest:,}"] if rest else shown) or "none"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A server's statistics, and when they were taken."""

    stats: Stats
    logged_in: int
    at: float  # on the monotonic clock
    time: float  # since the epoch

    @classmethod
    def take(cls, server: Server) -> Self:
        """The figures of SERVER now; it has been started."""
        logged_in = len(server.logged_in)
        return cls(server.stats(), logged_in, time.monotonic(), time.time())

    def reasons(self) -> dict[str, int]:
        """Stats.closed_by_reason by the reasons' values."""
        return {reason.value: count for reason, count in self.stats.closed_by_reason.items()}

    def as_json(self) -> dict[str, Any]:
        """All of it, of types that JSON has."""
        stats = {
            field.name: getattr(self.stats, field.name) for field in dataclasses.fields(self.stats)
        }
        stats["replaced_by_cause"] = dict(self.stats.replaced_by_cause)
        stats["closed_by_reason"] = self.reasons()
        stats["recycled_share"] = round(self.stats.recycled_share, 4)
        return {**stats, "connections_logged_in": self.logged_in}

    def line(self) -> str:
        """The most important, in one line."""
        stats = self.stats
        return (
            f"{stats.connections_active} connected, {self.logged_in} of them logged in, "
            f"{stats.connections_total} served, pool {stats.accepts_pending}, "
            f"in {format_bytes(stats.bytes_received)}, out {format_bytes(stats.bytes_sent)}, "
            f"sockets: {stats.sockets_created} created, {stats.sockets_recycled} recycled "
            f"({_percent(stats.recycled_share)}), {stats.sockets_spare} spare, "
            f"{stats.sockets_cooling} cooling, {stats.sockets_replaced} replaced"
        )

    def rows(self, before: "Snapshot") -> dict[str, str]:
        """All of it, for people; rates and shares are those since BEFORE."""
        now, then = self.stats, before.stats
        seconds = max(self.at - before.at, 1e-9)

        def rate(field: str) -> float:
            return float(getattr(now, field) - getattr(then, field)) / seconds

        batches = now.batches - then.batches
        per_batch = (now.completions - then.completions) / batches if batches else 0.0
        received, sent = rate("bytes_received"), rate("bytes_sent")
        causes = _most_frequent(now.replaced_by_cause)
        return {
            "connected": f"{now.connections_active:,} ({self.logged_in:,} logged in)",
            "served": f"{now.connections_total:,} ({rate('connections_total'):,.1f}/s)",
            "accept pool": f"{now.accepts_pending:,} posted (grown {now.accept_pool_grown:,}, "
            f"shrunk {now.accept_pool_shrunk:,}, errors {now.accept_errors:,})",
            "received": f"{format_bytes(now.bytes_received)} ({format_bytes(received)}/s)",
            "sent": f"{format_bytes(now.bytes_sent)} ({format_bytes(sent)}/s)",
            "queued to be sent": format_bytes(now.send_queue_bytes),
            "sockets": f"{now.sockets_created:,} created, {now.sockets_recycled:,} recycled "
            f"({_percent(now.recycled_share)}), {now.sockets_spare:,} spare, "
            f"{now.sockets_cooling:,} cooling",
            "replaced": f"{now.sockets_replaced:,} ({causes})",
            "ended by": _most_frequent(self.reasons()),
            "completions": f"{rate('completions'):,.0f}/s, {per_batch:.1f} a batch",
            "in callbacks": f"{100 * rate('callback_seconds'):.1f} % of one thread",
            "waiting for the GIL": f"{100 * rate('gil_wait_seconds'):.1f} %",
            "callback errors": f"{now.callback_errors:,}",
            "stale sends blocked": f"{now.stale_sends_blocked:,}",
        }
