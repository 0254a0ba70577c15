"""What the doctor needs of Winsock and kernel32, bound with ctypes: Port, Operation, Event, calls.

The only module of the doctor that knows Windows' libraries. It can be imported anywhere; its calls
are for Windows. A call returns its Windows error, 0 for success, as the questions want to see it.
"""

import ctypes
import functools
import socket
import struct
import time
import uuid
from ctypes import wintypes
from typing import Any, Final

AVAILABLE: Final = hasattr(ctypes, "WinDLL")

PENDING: Final = 997  # WSA_IO_PENDING: a completion will come
NO_ERROR: Final = 0
FD_READ: Final = 1
FD_ACCEPT: Final = 8
REUSE_SOCKET: Final = 2  # TF_REUSE_SOCKET

_SKIP_ON_SUCCESS: Final = 3  # and no signal of the handle: what servers use together
_UPDATE_ACCEPT_CONTEXT: Final = 0x700B
_GET_EXTENSION: Final = 0xC8000006  # SIO_GET_EXTENSION_FUNCTION_POINTER
_ACCEPTEX: Final = uuid.UUID("b5367df1-cbac-11cf-95ca-00805f48a192")
_DISCONNECTEX: Final = uuid.UUID("7fda2e11-8630-436f-a031-f536a6eec157")
_ADDRESS_SIZE: Final = 128 + 16  # a SOCKADDR_STORAGE, and what AcceptEx wants beside it
_INVALID_HANDLE: Final = ctypes.c_void_p(-1)
_WAIT_SIGNALLED: Final = 0


class _Overlapped(ctypes.Structure):
    _fields_ = [
        ("internal", ctypes.c_size_t),
        ("internal_high", ctypes.c_size_t),
        ("offset", wintypes.DWORD),
        ("offset_high", wintypes.DWORD),
        ("event", ctypes.c_void_p),
    ]


class _Buffer(ctypes.Structure):
    _fields_ = [("length", wintypes.ULONG), ("data", ctypes.c_void_p)]


class _NetworkEvents(ctypes.Structure):
    _fields_ = [("events", wintypes.LONG), ("errors", ctypes.c_int * 10)]


class ProtocolInfo(ctypes.Structure):
    """WSAPROTOCOL_INFOW."""

    _fields_ = [
        ("service_flags", wintypes.DWORD * 4),
        ("provider_flags", wintypes.DWORD),
        ("provider_id", ctypes.c_byte * 16),
        ("catalog_entry", wintypes.DWORD),
        ("chain_length", ctypes.c_int),
        ("chain", wintypes.DWORD * 7),
        ("version", ctypes.c_int),
        ("family", ctypes.c_int),
        ("address_length_max", ctypes.c_int),
        ("address_length_min", ctypes.c_int),
        ("type", ctypes.c_int),
        ("protocol", ctypes.c_int),
        ("protocol_offset", ctypes.c_int),
        ("byte_order", ctypes.c_int),
        ("security", ctypes.c_int),
        ("message_size", wintypes.DWORD),
        ("reserved", wintypes.DWORD),
        ("name", wintypes.WCHAR * 256),
    ]


@functools.cache
def _library(name: str) -> Any:
    return vars(ctypes)["WinDLL"](name, use_last_error=True)


