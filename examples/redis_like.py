"""A small key-value server that speaks RESP, the protocol of Redis.

Start it, and try it with Redis' own programs, or by hand (a line of words is a command too):

    python examples/redis_like.py 6380
    redis-cli -p 6380 set greeting hello
    redis-benchmark -p 6380 -t ping,set,get,incr -n 100000 -P 16 -q
    printf 'PING\\r\\n' | nc -N 127.0.0.1 6380

It works on the bytes as they come: it cuts them into commands itself, and answers all commands
of one `on_data` with one `send`.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Unpack

import iocpreuse

BULK_MAX = 1 << 20  # bytes of one argument
ARGUMENTS_MAX = 1024
LINE_MAX = 64 * 1024
COMMAND_MAX = 2 * BULK_MAX  # bytes of one command, all in all


class ProtocolError(Exception):
    """What the client sent is not RESP: nothing after it can be understood."""


def take_line(buffer: bytearray, at: int) -> tuple[bytes, int] | None:
    """The line at AT without its end, and where the next one begins; None: not yet whole."""
    end = buffer.find(b"\n", at)
    if end < 0:
        if len(buffer) - at > LINE_MAX:
            raise ProtocolError("too big inline request")
        return None
    return bytes(buffer[at:end].removesuffix(b"\r")), end + 1


def take_number(line: bytes, mark: bytes, most: int) -> int:
    """The number in a line like *3 or $5."""
    digits = line.removeprefix(mark)
    if not line.startswith(mark) or not digits.isdigit() or int(digits) > most:
        raise ProtocolError(f"expected '{mark.decode()}' and a number up to {most}")
    return int(digits)


def take_command(buffer: bytearray, at: int) -> tuple[list[bytes], int] | None:
    """The command at AT, and where the next one begins; None: not yet whole."""
    if (found := take_line(buffer, at)) is None:
        return None
    line, at = found
    if not line.startswith(b"*"):
        return line.split(), at
    words = []
    for _ in range(take_number(line, b"*", ARGUMENTS_MAX)):
        if (found := take_line(buffer, at)) is None:
            return None
        size = take_number(found[0], b"$", BULK_MAX)
        at = found[1]
        if len(buffer) < at + size + 2:
            return None
        words.append(bytes(buffer[at : at + size]))
        at += size + 2
    return words, at


def take_commands(buffer: bytearray) -> Iterator[list[bytes]]:
    """Takes the commands that are whole out of BUFFER; ProtocolError for what is none."""
    at = 0
    try:
        while (found := take_command(buffer, at)) is not None:
            words, at = found
            if words:
                yield words
        if len(buffer) - at > COMMAND_MAX:
            raise ProtocolError("too big command")
    finally:
        del buffer[:at]


def bulk(value: bytes | None) -> bytes:
    """A string as RESP has it; None is the one that is not there."""
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


class RedisLike(iocpreuse.Server):
    """PING, ECHO, SET, GET, DEL, INCR, CONFIG GET, QUIT."""

    def __init__(
        self, host: str | None = None, port: int = 0, **options: Unpack[iocpreuse.Options]
    ) -> None:
        """Arguments as for iocpreuse.Server."""
        super().__init__(host, port, **options)
        self.values: dict[bytes, bytes] = {}
        self.lock = threading.Lock()  # for INCR: callbacks of two clients may run at once
        self.commands: dict[bytes, tuple[int, Callable[..., bytes]]] = {
            b"ECHO": (1, bulk),
            b"SET": (2, self.set),
            b"GET": (1, lambda key: bulk(self.values.get(key))),
            b"DEL": (1, lambda key: b":%d\r\n" % (self.values.pop(key, None) is not None)),
            b"INCR": (1, self.incr),
            b"CONFIG": (2, lambda _get, name: b"*2\r\n" + bulk(name) + bulk(b"")),
        }

    def on_connect(self, session: iocpreuse.Session) -> None:
        """What has come from the client and is not yet a whole command."""
        session.state = bytearray()

    def on_data(self, session: iocpreuse.Session, data: bytes) -> None:
        """Answers each whole command, in order."""
        session.state += data
        answers = []
        try:
            for words in take_commands(session.state):
                answers.append(self.answer(words))
                if words[0].upper() == b"QUIT":
                    break
            else:
                if answers:
                    session.send(*answers)
                return
        except ProtocolError as exc:
            answers.append(b"-ERR Protocol error: %s\r\n" % str(exc).encode())
        session.send(*answers)
        session.close()

    def answer(self, words: list[bytes]) -> bytes:
        """The answer to one command."""
        name, arguments = words[0].upper(), words[1:]
        if name == b"PING":
            return bulk(arguments[0]) if arguments else b"+PONG\r\n"
        if name == b"QUIT":
            return b"+OK\r\n"
        if name not in self.commands:
            return b"-ERR unknown command '%s'\r\n" % words[0][:40].translate(None, b"\r\n")
        count, command = self.commands[name]
        if len(arguments) != count:
            return b"-ERR wrong number of arguments for '%s'\r\n" % name
        return command(*arguments)

    def set(self, key: bytes, value: bytes) -> bytes:
        """SET key value."""
        self.values[key] = value
        return b"+OK\r\n"

    def incr(self, key: bytes) -> bytes:
        """INCR key: one more, from 0."""
        with self.lock:
            try:
                number = int(self.values.get(key, b"0")) + 1
            except ValueError:
                return b"-ERR value is not an integer\r\n"
            self.values[key] = b"%d" % number
        return b":%d\r\n" % number


if __name__ == "__main__":
    RedisLike("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 6380).serve_forever()
