"""Whether the demo went right: Verdict."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from iocpreuse.cli.crowd import ClientProcess
from iocpreuse.cli.demo_server import DemoServer
from iocpreuse.cli.figures import format_bytes


@dataclass(frozen=True)
class Verdict:
    """The figures of a finished demo, and what is wrong with them."""

    figures: dict[str, Any]
    failures: list[str]

    @property
    def ok(self) -> bool:
        """Whether everything is right."""
        return not self.failures


def judge(
    server: DemoServer, clients: ClientProcess, arguments: argparse.Namespace, seconds: float
) -> Verdict:
    """The verdict on SERVER, which has stopped, and CLIENTS, who have left."""
    stats, seen = server.stats(), clients.figures
    figures: dict[str, Any] = {
        "connections_served": stats.connections_total,
        "connections_made": seen.get("connections", 0),
        "connections_wanted": arguments.connections,
        "sessions_opened": server.counts["opened"],
        "sessions_closed": server.counts["closed"],
        "sessions_active": stats.connections_active,
        "recycling": server.recycling,
        "sockets_created": stats.sockets_created,
        "sockets_recycled": stats.sockets_recycled,
        "recycled_share": round(stats.recycled_share, 4),
        "sockets_replaced": stats.sockets_replaced,
        "replaced_by_cause": dict(stats.replaced_by_cause),
        "reasons": dict(server.reasons),
        "messages": seen.get("messages", 0),
        "bytes_received": stats.bytes_received,
        "bytes_sent": stats.bytes_sent,
        "wrong_bytes": seen.get("wrong_bytes", 0),
        "misdelivered_bytes": seen.get("misdelivered_bytes", 0),
        "late_answers": server.counts["late"],
        "too_late_answers": server.counts["too_late"],
        "stale_sends_blocked": stats.stale_sends_blocked,
        "client_errors": seen.get("errors", 0),
        "client_error_texts": seen.get("error_texts", []),
        "client_retries": seen.get("retries", 0),
        "callback_errors": stats.callback_errors,
        "finished": clients.finished,
        "cut_short": bool(arguments.seconds and seen.get("done", 0) < arguments.connections),
        "seconds": round(seconds, 3),
    }
    return Verdict(figures, list(_failures(figures)))


def _failures(figures: dict[str, Any]) -> Iterator[str]:
    if not figures["finished"]:
        yield "the clients did not come to their end"
    for name in ("wrong_bytes", "misdelivered_bytes", "client_errors", "callback_errors"):
        if figures[name]:
            yield f"{name.replace('_', ' ')}: {figures[name]}"
    if figures["sessions_active"]:
        yield f"{figures['sessions_active']} sessions are still open"
    made = figures["connections_made"]
    for name in ("connections_served", "sessions_opened", "sessions_closed"):
        if figures[name] != made:
            yield f"{name.replace('_', ' ')}: {figures[name]}, but clients made {made} connections"
    if made != figures["connections_wanted"] and not figures["cut_short"]:
        yield f"{made} connections instead of {figures['connections_wanted']}"
    if figures["recycling"] == "verified" and not figures["sockets_recycled"]:
        yield "recycling is verified, but no socket was recycled"
    wasted = figures["replaced_by_cause"].get("surplus", 0)
    if wasted:
        yield f"{wasted} good sockets were closed while others were made"


def summary_lines(verdict: Verdict) -> Iterator[str]:
    """The summary that ends the demo."""
    figures = verdict.figures
    causes = figures["replaced_by_cause"]
    why = ", ".join(f"{cause} {count}" for cause, count in sorted(causes.items())) or "none"
    reasons = sorted(figures["reasons"].items())
    rate = figures["connections_served"] / max(figures["seconds"], 0.001)
    rows = {
        "connections served": f"{figures['connections_served']} ({rate:.0f} a second)",
        "ended by": ", ".join(f"{reason} {count}" for reason, count in reasons),
        "recycling": figures["recycling"],
        "sockets created": figures["sockets_created"],
        "sockets recycled": f"{figures['sockets_recycled']} "
        f"({100 * figures['recycled_share']:.1f} % of the clients left one that served again)",
        "sockets replaced": f"{figures['sockets_replaced']} ({why})",
        "messages": figures["messages"],
        "received, sent": f"{format_bytes(figures['bytes_received'])}, "
        f"{format_bytes(figures['bytes_sent'])}",
        "wrong bytes": figures["wrong_bytes"],
        "misdelivered bytes": figures["misdelivered_bytes"],
        "late answers": f"{figures['late_answers']} delivered, {figures['too_late_answers']} "
        "to clients that had gone",
        "stale sends blocked": figures["stale_sends_blocked"],
        "client errors": figures["client_errors"],
        "seconds": figures["seconds"],
    }
    yield ""
    for name, value in rows.items():
        yield f"{name:>20}  {value}"
    for text in figures["client_error_texts"]:
        yield f"  {text}"
    yield ""
    yield "all right" if verdict.ok else "WRONG: " + "; ".join(verdict.failures)
