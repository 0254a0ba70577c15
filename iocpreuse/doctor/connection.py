"""A client over loopback and the socket that AcceptEx took it with: Connection."""

import contextlib
import os
import socket
import struct
from typing import Final

from iocpreuse.doctor import winsock
from iocpreuse.doctor.winsock import NO_ERROR, PENDING, Operation, Port

# What ends at all ends within milliseconds; so long it is waited for under a heavy load.
WAIT_SECONDS: Final = 5.0
# struct linger is two shorts on Windows, two ints elsewhere.
LINGER_RESET: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


def open_listener() -> socket.socket:
    """A listening socket on loopback."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener


def open_client(address: tuple[str, int]) -> socket.socket:
    """A client that is connected to ADDRESS."""
    return socket.create_connection(address, timeout=WAIT_SECONDS)


def reset(client: socket.socket) -> None:
    """Closes with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    client.close()


def read_to_the_end(client: socket.socket) -> tuple[int, str]:
    """How many bytes come, and then what: "a FIN", "a reset", or "nothing"."""
    # With a timeout Python waits in select(), where Wine loses a reset.
    count = 0
    try:
        while data := client.recv(1 << 16):
            count += len(data)
    except TimeoutError:
        return count, "nothing"
    except OSError:
        return count, "a reset"
    return count, "a FIN"


class Refused(Exception):
    """A call that the question needs did not do what it is for."""


class Connection:
    """The server's socket, the client, and the listener and port behind them."""

    def __init__(self, port: Port, listener: socket.socket | None = None) -> None:
        """A client is accepted; Refused where it cannot be. LISTENER is on PORT already."""
        self.port = port
        self.listener = listener or open_listener()
        if listener is None and (error := port.associate(self.listener)):
            raise Refused(f"CreateIoCompletionPort for the listener gives error {error}")
        self.server = socket.socket()
        if error := port.associate(self.server):
            raise Refused(f"CreateIoCompletionPort gives error {error}")
        self.accept()

    def accept(self, *, update: bool = True) -> None:
        """Takes a new client with the server's socket."""
        operation = Operation()
        error = winsock.accept(self.port, self.listener, self.server, operation)
        if error not in (NO_ERROR, PENDING):
            raise Refused(f"AcceptEx gives error {error}")
        self.client = open_client(self.listener.getsockname())
        self.finish(operation, "AcceptEx")
        if update:
            winsock.update_accept_context(self.server, self.listener)

    def finish(self, operation: Operation, name: str) -> None:
        """Waits for OPERATION, which has to succeed."""
        if not self.port.wait(operation, WAIT_SECONDS):
            raise Refused(f"{name} brought no completion in {WAIT_SECONDS:g} s")
        if operation.status != 0:
            raise Refused(f"{name} ended with status {operation.status:08X}")

    def disconnect(self) -> Operation:
        """DisconnectEx for reuse, waited for."""
        operation = Operation()
        error = winsock.disconnect(self.port, self.server, operation)
        if error not in (NO_ERROR, PENDING):
            raise Refused(f"DisconnectEx gives error {error}")
        self.finish(operation, "DisconnectEx")
        return operation

    def receive(self, size: int = 100) -> tuple[int, Operation]:
        """A receive on the server's socket: what the call returned, and its operation."""
        operation = Operation(size)
        return winsock.receive(self.port, self.server, operation), operation

    def close(self) -> None:
        """All but the port."""
        for sock in (self.client, self.server, self.listener):
            with contextlib.suppress(OSError):
                sock.close()
