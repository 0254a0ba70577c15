"""Requests that outlive their clients: Pending, and what a client leaves behind: Aborted."""

from collections.abc import Sequence
from dataclasses import dataclass

from iocpreuse._engine import Pending

__all__ = ["Aborted", "Pending"]


@dataclass(frozen=True, slots=True)
class Aborted:
    """What a client that has gone leaves behind, the argument of `Server.on_abort`.

    `pending` are the requests that nobody has answered. `unsent` are the whole messages (what
    one send() queued) that never began to go out. `partial`: there are others that the client
    may have in part.
    """

    pending: Sequence[Pending]
    unsent: Sequence[bytes]
    partial: bool
