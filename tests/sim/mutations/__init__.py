"""The changes that tests/sim/mutants.py makes: each takes one guard out of the engine."""

from tests.sim.mutations.bytes import BYTES
from tests.sim.mutations.filter import FILTER
from tests.sim.mutations.life import LIFE
from tests.sim.mutations.mutant import BORROW_FLAGS, LATE_FLAGS, Change, Mutant, one
from tests.sim.mutations.session import SESSION
from tests.sim.mutations.work import WORK

__all__ = ["BORROW_FLAGS", "LATE_FLAGS", "MUTANTS", "Change", "Mutant", "one"]

MUTANTS = (*LIFE, *SESSION, *BYTES, *FILTER, *WORK)
