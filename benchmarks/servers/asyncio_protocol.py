"""asyncio with a Protocol, on the event loop of asyncio itself, uvloop or winloop; also with
aiofastnet's transports on it."""

import asyncio
import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from benchmarks.servers import task


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    __slots__ = ("transport",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps what answers go to."""
        # uvloop's are no asyncio.Transport, but have its methods.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """As TCP cut it."""
        self.transport.write(data)


class Framed(Echo):
    """Answers each message behind a length; the answers to one segment go out together."""

    __slots__ = ("replies", "rest")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing has come yet."""
        super().connection_made(transport)
        self.rest = b""
        self.replies: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Cuts messages from whatever segments arrive."""
        messages, self.rest = task.cut_frames(self.rest + data if self.rest else data)
        for message in messages:
            self.message_received(message)
        if self.replies:
            self.transport.write(b"".join(self.replies))
            self.replies.clear()

    def message_received(self, message: bytes) -> None:
        """A whole message."""
        self.replies.append(task.pack_frame(message))


class Chat(Echo):
    """Sends what comes to everybody."""

    __slots__ = ()
    members: set["Chat"] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From now on it is one of those that get everything."""
        super().connection_made(transport)
        self.members.add(self)
        self.transport.write(task.GREETING)

    def data_received(self, data: bytes) -> None:
        """Also to the one who said it."""
        for member in self.members:
            member.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """It gets nothing any more."""
        self.members.discard(self)


class Blocking(Echo):
    """Has threads wait, as asyncio's documentation says for code that blocks."""

    __slots__ = ("loop",)
    pool = ThreadPoolExecutor(8)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the loop too."""
        super().connection_made(transport)
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """The answer goes out when the thread has finished."""
        done = self.loop.run_in_executor(self.pool, task.block)
        done.add_done_callback(lambda _: self.transport.write(data))


PROTOCOLS: dict[str, type[Echo]] = {
    "echo": Echo,
    "framed": Framed,
    "chat": Chat,
    "broadcast": Chat,
    "blocking": Blocking,
}


async def serve(protocol: type[Echo], versions: dict[str, str]) -> None:
    """Serves until it is killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, task.HOST, 0, backlog=task.BACKLOG)
    task.announce(server.sockets[0].getsockname()[1], **versions)
    await server.serve_forever()


def loop_factory(package: str) -> tuple[Callable[[], asyncio.AbstractEventLoop], dict[str, str]]:
    """What makes the package's event loop, and its version."""
    if package == "asyncio":
        return asyncio.new_event_loop, {}
    module = importlib.import_module(package)
    return module.new_event_loop, {package: module.__version__}


def main() -> None:
    """Reads the task and serves."""
    arguments = task.read_task(__doc__, *PROTOCOLS)
    factory, versions = loop_factory(arguments.loop)
    if arguments.transport:
        module = importlib.import_module(arguments.transport)
        factory = module.loop_factory(factory)
        versions[arguments.transport] = module.__version__

    def serve_here() -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(serve(PROTOCOLS[arguments.role], versions))

    task.run(serve_here, computing=arguments.computing)


main()
