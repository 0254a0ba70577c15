"""Two clients for rpc_server.py, which need the standard library only.

    python examples/rpc_client.py 7007

`Client` is for plain programs, on a socket; `AsyncClient` is for asyncio. Both may have many
calls under way. An error on the server's side is raised here as RpcError.
"""

import asyncio
import itertools
import json
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, Self

LENGTH = struct.Struct("!I")


class RpcError(Exception):
    """The server could not do it: (code, text)."""


def pack(number: int, method: str, params: Sequence[Any]) -> bytes:
    """A call as it goes out."""
    call = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    message = json.dumps(call).encode()
    return LENGTH.pack(len(message)) + message


def result_of(answer: dict[str, Any]) -> Any:
    """The result in an answer, or RpcError."""
    if "error" in answer:
        raise RpcError(answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


class Client:
    """A connection on a plain socket. One thread at a time."""

    def __init__(self, host: str, port: int, timeout: float = 30.0) -> None:
        """Connects. Every answer has TIMEOUT seconds to come: TimeoutError."""
        self._socket = socket.create_connection((host, port), timeout)
        self._file = self._socket.makefile("rb")
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        """For a with statement."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes the connection."""
        self._file.close()
        self._socket.close()

    def call(self, method: str, *params: Any) -> Any:
        """One call, and its result."""
        return result_of(self.answers([(method, *params)])[0])

    def answers(self, calls: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """Sends all CALLS, (method, *params) each, at once; their answers in the same order."""
        numbers = [next(self._numbers) for _ in calls]
        for number, (method, *params) in zip(numbers, calls, strict=True):
            self._socket.sendall(pack(number, method, params))
        found: dict[int, dict[str, Any]] = {}
        while len(found) < len(calls):
            answer = self.receive()
            found[answer["id"]] = answer
        return [found[number] for number in numbers]

    def receive(self) -> Any:
        """The next answer, whatever call it belongs to."""
        (size,) = LENGTH.unpack(self._read(LENGTH.size))
        return json.loads(self._read(size))

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise ConnectionError("the server has closed the connection")
        return data


class AsyncClient:
    """A connection for asyncio; any number of tasks may call at the same time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use `connect`."""
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._task = asyncio.create_task(self._receive())

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """A connection to the server."""
        return cls(*await asyncio.open_connection(host, port))

    async def call(self, method: str, *params: Any) -> Any:
        """One call, and its result."""
        if self._task.done():
            raise ConnectionError("the connection has ended")
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(pack(number, method, params))
        await self._writer.drain()
        return result_of(await self._waiting[number])

    async def close(self) -> None:
        """Ends the connection; calls under way raise ConnectionError."""
        self._writer.close()
        await asyncio.wait([self._task])

    async def _receive(self) -> None:
        try:
            while True:
                (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
                answer = json.loads(await self._reader.readexactly(size))
                future = self._waiting.pop(answer["id"], None)
                if future is not None and not future.done():
                    future.set_result(answer)
        except (OSError, EOFError):
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("the connection has ended"))


async def gather(port: int) -> list[Any]:
    """Ten calls that sleep, under way at the same time."""
    client = await AsyncClient.connect("127.0.0.1", port)
    try:
        return await asyncio.gather(*(client.call("sleep", 0.1) for _ in range(10)))
    finally:
        await client.close()


def main(port: int) -> None:
    """Makes some calls and prints what comes back."""
    with Client("127.0.0.1", port) as client:
        print("1 + 2 =", client.call("add", 1, 2))
        try:
            client.call("divide", 1, 0)
        except RpcError as exc:
            print("1 / 0:", exc.args[1])
        answers = client.answers([("add", number, number) for number in range(5)])
        print("five calls at once:", [result_of(answer) for answer in answers])
    print("ten sleepers:", len(asyncio.run(gather(port))))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 7007)
