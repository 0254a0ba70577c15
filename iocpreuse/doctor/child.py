"""Processes of the doctor's own: a step with a deadline, and a helper that a step talks to."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from iocpreuse.doctor.answer import FAILED, HUNG, Answer

# -P: the package that runs is the one that is asked about, whatever stands in the current folder.
STEP: Final = (sys.executable, "-P", "-m", "iocpreuse.doctor.step")
HELPER: Final = (sys.executable, "-P", "-m", "iocpreuse.doctor.helper")
LAST_WORDS_MAX: Final = 300
END_SECONDS: Final = 2.0


def _environment() -> dict[str, str]:
    """That of a child that finds the same package."""
    found = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [found, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def ask(name: str, seconds: float, deadline: float) -> Answer:
    """The step NAME, told to take SECONDS and killed after DEADLINE; a crash is an answer, too."""
    process = subprocess.Popen(
        [*STEP, name, str(seconds)],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        output, errors = process.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        return Answer(f"it hung, and was ended after {deadline:.1f} s", {}, HUNG)
    finally:
        if process.poll() is None:
            process.kill()
            # What it started itself may hold the pipes a little longer: that is not waited for.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=END_SECONDS)
    return _read(process.returncode, output, errors)


def _read(code: int, output: str, errors: str) -> Answer:
    with contextlib.suppress(ValueError, TypeError):
        told: dict[str, Any] = json.loads(output.strip().rpartition("\n")[2])
        return Answer(**told)
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    last = errors.strip().rpartition("\n")[2][-LAST_WORDS_MAX:]
    return Answer(f"it crashed ({how}){': ' if last else ''}{last}", {}, FAILED)


@contextlib.contextmanager
def start_helper(name: str, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """A helper for the block; it ends when its stdin does, and is ended after it."""
    process = subprocess.Popen(
        [*HELPER, name, *arguments],
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Not ours: whoever reads that to its end would wait for the helper's.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(OSError, ValueError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
