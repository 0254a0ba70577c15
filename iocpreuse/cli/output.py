"""What the commands write to stdout, also when nobody reads it any more: Output."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import TextIO

logger = logging.getLogger("iocpreuse.cli")


class Output:
    """Stdout, until whoever reads it has gone: then nothing, and the server goes on.

    It is not for a reader of figures to end the service of the clients.
    """

    def __init__(self, stream: TextIO) -> None:
        """To STREAM."""
        self.stream = stream
        self.is_gone = False

    def write(self, line: str, end: str = "\n") -> None:
        """LINE, at once."""
        if not self.is_gone:
            with self.guarding():
                self.stream.write(line + end)
                self.stream.flush()

    @contextlib.contextmanager
    def guarding(self) -> Iterator[None]:
        """A block that writes to the stream; an error that the stream has is the end of it."""
        try:
            yield
        except OSError as exc:
            self._give_up(exc)

    def _give_up(self, exc: OSError) -> None:
        self.is_gone = True
        logger.info("no more figures, the server goes on: stdout failed (%s)", exc)
        # What is left in the stream's buffer would fail once more at exit.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def output(*, exclusive: bool) -> Iterator[Output]:
    """Stdout for the block. EXCLUSIVE: what the application prints meanwhile goes to stderr."""
    with contextlib.ExitStack() as stack:
        out = Output(sys.stdout)
        if exclusive:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield out
