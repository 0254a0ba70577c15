"""The extension: the engine's types as the facade sees them. Private; use `iocpreuse.Server`."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from ssl import SSLObject
from typing import Any, Final, Literal, Self, final

from typing_extensions import Buffer, CapsuleType, disjoint_base

from iocpreuse.framing import Framing
from iocpreuse.session import SessionId

__version__: Final[str]
backend: Final[Literal["iocp", "epoll"]]

@disjoint_base
class Packer:
    """How a stream is cut into messages. Made by iocpreuse.Framing only."""

    def __new__(
        cls,
        kind: int,
        length: int,
        prefix: int,
        little: bool,
        delimiter: bytes,
        max_length: int,
        offset: int,
        strip: int,
        adjust: int,
        /,
    ) -> Self: ...
    def pack(self, message: Buffer, /) -> bytes: ...

@final
class Session:
    """One client, from its accept to on_disconnect. Made by the engine only."""

    state: Any
    priority: int
    framing: Framing | None
    @property
    def net_id(self) -> Hashable | None: ...
    @property
    def logged_in_at(self) -> float | None: ...
    @property
    def ssl_object(self) -> SSLObject | None: ...
    @property
    def rtt(self) -> float | None: ...
    @property
    def id(self) -> SessionId: ...
    @property
    def peername(self) -> tuple[Any, ...]: ...
    @property
    def sockname(self) -> tuple[Any, ...]: ...
    @property
    def connected_at(self) -> float: ...
    @property
    def bytes_received(self) -> int: ...
    @property
    def bytes_sent(self) -> int: ...
    @property
    def messages_received(self) -> int: ...
    @property
    def messages_sent(self) -> int: ...
    def send(self, *data: Buffer) -> bool: ...
    def send_message(self, message: Buffer, /) -> bool: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def write_eof(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def is_closing(self) -> bool: ...
    def login(
        self, net_id: Hashable, *, conflict: Literal["reject", "replace"] = "reject"
    ) -> None: ...
    def begin(self, tag: Hashable = None, request: bytes | None = None) -> Pending: ...
    def get_extra_info(self, name: str, default: Any = None) -> Any: ...

@final
class Pending:
    """A request the application is still working on when its client may already be gone."""

    tag: Hashable
    request: bytes | None
    @property
    def session_id(self) -> SessionId: ...
    @property
    def aborted(self) -> bool: ...
    def reply(self, data: Buffer, /) -> bool: ...
    def handoff(self, to: Session | Hashable, /) -> bool: ...

def tls_names() -> list[str]: ...
def tls_bind(addresses: Sequence[int], /) -> None: ...
def tls_wrap(ssl_object: SSLObject, /) -> CapsuleType: ...
def tls_step(wire: CapsuleType, kind: str, data: bytes, /) -> tuple[int, bytes, bytes]: ...

@final
class Engine:
    """One completion port with its listener, slots and accept pool.

    It binds and listens when it is made; `start` probes recycling; `work` and `manage` are the
    bodies of the worker threads and of the manager thread, which calls `open_pool` first: that
    posts the first accepts.
    """

    def __new__(
        cls,
        *,
        address: tuple[int, bytes, int, int, int] | None,
        handle: int | None,
        backlog: int,
        dual_stack: bool,
        concurrency: int,
        attach_budget: float,
        busy_poll: float,
        accept_pool: int,
        accept_pool_max: int,
        recycle: bool,
        spare_sockets: int,
        quiet_time: float,
        cooling_max: int,
        max_connections: int,
        nodelay: bool,
        keepalive: tuple[int, int, int] | None,
        read_size: int,
        write_high: int,
        write_low: int,
        write_limit: int,
        sessions: dict[SessionId, Session],
        on_connect: Callable[[Session], object] | None,
        on_data: Callable[[Session, bytes], object] | None,
        on_drain: Callable[[Session], object] | None,
        on_eof: Callable[[Session], object] | None,
        on_disconnect: Callable[[Session, Any], object] | None,
        on_error: Callable[[Session | None, str, BaseException], object],
        make_disconnect: Callable[
            [Framing | None, int, int, int | None, int, int, int, int, Any], object
        ],
        make_tls: Callable[[], Any] | None,
        tls_is_native: bool,
        tls_failed: Callable[[tuple[Any, ...], int, Any, int], object] | None,
        handshake_timeout: float,
        max_handshakes: int,
        on_login: Callable[[Session], object] | None,
        lose: Callable[
            [Session, tuple[Pending, ...], Sequence[bytes], bool], Session | Hashable | None
        ],
        on_pool: Callable[[int], None],
        on_shortage: Callable[[str, int, int, float], None],
        plain_ends: tuple[object, ...],
        on_farewell: Callable[[Session | None, str, BaseException], object],
        wants_unsent: bool,
        max_connections_per_ip: int,
        first_byte_timeout: float,
        login_timeout: float,
        idle_timeout: float,
        message_timeout: float,
        ip_prefix_4: int,
        ip_prefix_6: int,
        send_buffer: int,
        linger: float,
        framing: Packer | None,
    ) -> Engine: ...
    @property
    def address(self) -> tuple[Any, ...]: ...
    @property
    def recycling(self) -> Literal["verified", "unsupported", "off"]: ...
    def start(self) -> None: ...
    def open_pool(self) -> None: ...
    def work(self) -> None: ...
    def manage(self) -> None: ...
    def forget(self) -> None: ...
    def disown(self) -> None: ...
    def stop(self, drain: float, /) -> None: ...
    def send(self, to: SessionId, /, *data: Buffer) -> bool: ...
    def send_message(self, to: SessionId, message: Buffer, /) -> bool: ...
    def broadcast(self, data: Buffer, to: Iterable[SessionId] | None, /) -> int: ...
    def pause(self, paused: bool, /) -> None: ...
    def is_worker(self) -> bool: ...
    def named(self, net_id: Hashable, /) -> Session | None: ...
    def count_named(self) -> int: ...
    def all_named(self) -> dict[Hashable, Session]: ...
    def stats(self) -> dict[str, Any]: ...
