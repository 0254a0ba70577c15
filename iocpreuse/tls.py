"""TLS: how sessions get it, from an SSLContext: find_tls, make_hooks.

Native is an `ssl.SSLObject` that csrc/tls drives, without the GIL, with the OpenSSL that the
interpreter has loaded. Where that cannot be proven to work, a Tunnel does the same by the
object's own methods."""

import contextlib
import ctypes
import glob
import logging
import os
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, Literal

from iocpreuse._engine import tls_bind, tls_names, tls_step, tls_wrap
from iocpreuse.reason import CloseReason, TlsFault, describe_tls, make_error

logger = logging.getLogger("iocpreuse")

Tls = Literal["native", "fallback"]

# Chooses one of the two. Native where it is not proven is an error.
VARIABLE: Final = "IOCPREUSE_TLS"

# As csrc/engine/bytes/filter.h has them.
_GOES_ON, _OPENED, _END, _FAILED = range(4)


class Tunnel:
    """One session's TLS, by an SSLObject's own methods. Each step is one call."""

    __slots__ = ("_incoming", "_outgoing", "error", "ssl_object")

    def __init__(self, context: ssl.SSLContext) -> None:
        """For a client that has just come."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.error: BaseException | None = None
        self.ssl_object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def _answer(
        self, result: int, taken: int, plain: bytes = b"", more: bool = False
    ) -> tuple[int, int, bytes, bytes, bool]:
        return result, taken, plain, self._outgoing.read(), more

    def _fail(self, error: BaseException) -> int:
        self.error = error
        return _FAILED

    def open(self, data: bytes, room: int) -> tuple[int, int, bytes, bytes, bool]:
        """The handshake goes on."""
        self._incoming.write(data)
        result = _OPENED
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            result = _GOES_ON
        except (ssl.SSLError, ValueError) as exc:
            result = self._fail(exc)
        # What came behind the handshake stands in the MemoryBIO.
        return self._answer(result, len(data), more=self._incoming.pending > 0)

    def feed(self, data: bytes, room: int) -> tuple[int, int, bytes, bytes, bool]:
        """What has come becomes up to ROOM plain bytes."""
        self._incoming.write(data)
        parts: list[bytes] = []
        result = _GOES_ON
        more = False
        try:
            while room > 0:
                part = self.ssl_object.read(room)
                if not part:
                    result = _END
                    break
                parts.append(part)
                room -= len(part)
            more = room == 0 and (self._incoming.pending > 0 or self.ssl_object.pending() > 0)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            result = _END
        except (ssl.SSLError, ValueError) as exc:
            result = self._fail(exc)
        return self._answer(result, len(data), b"".join(parts), more)

    def seal(self, data: bytes, room: int) -> tuple[int, int, bytes, bytes, bool]:
        """DATA becomes a record."""
        result = _GOES_ON
        try:
            self.ssl_object.write(data)
        except (ssl.SSLError, ValueError) as exc:
            result = self._fail(exc)
        return self._answer(result, 0)

    def shut(self, data: bytes, room: int) -> tuple[int, int, bytes, bytes, bool]:
        """Our goodbye."""
        with contextlib.suppress(ssl.SSLError, ValueError):  # the client's is not waited for
            self.ssl_object.unwrap()
        return self._answer(_GOES_ON, 0)


def _loaded() -> Iterator[ctypes.CDLL]:
    """The OpenSSL that the ssl module has loaded, as far as it can be found."""
    import _ssl  # an interpreter may have none

    path = getattr(_ssl, "__file__", None)
    if sys.platform != "win32":
        # What it needs is searched with it; built in, it is the program's own.
        yield ctypes.CDLL(path) if path else ctypes.CDLL(None)
        return
    folder = os.path.dirname(path or sys.executable)
    for pattern in ("libssl-*.dll", "libcrypto-*.dll"):
        for found in glob.glob(os.path.join(glob.escape(folder), pattern)):
            yield ctypes.CDLL(found)


def _addresses() -> tuple[int, ...]:
    libraries = list(_loaded())
    found = []
    for name in tls_names():
        functions = (getattr(library, name, None) for library in libraries)
        function = next((each for each in functions if each is not None), None)
        if function is None:
            raise RuntimeError(f"OpenSSL's {name} is not to be found in this process")
        found.append(ctypes.cast(function, ctypes.c_void_p).value or 0)
    return tuple(found)


def _make_anonymous(protocol: int) -> ssl.SSLContext:
    """A context that needs no certificate: for the probe, which never leaves this process."""
    context = ssl.SSLContext(protocol)
    if protocol == ssl.PROTOCOL_TLS_CLIENT:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return context


class _Probe:
    """A handshake in memory: our side native, and a client of the ssl module's."""

    def __init__(self) -> None:
        server = _make_anonymous(ssl.PROTOCOL_TLS_SERVER)
        self.ours = server.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
        self._wire = tls_wrap(self.ours)
        self._to_client, self._to_us = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = _make_anonymous(ssl.PROTOCOL_TLS_CLIENT)
        self.theirs = client.wrap_bio(self._to_client, self._to_us)

    def _step(self, kind: str, data: bytes) -> tuple[int, bytes]:
        result, plain, out = tls_step(self._wire, kind, data)
        self._to_client.write(out)
        return result, plain

    def shake_hands(self) -> None:
        """Until both are through."""
        result = _GOES_ON
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.theirs.do_handshake()
            if result != _OPENED:
                result, _ = self._step("open", self._to_us.read())
        self._require(result == _OPENED, "the handshake")

    def talk(self) -> None:
        """Both ways, and goodbye."""
        self.theirs.write(b"ping")
        self._require(self._step("feed", self._to_us.read()) == (_GOES_ON, b"ping"), "a message")
        self._step("seal", b"pong")
        self._require(self.theirs.read(16) == b"pong", "an answer")
        self._step("shut", b"")
        with contextlib.suppress(ssl.SSLZeroReturnError):
            self._require(self.theirs.read(16) == b"", "a goodbye")
        with contextlib.suppress(ssl.SSLError):
            self.theirs.unwrap()
        self._require(self._step("feed", self._to_us.read())[0] == _END, "the client's goodbye")

    def compare(self) -> None:
        """What the ssl module says of it."""
        self._require(self.ours.cipher() == self.theirs.cipher(), "its cipher")
        self._require(self.ours.version() == self.theirs.version() == "TLSv1.2", "its version")
        binding = self.ours.get_channel_binding("tls-unique")
        self._require(binding == self.theirs.get_channel_binding("tls-unique"), "its binding")

    @staticmethod
    def _require(good: bool, what: str) -> None:
        if not good:
            raise RuntimeError(f"in the probe, {what} is not as it should be")


