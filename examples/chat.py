"""A chat room.

Start it, and join from as many terminals as you like:

    python examples/chat.py 7007
    nc 127.0.0.1 7007
    telnet 127.0.0.1 7007

The first line is one's nickname; every other one goes to all who are in the room.
"""

import sys
from typing import Unpack

import iocpreuse

NAME_MAX = 20


def printable(data: bytes) -> str:
    """A line as text that cannot play tricks on a terminal."""
    text = data.decode("utf-8", "replace").strip()
    return "".join(char if char.isprintable() else "?" for char in text)


class Chat(iocpreuse.Server):
    """One room for everybody who has logged in with a nickname."""

    def __init__(
        self, host: str | None = None, port: int = 0, **options: Unpack[iocpreuse.Options]
    ) -> None:
        """Arguments as for iocpreuse.Server."""
        options.setdefault("framing", iocpreuse.Framing.lines(max_length=1000))
        options.setdefault("login_timeout", 60.0)
        options.setdefault("max_connections_per_ip", 100)
        super().__init__(host, port, **options)

    def on_connect(self, session: iocpreuse.Session) -> None:
        """Asks for the nickname."""
        session.send(b"What is your nickname?\n")

    def on_data(self, session: iocpreuse.Session, data: bytes) -> None:
        """One line: the nickname, a command, or something to say."""
        text = printable(data)
        if session.net_id is None:
            self.enter(session, text)
        elif text == "/who":
            names = ", ".join(sorted(map(str, self.logged_in)))
            session.send(f"* here: {names}\n".encode())
        elif text == "/quit":
            session.close()
        elif text:
            self.say(f"{session.net_id}: {text}", but=session)

    def enter(self, session: iocpreuse.Session, name: str) -> None:
        """Gives the client its nickname, if that is one and is free."""
        if not 0 < len(name) <= NAME_MAX or " " in name:
            session.send(f"* one word of at most {NAME_MAX} letters, please\n".encode())
            return
        try:
            session.login(name)
        except iocpreuse.LoginConflict:
            session.send(f"* {name} is here already; another one, please\n".encode())

    def on_login(self, session: iocpreuse.Session) -> None:
        """It is in the room now."""
        session.send(b"* welcome; /who tells who is here, /quit leaves\n")
        self.say(f"* {session.net_id} comes in", but=session)

    def on_disconnect(self, session: iocpreuse.Session, why: iocpreuse.Disconnect) -> None:
        """It has left, one way or the other."""
        if session.net_id is not None:
            self.say(f"* {session.net_id} has left ({why.reason.value})", but=session)

    def say(self, text: str, but: iocpreuse.Session) -> None:
        """Tells all who are in the room, but one.

        A client that does not read is left out when its queue is full: it misses lines, and
        holds up nobody.
        """
        others = [session.id for session in self.logged_in.values() if session is not but]
        self.broadcast(text.encode() + b"\n", to=others)


if __name__ == "__main__":
    Chat("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 7007).serve_forever()
