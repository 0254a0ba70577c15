"""The names of a client: SessionId, the engine's, and NetId, the application's."""

from collections.abc import Hashable
from typing import NewType

SessionId = NewType("SessionId", int)
SessionId.__doc__ = "64 bits: the slot and its generation. Never repeats in a process."

NetId = Hashable