@lru_cache(maxsize=1)
def why_not_native() -> str | None:
    """Proves once that csrc/tls can drive the ssl module's objects: None, or why it cannot."""
    try:
        tls_bind(_addresses())
        probe = _Probe()
        probe.shake_hands()
        probe.compare()
        probe.talk()
    except Exception as exc:  # whatever it is, there is the other way
        return f"{type(exc).__name__}: {exc}"
    return None


def find_tls() -> Tls:
    """Which of the two serves: native where it is proven, unless the environment says otherwise."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", "native", "fallback"):
        raise ValueError(f"{VARIABLE} must be native, fallback or nothing, not {wanted!r}")
    if wanted == "fallback":
        return "fallback"
    reason = why_not_native()
    if reason is not None and wanted == "native":
        raise RuntimeError(f"{VARIABLE} is native, and this interpreter cannot do that: {reason}")
    return "native" if reason is None else "fallback"


class _Failures:
    """Tells of handshakes that came to nothing: the application each, the log one a second."""

    def __init__(self, on_tls_error: Callable[[tuple[Any, ...], Exception], object]) -> None:
        """ON_TLS_ERROR is the application's."""
        self._on_tls_error = on_tls_error
        self._next = 0.0
        self._silent = 0

    def __call__(self, peername: tuple[Any, ...], reason: int, fault: TlsFault, error: int) -> None:
        """By a worker."""
        exc = _make_error(_REASONS[reason], fault, error)
        now = time.monotonic()
        if now >= self._next:
            more = f" ({self._silent} others since the last line)" if self._silent else ""
            logger.info("the TLS handshake with %s failed: %s%s", peername, exc, more)
            self._next, self._silent = now + 1.0, 0
        else:
            self._silent += 1
        self._on_tls_error(peername, exc)


_REASONS: Final = tuple(CloseReason)


def _make_error(reason: CloseReason, fault: TlsFault, error: int) -> Exception:
    """Why a handshake failed, as the ssl module would say it, or as an OSError."""
    if isinstance(fault, Exception):
        return fault
    if isinstance(fault, tuple):
        _, _, said, verify_code, verify = fault
        kind = ssl.SSLError if verify is None else ssl.SSLCertVerificationError
        name = (said or "unknown").upper().replace(" ", "_")
        made = kind(ssl.SSL_ERROR_SSL, f"[SSL: {name}] {describe_tls(fault)}")
        made.library, made.reason = "SSL", name
        if isinstance(made, ssl.SSLCertVerificationError):
            made.verify_code, made.verify_message = verify_code, verify or ""
        return made
    if error:
        return make_error(error)
    if reason is CloseReason.HANDSHAKE_TIMEOUT:
        return TimeoutError("the client did not shake hands in time")
    if reason is CloseReason.SHUTDOWN:
        return ConnectionAbortedError("the server stops")
    return ConnectionResetError("the client went away during the handshake")


def make_hooks(
    context: ssl.SSLContext,
    tls: Tls,
    on_tls_error: Callable[[tuple[Any, ...], Exception], object],
) -> dict[str, Any]:
    """What the engine calls for clients of CONTEXT."""

    def make_native() -> ssl.SSLObject:
        return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)

    native = tls == "native"
    return {
        "make_tls": make_native if native else lambda: Tunnel(context),
        "tls_is_native": native,
        "tls_failed": _Failures(on_tls_error),
    }
