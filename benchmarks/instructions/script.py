"""What the server does while its instructions are counted: python script.py SCENARIO TIMES.

The clients are another process, and take turns with the server: so nothing but the server's
work counts, and it is the same work each time."""

import subprocess
import sys
from pathlib import Path

from iocpreuse import Framing, Server, Session

HOST = "127.0.0.1"
CLIENTS = Path(__file__).with_name("clients.py")
FRAMING = Framing.length_prefix(4)


class EchoServer(Server):
    """Sends back what comes."""

    def on_data(self, session: Session, data: bytes) -> None:
        """As TCP cut it."""
        session.send(data)


class FramedServer(Server):
    """Sends back each message."""

    def on_data(self, session: Session, data: bytes) -> None:
        """A whole one."""
        session.send_message(data)


class ChatServer(Server):
    """Sends what comes to everybody."""

    def on_data(self, session: Session, data: bytes) -> None:
        """Also to the one who said it."""
        self.broadcast(data)


SERVERS: dict[str, type[Server]] = {
    "echo": EchoServer,
    "crowd": EchoServer,
    "churn": EchoServer,
    "framed": FramedServer,
    "chat": ChatServer,
}


def main() -> int:
    """Serves until the clients have finished."""
    scenario, times = sys.argv[1:]
    framing = FRAMING if scenario == "framed" else None
    server = SERVERS[scenario](HOST, 0, workers=1, framing=framing).start()
    command = [sys.executable, "-I", str(CLIENTS), scenario, str(server.address[1]), times]
    code = subprocess.run(command, check=False).returncode
    server.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
