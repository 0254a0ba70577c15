"""Twisted with a Protocol, on the reactor that is best on this system."""

import sys
from typing import Any

import twisted
from twisted.internet import protocol, threads
from twisted.protocols.basic import Int32StringReceiver

from benchmarks.servers import task


class Echo(protocol.Protocol):
    """Sends back what comes."""

    def connectionMade(self) -> None:
        """As all others do it."""
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """As TCP cut it."""
        self.transport.write(data)


class Framed(Int32StringReceiver):
    """Answers each message behind a length."""

    def connectionMade(self) -> None:
        """As all others do it."""
        self.transport.setTcpNoDelay(True)

    def stringReceived(self, message: bytes) -> None:
        """A whole message."""
        self.sendString(message)


class Chat(Echo):
    """Sends what comes to everybody."""

    members: set["Chat"] = set()

    def connectionMade(self) -> None:
        """From now on it is one of those that get everything."""
        super().connectionMade()
        self.members.add(self)
        self.transport.write(task.GREETING)

    def dataReceived(self, data: bytes) -> None:
        """Also to the one who said it."""
        for member in self.members:
            member.transport.write(data)

    def connectionLost(self, reason: Any = protocol.connectionDone) -> None:
        """It gets nothing any more."""
        self.members.discard(self)


class Blocking(Echo):
    """Has threads wait, as Twisted's documentation says for code that blocks."""

    def dataReceived(self, data: bytes) -> None:
        """The answer goes out when the thread has finished."""
        done = threads.deferToThread(task.block)
        done.addCallback(lambda _: self.transport.write(data))


PROTOCOLS: dict[str, type[protocol.Protocol]] = {
    "echo": Echo,
    "framed": Framed,
    "chat": Chat,
    "broadcast": Chat,
    "blocking": Blocking,
}


def install_reactor() -> Any:
    """The best of this system, which has to be chosen before anything imports the default one."""
    if sys.platform == "win32":
        from twisted.internet import iocpreactor as best
    else:
        from twisted.internet import epollreactor as best
    best.install()
    from twisted.internet import reactor

    return reactor


def main() -> None:
    """Serves until it is killed."""
    arguments = task.read_task(__doc__, *PROTOCOLS)
    loop = install_reactor()
    factory = protocol.Factory.forProtocol(PROTOCOLS[arguments.role])
    factory.noisy = False
    if arguments.role == "blocking":
        loop.suggestThreadPoolSize(8)
    port = loop.listenTCP(0, factory, backlog=task.BACKLOG, interface=task.HOST)
    task.announce(port.getHost().port, twisted=twisted.__version__)
    task.run(
        lambda: loop.run(installSignalHandlers=not arguments.computing),
        computing=arguments.computing,
    )


main()
