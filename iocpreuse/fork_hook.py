"""Processes that fork: a child leaves to its parent what is the parent's."""

import os
import weakref
from typing import Protocol


class Inherited(Protocol):
    """Something of a process that its forked children must not go on with."""

    def _leave_to_parent(self) -> None:
        """In a child, in its only thread: other threads may have held any lock, for ever."""


_known: "weakref.WeakSet[Inherited]" = weakref.WeakSet()


def watch(inherited: Inherited) -> None:
    """Has INHERITED told in every child that is forked from now on, while it exists."""
    _known.add(inherited)


def forget(inherited: Inherited) -> None:
    """Undoes `watch`."""
    _known.discard(inherited)


def _leave_all() -> None:
    for inherited in list(_known):
        inherited._leave_to_parent()
    _known.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_leave_all)
