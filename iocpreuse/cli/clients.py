"""The demo's clients, in a process of their own: `python -m iocpreuse.cli.clients`.

They print one JSON object a line: how far they are, and at the end what they have seen.
"""

import argparse
import asyncio
import errno
import json
import os
import random
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from iocpreuse.cli.messages import ECHO, LATE, QUIT, foreign_mark, make_message

PROGRESS_SECONDS: Final = 0.25
CONNECTION_SECONDS_MAX: Final = 60.0
ERRORS_KEPT: Final = 10

# struct linger is two shorts on Windows, two ints elsewhere.
LINGER_RESET: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)

# This side is out of ports for a moment: EADDRINUSE and WSAENOBUFS are how Windows says it.
NO_PORT: Final = {errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.ENOBUFS, 10048, 10049, 10055}


class WrongBytes(Exception):
    """The server sent something else than this client's own bytes."""


class Client:
    """One connection: what it sends, and what it must get back."""

    def __init__(self, sock: socket.socket, mark: int, counts: Counter[str]) -> None:
        """Over SOCK; MARK is unique among all connections; COUNTS is shared by all clients."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._mark = mark
        self._counts = counts
        self._sequence = 0
        self._expected = bytearray()
        self.random = random.Random(mark)

    async def send(self, kind: bytes, *, answered: bool = True) -> None:
        """One message; ANSWERED says that its echo is to be waited for, by receive()."""
        size = self.random.choice((0, 20, 200, 2000, 2000, 40_000))
        message = make_message(kind, self._mark, self._sequence, size)
        self._sequence += 1
        if answered:
            self._expected += message
            self._counts["messages"] += 1
        await self._loop.sock_sendall(self._sock, message)

    async def receive(self) -> None:
        """All that is expected, compared byte by byte."""
        while self._expected:
            await self._receive_some()

    async def receive_eof(self) -> None:
        """All that is expected, then the end, and not a byte between."""
        while await self._receive_some():
            pass

    async def _receive_some(self) -> bool:
        data = await self._loop.sock_recv(self._sock, 65536)
        if data != self._expected[: len(data)]:
            astray = foreign_mark(data, self._mark)
            self._counts["misdelivered_bytes" if astray else "wrong_bytes"] += len(data)
            raise WrongBytes(f"{len(data)} bytes that are not the answer")
        if not data and self._expected:
            raise EOFError(f"the server closed {len(self._expected)} bytes early")
        del self._expected[: len(data)]
        return bool(data)

    def half_close(self) -> None:
        """No more will be sent."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset_at_close(self) -> None:
        """Makes the close a reset."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)


# How clients behave. Each begins with an answered message, so the server knows of all of them.


async def talk(client: Client) -> None:
    """A few questions, then a plain close."""
    for _ in range(client.random.randint(1, 4)):
        await client.send(client.random.choice((ECHO, ECHO, ECHO, ECHO, LATE)))
        await client.receive()


async def lurk(client: Client) -> None:
    """Says nothing for a while: an answer meant for the slot's last client would show."""
    await asyncio.sleep(0.06)
    client.half_close()
    await client.receive_eof()


async def half_close(client: Client) -> None:
    """Several questions at once and the end of them; all answers must come."""
    for _ in range(client.random.randint(1, 4)):
        await client.send(ECHO)
    client.half_close()
    await client.receive_eof()


async def reset(client: Client) -> None:
    """Goes without a word."""
    client.reset_at_close()


async def vanish(client: Client) -> None:
    """Asks, and does not wait for the answer."""
    for _ in range(client.random.randint(1, 3)):
        await client.send(LATE, answered=False)
    if client.random.random() < 0.3:
        client.reset_at_close()


async def be_sent_away(client: Client) -> None:
    """Has the server close first."""
    await client.send(QUIT)
    await client.receive_eof()


BEHAVIOURS: Final[dict[Callable[[Client], Awaitable[None]], int]] = {
    talk: 30,
    half_close: 20,
    vanish: 20,
    lurk: 12,
    reset: 10,
    be_sent_away: 8,
}


class Crowd:
    """All clients: so many at a time, until so many connections are made."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """As the command line says."""
        self._arguments = arguments
        self._started = time.monotonic()
        self._next = 0
        self._errors: list[str] = []
        self.counts: Counter[str] = Counter()

    def figures(self) -> dict[str, Any]:
        """What has been done and seen so far."""
        return {**self.counts, "error_texts": self._errors}

    async def run(self) -> None:
        """Until the last client has left."""
        progress = asyncio.create_task(self._report())
        await asyncio.gather(*(self._come_and_go() for _ in range(self._arguments.clients)))
        progress.cancel()
        await asyncio.gather(progress, return_exceptions=True)

    async def _report(self) -> None:
        while True:
            print(json.dumps(self.figures()), flush=True)
            await asyncio.sleep(PROGRESS_SECONDS)

    def _next_number(self) -> int | None:
        arguments = self._arguments
        late = arguments.seconds and time.monotonic() - self._started > arguments.seconds
        if late or self._next >= arguments.connections:
            return None
        self._next += 1
        return self._next

    async def _come_and_go(self) -> None:
        while (number := self._next_number()) is not None:
            try:
                async with asyncio.timeout(CONNECTION_SECONDS_MAX):
                    await self._one_connection(number)
            except (OSError, EOFError, WrongBytes, TimeoutError) as exc:
                self.counts["errors"] += 1
                if len(self._errors) < ERRORS_KEPT:
                    self._errors.append(f"connection {number}: {type(exc).__name__}: {exc}")
            self.counts["done"] += 1

    async def _connect(self) -> socket.socket:
        address = (self._arguments.host, self._arguments.port)
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        while True:
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(sock, address)
            except OSError as exc:
                sock.close()
                if exc.errno not in NO_PORT:
                    raise
                self.counts["retries"] += 1
                await asyncio.sleep(0.1)
            except BaseException:
                sock.close()
                raise
            else:
                return sock

    async def _one_connection(self, number: int) -> None:
        with await self._connect() as sock:
            self.counts["connections"] += 1
            self.counts["open"] += 1
            try:
                client = Client(sock, self._arguments.seed << 40 | number, self.counts)
                await client.send(ECHO)
                await client.receive()
                chosen = client.random.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]
                await chosen(client)
                self.counts[chosen.__name__] += 1
            finally:
                self.counts["open"] -= 1


def main() -> int:
    """Runs the clients of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    crowd = Crowd(parser.parse_args())
    try:
        asyncio.run(crowd.run())
    except KeyboardInterrupt:
        return 130
    print(json.dumps({**crowd.figures(), "finished": True}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
