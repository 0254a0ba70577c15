"""An echo that a client cannot fill up.

Start it, and talk to it from another terminal:

    python examples/echo.py 7007
    socat - TCP:127.0.0.1:7007
    nc 127.0.0.1 7007

A client that sends and does not read gets no more of the server's memory than `write_high` and
one receive: the server stops reading from it until it has taken its answers.
"""

import sys

import iocpreuse


class Echo(iocpreuse.Server):
    """Sends every client its own bytes."""

    def on_data(self, session: iocpreuse.Session, data: bytes) -> None:
        """Back they go; above write_high we read no more."""
        if not session.send(data):
            session.pause_reading()

    def on_drain(self, session: iocpreuse.Session) -> None:
        """The client has taken enough."""
        session.resume_reading()


if __name__ == "__main__":
    Echo("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 7007).serve_forever()
