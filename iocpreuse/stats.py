"""The server's figures: Stats."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Stats:
    """One consistent snapshot of a server's counters, from `Server.stats`.

    The counters run from `Server.start` and never go back; the others are how it is now:
    connections_active, accepts_pending, sockets_cooling, send_queue_bytes.
    """

    connections_active: int  # sessions between on_connect and on_disconnect
    connections_total: int  # sessions so far; beyond max_connections there is none
    accepts_pending: int  # accepts posted that no client has taken yet
    accept_errors: int  # accepts that failed and were posted again
    accept_pool_grown: int  # accepts that its size was raised by, in all
    accept_pool_shrunk: int  # and lowered by
    sockets_created: int  # sockets made for clients
    sockets_recycled: int  # disconnected for reuse and accepted on again
    sockets_replaced: int  # closed, because they could not or need not be reused
    sockets_cooling: int  # waiting out a slow disconnect
    replaced_by_cause: Mapping[str, int]  # sockets_replaced, by why; no zeros
    bytes_received: int
    bytes_sent: int
    send_queue_bytes: int  # queued and not yet taken by the stack, all sessions
    completions: int  # events taken from the port
    batches: int  # calls that took them: completions / batches = the mean batch
    callback_errors: int  # exceptions that went to on_error
    stale_sends_blocked: int  # sends to clients that had gone; not one byte left


def make_stats(figures: dict[str, Any]) -> Stats:
    """The Stats for the engine's figures; the mapping in it is made read-only."""
    figures["replaced_by_cause"] = MappingProxyType(figures["replaced_by_cause"])
    return Stats(**figures)
