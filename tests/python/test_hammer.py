"""A few seconds of the hammer: random calls from random threads on everything."""

import os
import random
from pathlib import Path

import pytest
from hammer_calls import CALLS, OFFERED
from peers import run_python

SECONDS = float(os.environ.get("IOCPREUSE_HAMMER_SECONDS", "4"))


def test_the_hammer():
    """In a process of its own, whose threads, descriptors and memory are counted."""
    seed = random.randrange(1 << 30)
    program = str(Path(__file__).with_name("hammer.py"))
    done = run_python(program, f"--seconds={SECONDS}", f"--seed={seed}", timeout=SECONDS + 100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hammer: 0 faults" in done.stdout


@pytest.mark.parametrize("kind", CALLS)
def test_the_hammer_knows_every_method(kind):
    methods = {name for name in OFFERED[kind] if callable(getattr(kind, name))}
    assert methods <= set(CALLS[kind])
