"""The names of a client: SessionId, the engine's, and NetId, the application's."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from iocpreuse._engine import SessionId as SessionId
else:
    SessionId = NewType("SessionId", int)
    SessionId.__doc__ = "64 bits: the slot and its generation. Never repeats in a process."

NetId = Hashable
