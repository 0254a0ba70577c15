"""Remote calls: JSON, as JSON-RPC 2.0 has it, in messages with their length in four bytes before.

Start it, and call it from another terminal:

    python examples/rpc_server.py 7007
    python examples/rpc_client.py 7007

Methods that take their time run in a pool of threads and answer when they are done, so a client
may have many calls under way; their answers come in the order in which they are ready. Every
call is answered, an error too: there are no notifications and no batches.
"""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Unpack

import iocpreuse

CALLS_MAX = 100  # slow ones under way, of one client
FRAMING = iocpreuse.Framing.length_prefix(4, "big", max_length=1 << 20)


def add(*numbers: float) -> float:
    """The sum."""
    return sum(numbers)


def divide(one: float, other: float) -> float:
    """The quotient."""
    return one / other


def sleep(seconds: float) -> str:
    """Sleeps; at most ten seconds."""
    time.sleep(min(max(float(seconds), 0.0), 10.0))
    return f"slept {seconds} s"


QUICK: dict[str, Callable[..., Any]] = {"add": add, "divide": divide}
SLOW: dict[str, Callable[..., Any]] = {"sleep": sleep}


class RpcError(Exception):
    """An error that the caller is told."""

    def __init__(self, code: int, text: str) -> None:
        """CODE is one of JSON-RPC's."""
        super().__init__(text)
        self.code = code


def parse(message: bytes) -> tuple[Any, str, list[Any]]:
    """The id, the method and the parameters of a call; RpcError."""
    try:
        call = json.loads(message)
    except ValueError as exc:
        raise RpcError(-32700, f"that is not JSON: {exc}") from None
    if not isinstance(call, dict):
        raise RpcError(-32600, "a call is an object")
    method, params = call.get("method"), call.get("params", [])
    if not isinstance(method, str) or not isinstance(params, list):
        raise RpcError(-32600, "a call has a method (string) and params (array)")
    return call.get("id"), method, params


def pack(answer: dict[str, Any], number: Any) -> bytes:
    """An answer as it goes out."""
    return FRAMING.pack(json.dumps({"jsonrpc": "2.0", "id": number, **answer}).encode())


def failed(exc: Exception, number: Any) -> bytes:
    """The answer that says what went wrong: errors travel, and end nothing."""
    code = exc.code if isinstance(exc, RpcError) else -32000
    text = str(exc) if isinstance(exc, RpcError) else f"{type(exc).__name__}: {exc}"
    return pack({"error": {"code": code, "message": text}}, number)


def perform(function: Callable[..., Any], params: list[Any], number: Any) -> bytes:
    """The answer to a call."""
    try:
        return pack({"result": function(*params)}, number)
    except Exception as exc:
        return failed(exc, number)


class RpcServer(iocpreuse.Server):
    """Serves QUICK and SLOW."""

    def __init__(
        self, host: str | None = None, port: int = 0, **options: Unpack[iocpreuse.Options]
    ) -> None:
        """Arguments as for iocpreuse.Server."""
        options.setdefault("framing", FRAMING)
        super().__init__(host, port, **options)
        self.pool = ThreadPoolExecutor(8, thread_name_prefix="rpc")

    def on_connect(self, session: iocpreuse.Session) -> None:
        """How many slow calls the client may have under way."""
        session.state = threading.BoundedSemaphore(CALLS_MAX)

    def on_data(self, session: iocpreuse.Session, data: bytes) -> None:
        """One call."""
        number = None
        try:
            number, method, params = parse(data)
            if method in QUICK:
                session.send(perform(QUICK[method], params, number))
            elif method in SLOW:
                self.begin(session, SLOW[method], params, number)
            else:
                raise RpcError(-32601, f"there is no method {method!r}")
        except RpcError as exc:
            session.send(failed(exc, number))

    def begin(
        self,
        session: iocpreuse.Session,
        function: Callable[..., Any],
        params: list[Any],
        number: Any,
    ) -> None:
        """Has the call done by the pool. If its client goes meanwhile, nobody gets the answer."""
        calls: threading.BoundedSemaphore = session.state
        if not calls.acquire(blocking=False):
            raise RpcError(-32000, f"there are {CALLS_MAX} calls under way")
        pending = session.begin(tag=number)

        def answer(done: Future[bytes]) -> None:
            calls.release()
            # A client that takes no answers has been aborted for it.
            with contextlib.suppress(iocpreuse.WriteOverflow):
                pending.reply(done.result())

        self.pool.submit(perform, function, params, number).add_done_callback(answer)


if __name__ == "__main__":
    RpcServer("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 7007).serve_forever()