@functools.cache
def _function(library: str, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(_library(library), name)
    function.restype = result
    function.argtypes = arguments
    return function


def _last_error() -> int:
    return int(vars(ctypes)["get_last_error"]())


def _error_of(good: bool) -> int:
    return NO_ERROR if good else _last_error()


def wine_version() -> str | None:
    """The version of the Wine that this is; None on Windows itself, and elsewhere."""
    try:
        return str(_function("ntdll", "wine_get_version", ctypes.c_char_p)().decode())
    except (AttributeError, KeyError):
        return None


def process_cycles() -> int | None:
    """Processor cycles of this process; None where Windows (or Wine) does not tell.

    Its CPU time in seconds goes in steps of 16 ms, too coarse for a round of churn."""
    if not AVAILABLE:
        return None
    handle = ctypes.c_void_p
    current = _function("kernel32", "GetCurrentProcess", handle)()
    call = _function("kernel32", "QueryProcessCycleTime", wintypes.BOOL, handle, handle)
    cycles = ctypes.c_uint64()
    return cycles.value if call(current, ctypes.byref(cycles)) and cycles.value else None


class Operation:
    """One overlapped call: its OVERLAPPED, its buffer, how it began and how it ended.

    The kernel writes to both until the completion has been taken: a Port keeps the operation."""

    def __init__(self, size: int = 2 * _ADDRESS_SIZE, data: bytes = b"") -> None:
        """With a buffer of SIZE bytes, or one that holds DATA."""
        self.overlapped = _Overlapped()
        self.buffer = ctypes.create_string_buffer(data, len(data) or size)
        self.begun_at = time.perf_counter()
        self.ended_at: float | None = None
        self.count = 0

    @property
    def status(self) -> int:
        """The NTSTATUS it ended with."""
        return int(self.overlapped.internal) & 0xFFFFFFFF

    @property
    def seconds(self) -> float:
        """From the call to its completion; for one that has ended."""
        assert self.ended_at is not None
        return self.ended_at - self.begun_at

    def whole_buffer(self) -> _Buffer:
        """The buffer, as Winsock wants to be told of it."""
        return _Buffer(len(self.buffer), ctypes.addressof(self.buffer))


# Kept to the end of the process: an operation that never ended is still the kernel's to write to.
_ports: list["Port"] = []


class Port:
    """A completion port, and the operations whose completions it brings."""

    def __init__(self) -> None:
        """A new one."""
        self._handle = self._create(_INVALID_HANDLE, None)
        if not self._handle:
            raise OSError(f"CreateIoCompletionPort failed with error {_last_error()}")
        self._running: dict[int, Operation] = {}
        _ports.append(self)

    @staticmethod
    def _create(handle: Any, port: int | None) -> int | None:
        handle_type = ctypes.c_void_p
        call = _function(
            *("kernel32", "CreateIoCompletionPort", handle_type),
            *(handle_type, handle_type, ctypes.c_size_t, wintypes.DWORD),
        )
        created: int | None = call(handle, port, 0, 0)
        return created

    def associate(self, sock: socket.socket) -> int:
        """From now on the completions of SOCK come here."""
        return _error_of(bool(self._create(sock.fileno(), self._handle)))

    def begin(self, operation: Operation) -> Operation:
        """OPERATION is about to be called with: it is kept until its completion is taken."""
        self._running[ctypes.addressof(operation.overlapped)] = operation
        operation.begun_at = time.perf_counter()
        return operation

    def take(self, seconds: float) -> Operation | None:
        """The next operation that has ended, waited for; None if none did."""
        call = _function(
            *("kernel32", "GetQueuedCompletionStatus", wintypes.BOOL, ctypes.c_void_p),
            *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, wintypes.DWORD),
        )
        count, key, which = wintypes.DWORD(), ctypes.c_size_t(), ctypes.c_void_p()
        wait_ms = max(0, round(seconds * 1000))
        call(self._handle, *map(ctypes.byref, (count, key, which)), wait_ms)
        now = time.perf_counter()
        if which.value is None:
            return None
        operation = self._running.pop(which.value)
        operation.count, operation.ended_at = count.value, now
        return operation

    def wait(self, operation: Operation, seconds: float) -> bool:
        """Waits for OPERATION; whether it has ended. Others that end meanwhile are marked so."""
        end = time.perf_counter() + seconds
        while operation.ended_at is None:
            left = end - time.perf_counter()
            if self.take(max(0.0, left)) is None and left <= 0:
                return False
        return True


@functools.cache
def _extension(identity: uuid.UUID, *arguments: Any) -> Any:
    """A function that Winsock gives out by its GUID, as the engine gets it."""
    call = _function(
        *("ws2_32", "WSAIoctl", ctypes.c_int, ctypes.c_size_t, wintypes.DWORD, ctypes.c_void_p),
        *(wintypes.DWORD, ctypes.c_void_p, wintypes.DWORD),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    )
    guid, found, size = ctypes.create_string_buffer(identity.bytes_le, 16), ctypes.c_void_p(), 16
    count = wintypes.DWORD()
    with socket.socket() as sock:
        told = (ctypes.byref(guid), size, ctypes.byref(found), ctypes.sizeof(found))
        if call(sock.fileno(), _GET_EXTENSION, *told, ctypes.byref(count), None, None) != 0:
            raise OSError(f"Winsock does not give out {identity}: error {_last_error()}")
    kind = vars(ctypes)["WINFUNCTYPE"](wintypes.BOOL, *arguments, use_last_error=True)
    return kind(found.value)


def accept(port: Port, listener: socket.socket, sock: socket.socket, operation: Operation) -> int:
    """AcceptEx without data."""
    call = _extension(
        *(_ACCEPTEX, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p),
        *(wintypes.DWORD, wintypes.DWORD, wintypes.DWORD, ctypes.c_void_p, ctypes.c_void_p),
    )
    port.begin(operation)
    count = wintypes.DWORD()
    sizes = (0, _ADDRESS_SIZE, _ADDRESS_SIZE)
    overlapped = ctypes.byref(operation.overlapped)
    handles = (listener.fileno(), sock.fileno())
    return _error_of(call(*handles, operation.buffer, *sizes, ctypes.byref(count), overlapped))


def disconnect(port: Port, sock: socket.socket, operation: Operation) -> int:
    """DisconnectEx for reuse, never without an OVERLAPPED: without one it may block for minutes."""
    call = _extension(
        _DISCONNECTEX, ctypes.c_size_t, ctypes.c_void_p, wintypes.DWORD, wintypes.DWORD
    )
    port.begin(operation)
    overlapped = ctypes.byref(operation.overlapped)
    return _error_of(call(sock.fileno(), overlapped, REUSE_SOCKET, 0))


