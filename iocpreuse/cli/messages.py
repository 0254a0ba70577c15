"""The demo's messages: each carries its sender's mark, so that a byte gone astray is recognized."""

import random
import struct
from collections.abc import Iterator
from typing import Final

ECHO: Final = b"E"  # to be answered at once
LATE: Final = b"L"  # to be answered from another thread, a little later
QUIT: Final = b"Q"  # to be answered, and then the server closes

# Magic, kind, bytes of the whole message, mark of the connection, sequence number in it.
_HEADER: Final = struct.Struct("!4scIQI")
_MAGIC: Final = b"i\xc3\xb8R"
HEADER_SIZE: Final = _HEADER.size


def make_message(kind: bytes, mark: int, sequence: int, payload_size: int) -> bytes:
    """A message whose every byte follows from its arguments."""
    payload = random.Random(mark * 1000003 + sequence).randbytes(payload_size)
    return _HEADER.pack(_MAGIC, kind, HEADER_SIZE + payload_size, mark, sequence) + payload


def foreign_mark(data: bytes, mark: int) -> bool:
    """Whether DATA holds the header of a message that is not from the connection MARK."""
    at = data.find(_MAGIC)
    while 0 <= at <= len(data) - HEADER_SIZE:
        if _HEADER.unpack_from(data, at)[3] != mark:
            return True
        at = data.find(_MAGIC, at + 1)
    return False


class Splitter:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        """At the start of a stream."""
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The kind and the bytes of each message that DATA completes; ValueError for garbage."""
        self._rest += data
        while len(self._rest) >= HEADER_SIZE:
            magic, kind, size, _, _ = _HEADER.unpack_from(self._rest)
            if magic != _MAGIC or size < HEADER_SIZE:
                raise ValueError("not a message of the demo")
            if len(self._rest) < size:
                return
            message = bytes(self._rest[:size])
            del self._rest[:size]
            yield kind, message
