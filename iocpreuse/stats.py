"""The server's figures: Stats."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from iocpreuse.reason import CloseReason, name_reasons

Key = TypeVar("Key")


class Counts(dict[Key, int]):
    """How often what has occurred: a dict that cannot be changed, and so has a hash."""

    __slots__ = ()

    def _refuse(self, *arguments: object, **options: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} of a snapshot cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        """By what it counts."""
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type["Counts[Key]"], tuple[dict[Key, int]]]:
        """From a plain dict: it cannot be filled item by item."""
        return type(self), (dict(self),)


@dataclass(frozen=True, slots=True)
class Stats:
    """One consistent snapshot of a server's counters, from `Server.stats`.

    The counters run from `Server.start` and never go back; the others are how it is now:
    connections_active, accepts_pending, sockets_cooling, sockets_spare, send_queue_bytes. The sum
    of closed_by_reason is connections_total - connections_active.

    The two times are those of all workers together, so that with several they may grow by more
    than a second a second. callback_seconds grows while a callback runs, also while it blocks or
    has given the GIL to another thread. A wait for the GIL is counted when it ends. What a worker
    does without callbacks (its sleep, receiving, sending) is in neither.
    """

    connections_active: int  # sessions between on_connect and on_disconnect, and in a handshake
    connections_total: int  # clients so far; beyond max_connections there is none
    accepts_pending: int  # accepts posted that no client has taken yet
    accept_errors: int  # accepts that failed and were posted again
    accept_pool_grown: int  # accepts that its size was raised by, in all
    accept_pool_shrunk: int  # and lowered by
    sockets_created: int  # sockets made for clients
    sockets_recycled: int  # disconnected for reuse and accepted on again
    sockets_replaced: int  # closed, because they could not or need not be reused
    sockets_cooling: int  # waiting out a slow disconnect
    sockets_spare: int  # disconnected, kept for reuse, and not posted at present
    replaced_by_cause: Mapping[str, int]  # sockets_replaced, by why; no zeros
    closed_by_reason: Mapping[CloseReason, int]  # sessions that have ended, by why; no zeros
    bytes_received: int
    bytes_sent: int
    send_queue_bytes: int  # queued and not yet taken by the stack, all sessions
    completions: int  # events taken from the port
    batches: int  # calls that took them: completions / batches = the mean batch
    callback_errors: int  # exceptions that went to on_error
    callback_seconds: float  # workers' time in callbacks, what these wait for included
    gil_wait_seconds: float  # workers' time between having callbacks to run and the GIL
    stale_sends_blocked: int  # sends to clients that had gone; not one byte left
    handshakes: int  # of TLS, that were done
    handshakes_failed: Mapping[CloseReason, int]  # those that were not, by why; no zeros

    @property
    def recycled_share(self) -> float:
        """Of the sessions that have ended, the part whose socket was kept for reuse; from 0 to 1.

        0.0 where none has ended. Sockets of clients that reset the connection, or were aborted,
        are never reused: replaced_by_cause tells of each that was not, and why.
        """
        ended = self.connections_total - self.connections_active
        return self.sockets_recycled / ended if ended else 0.0


def make_stats(figures: dict[str, Any]) -> Stats:
    """The Stats for the engine's figures; the mappings in it are made read-only."""
    figures["replaced_by_cause"] = Counts(figures["replaced_by_cause"])
    for name in ("closed_by_reason", "handshakes_failed"):
        figures[name] = Counts(name_reasons(figures[name]))
    return Stats(**figures)
