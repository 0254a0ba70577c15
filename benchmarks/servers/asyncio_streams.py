"""asyncio with streams: a coroutine for each client."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

from benchmarks.servers import task

RECEIVE_MAX = 64 * 1024
members: set[StreamWriter] = set()


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    """Sends back what comes."""
    while data := await reader.read(RECEIVE_MAX):
        writer.write(data)
        await writer.drain()


async def framed(reader: StreamReader, writer: StreamWriter) -> None:
    """Answers each message behind a length."""
    while True:
        size = int.from_bytes(await reader.readexactly(task.PREFIX_BYTES), "big")
        writer.write(task.pack_frame(await reader.readexactly(size)))
        await writer.drain()


async def chat(reader: StreamReader, writer: StreamWriter) -> None:
    """Sends what comes to everybody."""
    members.add(writer)
    writer.write(task.GREETING)
    try:
        while data := await reader.read(RECEIVE_MAX):
            for member in members:
                member.write(data)
            await writer.drain()
    finally:
        members.discard(writer)


async def blocking(reader: StreamReader, writer: StreamWriter) -> None:
    """Has threads wait, as asyncio's documentation says for code that blocks."""
    while data := await reader.read(RECEIVE_MAX):
        await asyncio.to_thread(task.block)
        writer.write(data)
        await writer.drain()


Handler = Callable[[StreamReader, StreamWriter], Awaitable[None]]
HANDLERS: dict[str, Handler] = {
    "echo": echo,
    "framed": framed,
    "chat": chat,
    "broadcast": chat,
    "blocking": blocking,
}


def closing(handler: Handler) -> Handler:
    """HANDLER, and the end of the connection after it."""

    async def handle(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return handle


async def serve(handler: Handler) -> None:
    """Serves until it is killed."""
    server = await asyncio.start_server(closing(handler), task.HOST, 0, backlog=task.BACKLOG)
    task.announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def main() -> None:
    """Reads the task and serves."""
    arguments = task.read_task(__doc__, *HANDLERS)
    handler = HANDLERS[arguments.role]
    task.run(lambda: asyncio.run(serve(handler)), computing=arguments.computing)


main()
