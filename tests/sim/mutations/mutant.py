"""A mutant: one guard of the engine taken out."""

from dataclasses import dataclass

Change = tuple[str, str, str]  # a file below csrc/engine, the text there, what replaces it


@dataclass(frozen=True)
class Mutant:
    """One guard taken out."""

    name: str
    changes: tuple[Change, ...]
    flags: tuple[str, ...] = ()  # of the build in which it can be noticed


def one(name: str, file: str, old: str, new: str, flags: tuple[str, ...] = ()) -> Mutant:
    return Mutant(name, ((file, old, new),), flags)


# The build of tools/sim.py in which other threads start operations themselves.
LATE_FLAGS = ("-DIO_ACCEPT_MAKES_SOCK=0", "-DIO_THREAD_EXIT_CANCELS=0")

# And its receives borrow their buffers.
BORROW_FLAGS = (*LATE_FLAGS, "-DIO_RECV_BORROWS=1")
