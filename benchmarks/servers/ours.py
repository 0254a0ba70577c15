"""iocpreuse: a subclass of Server with callbacks."""

from benchmarks.servers import task
from iocpreuse import Framing, Server, Session, __version__

FRAMING = Framing.length_prefix(task.PREFIX_BYTES)


class EchoServer(Server):
    """Sends back what comes."""

    def on_data(self, session: Session, data: bytes) -> None:
        """As TCP cut it."""
        session.send(data)


class FramedServer(Server):
    """Answers each message behind a length; the engine cuts them from what arrives."""

    def on_data(self, session: Session, data: bytes) -> None:
        """A whole message."""
        session.send_message(data)


class ChatServer(Server):
    """Sends what comes to everybody."""

    def on_connect(self, session: Session) -> None:
        """From now on it is one of those that get everything."""
        session.send(task.GREETING)

    def on_data(self, session: Session, data: bytes) -> None:
        """Also to the one who said it."""
        self.broadcast(data)


class SendingServer(ChatServer):
    """The same without the call that is made for it."""

    def on_data(self, session: Session, data: bytes) -> None:
        """One by one, as the peers do."""
        for member in self.sessions.values():
            member.send(data)


class BlockingServer(Server):
    """Waits in its callback."""

    def on_data(self, session: Session, data: bytes) -> None:
        """Other workers go on meanwhile."""
        task.block()
        session.send(data)


class WorkingServer(Server):
    """Computes in its callback."""

    turns = 1

    def on_data(self, session: Session, data: bytes) -> None:
        """With free threads, workers do this at the same time."""
        task.compute(self.turns)
        session.send(data)


SERVERS: dict[str, type[Server]] = {
    "echo": EchoServer,
    "framed": FramedServer,
    "chat": ChatServer,
    "broadcast": ChatServer,
    "blocking": BlockingServer,
    "work": WorkingServer,
}


def main() -> None:
    """Serves until it is killed."""
    arguments = task.read_task(__doc__, *SERVERS)
    if arguments.role == "work":
        WorkingServer.turns = task.turns_for(arguments.work_us)
    kind = SendingServer if arguments.sends else SERVERS[arguments.role]
    server = kind(
        task.HOST,
        0,
        recycle=arguments.recycle,
        workers=arguments.workers,
        framing=FRAMING if arguments.role == "framed" else None,
    ).start()
    task.announce(server.address[1], iocpreuse=__version__, recycling=server.recycling)
    task.run(server.serve_forever, computing=arguments.computing)


main()
