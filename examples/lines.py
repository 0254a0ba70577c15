"""A key-value store with a line protocol, to be used by hand.

Start it, and try it from another terminal:

    python examples/lines.py 7007
    printf 'set colour blue\\nget colour\\n' | nc -N 127.0.0.1 7007
    telnet 127.0.0.1 7007

The engine cuts the stream into lines. One that is longer than 1,024 bytes ends its session, after
what came before it has been answered.
"""

import sys
import threading
from typing import Unpack

import iocpreuse

HELP = "there are: get KEY, set KEY VALUE, del KEY, add KEY NUMBER, keys, quit"


class Lines(iocpreuse.Server):
    """get, set, del, add, keys, quit."""

    def __init__(
        self, host: str | None = None, port: int = 0, **options: Unpack[iocpreuse.Options]
    ) -> None:
        """Arguments as for iocpreuse.Server."""
        options.setdefault("framing", iocpreuse.Framing.lines(max_length=1024))
        options.setdefault("idle_timeout", 300.0)
        super().__init__(host, port, **options)
        self.values: dict[str, str] = {}
        self.lock = threading.Lock()  # callbacks of two clients may run at once

    def on_data(self, session: iocpreuse.Session, data: bytes) -> None:
        """One line, without its end; telnet ends its lines with CR and LF."""
        try:
            words = data.decode().split(maxsplit=2)
        except UnicodeDecodeError:
            session.send(b"error: that is not UTF-8\n")
            return
        if not words:
            return
        if words == ["quit"]:
            session.send(b"bye\n")
            session.close()
            return
        with self.lock:
            answer = self.answer(*words)
        session.send(answer.encode() + b"\n")

    def answer(self, command: str, key: str = "", value: str = "") -> str:
        """The answer to one command. The lock is held."""
        match command, key, value.rstrip():
            case "get", key, "" if key:
                return self.values.get(key, "error: there is no such key")
            case "set", key, value if value:
                self.values[key] = value
                return "ok"
            case "del", key, "" if key:
                return "ok" if self.values.pop(key, None) else "error: there is no such key"
            case "add", key, value if value:
                return self.add(key, value)
            case "keys", "", "":
                return " ".join(sorted(self.values)) or "none"
            case _:
                return f"error: {HELP}"

    def add(self, key: str, value: str) -> str:
        """add KEY NUMBER: the sum is kept, and is the answer."""
        try:
            total = int(self.values.get(key, "0")) + int(value)
        except ValueError:
            return "error: that is not a whole number"
        self.values[key] = str(total)
        return self.values[key]


if __name__ == "__main__":
    Lines("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 7007).serve_forever()