def receive(port: Port, sock: socket.socket, operation: Operation) -> int:
    """WSARecv into the operation's buffer."""
    call = _function(
        *("ws2_32", "WSARecv", ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p, wintypes.DWORD),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    )
    port.begin(operation)
    whole, flags = operation.whole_buffer(), wintypes.DWORD()
    given = (ctypes.byref(whole), 1, None, ctypes.byref(flags))
    overlapped = ctypes.byref(operation.overlapped)
    return _error_of(call(sock.fileno(), *given, overlapped, None) == 0)


def _wsasend() -> Any:
    return _function(
        *("ws2_32", "WSASend", ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p, wintypes.DWORD),
        *(ctypes.c_void_p, wintypes.DWORD, ctypes.c_void_p, ctypes.c_void_p),
    )


def send(port: Port, sock: socket.socket, operation: Operation) -> int:
    """WSASend of the operation's buffer."""
    port.begin(operation)
    whole, overlapped = operation.whole_buffer(), ctypes.byref(operation.overlapped)
    given = (ctypes.byref(whole), 1, None, 0)
    return _error_of(_wsasend()(sock.fileno(), *given, overlapped, None) == 0)


def send_now(sock: socket.socket, data: bytes) -> tuple[int, int]:
    """WSASend without OVERLAPPED: the error, and how many bytes it took."""
    buffer, count = ctypes.create_string_buffer(data, len(data)), wintypes.DWORD()
    whole = _Buffer(len(data), ctypes.addressof(buffer))
    taken = (ctypes.byref(whole), 1, ctypes.byref(count), 0, None, None)
    error = _error_of(_wsasend()(sock.fileno(), *taken) == 0)
    return error, count.value


def cancel(sock: socket.socket, operation: Operation) -> int:
    """CancelIoEx of one operation. Error 1168: there was nothing to cancel."""
    call = _function("kernel32", "CancelIoEx", wintypes.BOOL, ctypes.c_void_p, ctypes.c_void_p)
    return _error_of(call(sock.fileno(), ctypes.byref(operation.overlapped)))


def skip_on_success(sock: socket.socket) -> int:
    """What succeeds at once brings no completion any more."""
    call = _function(
        *("kernel32", "SetFileCompletionNotificationModes", wintypes.BOOL),
        *(ctypes.c_void_p, wintypes.BYTE),
    )
    return _error_of(call(sock.fileno(), _SKIP_ON_SUCCESS))


def update_accept_context(sock: socket.socket, listener: socket.socket) -> None:
    """SO_UPDATE_ACCEPT_CONTEXT; OSError where it fails."""
    handle = struct.pack("P", listener.fileno())
    sock.setsockopt(socket.SOL_SOCKET, _UPDATE_ACCEPT_CONTEXT, handle)


class Event:
    """A WSAEVENT that network events set."""

    def __init__(self) -> None:
        """One that is not set."""
        self._handle = _function("ws2_32", "WSACreateEvent", ctypes.c_void_p)()

    def select(self, sock: socket.socket, events: int) -> int:
        """WSAEventSelect: it is set by EVENTS of SOCK, which does not block any more."""
        call = _function(
            *("ws2_32", "WSAEventSelect", ctypes.c_int),
            *(ctypes.c_size_t, ctypes.c_void_p, wintypes.LONG),
        )
        return _error_of(call(sock.fileno(), self._handle, events) == 0)

    def is_set(self, seconds: float) -> bool:
        """Whether it is, or becomes so."""
        call = _function(
            *("kernel32", "WaitForSingleObject", wintypes.DWORD),
            *(ctypes.c_void_p, wintypes.DWORD),
        )
        return bool(call(self._handle, round(seconds * 1000)) == _WAIT_SIGNALLED)

    def take(self, sock: socket.socket) -> int:
        """The events of SOCK since they were last taken; the event is reset."""
        call = _function(
            *("ws2_32", "WSAEnumNetworkEvents", ctypes.c_int),
            *(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p),
        )
        happened = _NetworkEvents()
        call(sock.fileno(), self._handle, ctypes.byref(happened))
        return int(happened.events)


def protocols() -> list[ProtocolInfo]:
    """All of Winsock's catalog."""
    call = _function(
        *("ws2_32", "WSAEnumProtocolsW", ctypes.c_int),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    )
    size = wintypes.DWORD(0)
    call(None, None, ctypes.byref(size))
    found = (ProtocolInfo * max(1, size.value // ctypes.sizeof(ProtocolInfo)))()
    size.value = ctypes.sizeof(found)
    count = call(None, found, ctypes.byref(size))
    if count < 0:
        raise OSError(f"WSAEnumProtocols failed with error {_last_error()}")
    return list(found)[:count]


def provider_of(sock: socket.socket) -> ProtocolInfo:
    """The catalog's entry that SOCK was made by (SO_PROTOCOL_INFOW)."""
    raw = sock.getsockopt(socket.SOL_SOCKET, 0x2005, ctypes.sizeof(ProtocolInfo))
    return ProtocolInfo.from_buffer_copy(raw.ljust(ctypes.sizeof(ProtocolInfo), b"\0"))
