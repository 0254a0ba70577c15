"""Live read-only views of the clients: SessionsView."""

from collections.abc import Hashable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from iocpreuse._engine import Session

Key = TypeVar("Key", bound=Hashable)  # a SessionId or a NetId


class SessionsView(Mapping[Key, "Session"]):
    """Sessions that are open now, by id or by net_id: `Server.sessions` and its parts.

    It is live: a look-up or len() tells how it is at that moment. Iterating, keys(), values()
    and items() go over a copy made when they are called, so workers may change the set
    meanwhile; a session in that copy may have ended by the time it is reached. Any thread.
    """

    __slots__ = ("_sessions",)

    def __init__(self, sessions: dict[Key, "Session"]) -> None:
        """A view of SESSIONS, which the engine fills and empties."""
        self._sessions = sessions

    def __getitem__(self, key: Key) -> "Session":
        """The session, or KeyError when it has ended."""
        return self._sessions[key]

    def __len__(self) -> int:
        """How many are open."""
        return len(self._sessions)

    def __contains__(self, key: object) -> bool:
        """Whether the session is open."""
        return key in self._sessions

    # dict.copy is one step for other threads, with and without the GIL.

    def __iter__(self) -> Iterator[Key]:
        """The keys at this moment."""
        return iter(self._sessions.copy())

    def keys(self) -> KeysView[Key]:
        """The keys at this moment."""
        return self._sessions.copy().keys()

    def values(self) -> ValuesView["Session"]:
        """The sessions that are open at this moment."""
        return self._sessions.copy().values()

    def items(self) -> ItemsView[Key, "Session"]:
        """Both."""
        return self._sessions.copy().items()

    def __repr__(self) -> str:
        """Its size; the sessions themselves may be many."""
        return f"<SessionsView of {len(self._sessions)} sessions>"
