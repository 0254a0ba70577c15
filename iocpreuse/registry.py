"""Live read-only views of the clients: SessionsView, NamelessView."""

from collections.abc import Hashable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from iocpreuse._engine import Session

Key = TypeVar("Key", bound=Hashable)  # a SessionId or a NetId


class Registry(Protocol[Key]):
    """What a view shows: the engine's dict of all sessions, or `Logins`."""

    def get(self, key: Key, /) -> "Session | None":
        """The session, or None."""

    def __getitem__(self, key: Key, /) -> "Session":
        """The session, or KeyError."""

    def __contains__(self, key: object, /) -> bool:
        """Whether it is there."""

    def __len__(self) -> int:
        """How many there are."""

    def copy(self) -> dict[Key, "Session"]:
        """All of them, at one moment."""


class SessionsView(Mapping[Key, "Session"]):
    """Sessions that are open now, by id or by net_id: `Server.sessions` and its parts.

    It is live: a look-up or len() tells how it is at that moment. Iterating, keys(), values()
    and items() go over a copy made when they are called, so workers may change the set
    meanwhile; a session in that copy may have ended by the time it is reached. Any thread.
    """

    __slots__ = ("_sessions",)

    def __init__(self, sessions: Registry[Key]) -> None:
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

    def _now(self) -> dict[Key, "Session"]:
        # One step for other threads, with and without the GIL.
        return self._sessions.copy()

    def __iter__(self) -> Iterator[Key]:
        """The keys at this moment."""
        return iter(self._now())

    def keys(self) -> KeysView[Key]:
        """The keys at this moment."""
        return self._now().keys()

    def values(self) -> ValuesView["Session"]:
        """The sessions that are open at this moment."""
        return self._now().values()

    def items(self) -> ItemsView[Key, "Session"]:
        """Both."""
        return self._now().items()

    def __repr__(self) -> str:
        """Its size; the sessions themselves may be many."""
        return f"<{type(self).__name__} of {len(self)} sessions>"


class NamelessView(SessionsView[Key]):
    """Those of them that have no net_id: `Server.connected_only`.

    It is found out when it is asked: len() and the copies look at each session.
    """

    __slots__ = ()

    def _now(self) -> dict[Key, "Session"]:
        every = self._sessions.copy()
        return {key: session for key, session in every.items() if session.net_id is None}

    def __getitem__(self, key: Key) -> "Session":
        """The session, or KeyError when it has ended or has a name."""
        session = self._sessions[key]
        if session.net_id is not None:
            raise KeyError(key)
        return session

    def __len__(self) -> int:
        """How many are open and nameless."""
        return len(self._now())

    def __contains__(self, key: object) -> bool:
        """Whether the session is open and nameless."""
        session = self._sessions.get(cast("Key", key))
        return session is not None and session.net_id is None
