"""The process of the demo's clients, as the demo sees it: ClientProcess."""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

# The clients report four times a second; silent for so long, they hang.
SILENCE_SECONDS_MAX: Final = 90.0


def _environment() -> dict[str, str]:
    """That of a child that finds the same package, whatever stands in the current folder."""
    found = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [found, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


class ClientProcess:
    """Starts the clients when entered, follows what they report, and ends them at exit."""

    def __init__(self, address: tuple[Any, ...], arguments: argparse.Namespace) -> None:
        """They connect to ADDRESS, as many as the ARGUMENTS of the demo say."""
        self._command = [
            *(sys.executable, "-P"),
            *("-m", "iocpreuse.cli.clients", str(address[0]), str(address[1])),
            *("--clients", str(arguments.clients)),
            *("--connections", str(arguments.connections)),
            *("--seconds", str(arguments.seconds)),
            *("--seed", str(arguments.seed)),
        ]
        self.figures: dict[str, Any] = {}
        self._heard = 0.0
        self._reader = threading.Thread(target=self._read, name="client-reports", daemon=True)

    def __enter__(self) -> Self:
        """They start to connect."""
        self._process = subprocess.Popen(
            self._command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._heard = time.monotonic()
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """They have ended, or are ended now."""
        if self._process.poll() is None and (exc is not None or not self.finished):
            self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def finished(self) -> bool:
        """Whether they came to their own end."""
        return bool(self.figures.get("finished"))

    def wait(self, seconds: float) -> bool:
        """Waits a while for the clients' end. Returns whether they are still at it."""
        self._reader.join(seconds)
        return self._reader.is_alive() and time.monotonic() - self._heard < SILENCE_SECONDS_MAX

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.figures = json.loads(line)
            self._heard = time.monotonic()
