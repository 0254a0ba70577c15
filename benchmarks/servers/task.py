"""What a server is asked to do, what it says when it is ready, and work for its main thread."""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, NoReturn

HOST: Final = "127.0.0.1"
BACKLOG: Final = 4096
GREETING: Final = b"+"
PREFIX_BYTES: Final = 4
BLOCK_SECONDS: Final = 0.005
ROLES: Final = ("echo", "framed", "chat", "broadcast", "blocking", "work")


def read_task(description: str | None, *roles: str) -> argparse.Namespace:
    """The command line of a server that knows ROLES."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("role", choices=roles)
    parser.add_argument(
        "--computing", action="store_true", help="the main thread computes; serve in another one"
    )
    parser.add_argument("--workers", type=int, help="threads for callbacks")
    parser.add_argument("--work-us", type=int, default=0, help="computing in each callback (work)")
    parser.add_argument("--sends", action="store_true", help="to each member by itself (chat)")
    parser.add_argument("--recycle", choices=("auto", "off"), default="auto")
    parser.add_argument("--loop", default="asyncio", help="the event loop's package")
    parser.add_argument("--transport", help="the package of its transports, if another")
    return parser.parse_args()


def announce(port: int, **versions: str) -> None:
    """Says in one line of JSON that the server is ready, where, and what it is made of."""
    versions["python"] = sys.version.split()[0]
    print(json.dumps({"port": port, "pid": os.getpid(), "versions": versions}), flush=True)


def run(serve: Callable[[], object], *, computing: bool) -> None:
    """Runs SERVE here, or in a thread beside a main thread that computes for ever."""
    if not computing:
        serve()
        return
    threading.Thread(target=serve, daemon=True).start()
    compute_for_ever()


def compute_for_ever() -> NoReturn:
    """What a busy application does: Python code that never waits."""
    value = 0
    while True:
        value = compute(10_000, value)


def compute(turns: int, value: int = 0) -> int:
    """So many turns of pure Python."""
    # Without a GIL, threads would share the count of references to a larger constant: Python 3.13
    # makes those of a compiled module immortal only up to 256.
    for turn in range(turns):
        value = (value * 31 + turn) % 251
    return value


def turns_for(microseconds: int) -> int:
    """How many turns of `compute` take so long when nothing else runs: the best of several."""
    turns = 2000
    best = min(_seconds_of(turns) for _ in range(200))
    return max(1, round(turns * microseconds * 1e-6 / best))


def _seconds_of(turns: int) -> float:
    begin = time.perf_counter()
    compute(turns)
    return time.perf_counter() - begin


def block() -> None:
    """What a callback does that asks a database."""
    time.sleep(BLOCK_SECONDS)


def cut_frames(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages at the beginning of DATA, without their lengths, and what is left."""
    messages = []
    place, end = 0, len(data)
    while end - place >= PREFIX_BYTES:
        begin = place + PREFIX_BYTES
        after = begin + int.from_bytes(data[place:begin], "big")
        if after > end:
            break
        messages.append(data[begin:after])
        place = after
    return messages, data[place:]


def pack_frame(message: bytes) -> bytes:
    """MESSAGE behind its length."""
    return len(message).to_bytes(PREFIX_BYTES, "big") + message
