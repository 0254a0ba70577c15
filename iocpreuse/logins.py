"""Who is logged in under which name, as the engine knows it: Logins."""

from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iocpreuse._engine import Engine, Session


class Logins:
    """The sessions that have a name, by net_id. Any thread."""

    __slots__ = ("engine",)

    def __init__(self) -> None:
        """Nobody is here yet."""
        self.engine: Engine | None = None  # while there is one

    def get(self, net_id: Hashable, /) -> "Session | None":
        """The session with this name, or None."""
        engine = self.engine
        if engine is None:
            hash(net_id)  # TypeError where it cannot be a name
            return None
        return engine.named(net_id)

    def __getitem__(self, net_id: Hashable, /) -> "Session":
        """The session with this name, or KeyError."""
        session = self.get(net_id)
        if session is None:
            raise KeyError(net_id)
        return session

    def __contains__(self, net_id: object, /) -> bool:
        """Whether a session has this name."""
        return self.get(net_id) is not None

    def __len__(self) -> int:
        """How many have one."""
        engine = self.engine
        return 0 if engine is None else engine.count_named()

    def copy(self) -> dict[Hashable, "Session"]:
        """All of them at this moment, in the order of their logins."""
        engine = self.engine
        return {} if engine is None else engine.all_named()
