"""A relay: clients log in by name, talk to each other, and answer each other's questions.

Start it, and be two people in two other terminals:

    python examples/relay.py 7007

    nc 127.0.0.1 7007                      nc 127.0.0.1 7007
    LOGIN anna carl                        LOGIN bob
    WELCOME anna                           WELCOME bob
    TELL bob good morning                  TOLD anna good morning
    ASK bob what time is it?               ASKED 1 anna what time is it?
    ASKING 1 bob                           ANSWER 1 nine o'clock
    ANSWERED 1 nine o'clock

LOGIN takes the name over from whoever has it, and may name a backup. What a client leaves behind
goes to its successor: whoever took its name over, or else its backup, if that one is here. The
successor gets the answers to what the other one asked, the messages that were still queued for it,
and the questions that it was to answer. HANDOFF peer passes on what one is waiting for, without
going.
"""

import contextlib
import itertools
import sys
import threading
from dataclasses import dataclass
from typing import Unpack

import iocpreuse

QUESTIONS_MAX = 100  # open ones, of one client


@dataclass
class Question:
    """What a client has asked a peer."""

    asker: str
    peer: str
    text: str
    pending: iocpreuse.Pending  # knows who gets the answer
    asked: iocpreuse.SessionId  # who is to give it
    answer: bytes | None = None  # given while the asker was going


def line(*words: object) -> bytes:
    """What a client is sent."""
    return " ".join(map(str, words)).encode() + b"\n"


class Relay(iocpreuse.Server):
    """LOGIN, TELL, ASK, ANSWER, HANDOFF."""

    def __init__(
        self, host: str | None = None, port: int = 0, **options: Unpack[iocpreuse.Options]
    ) -> None:
        """Arguments as for iocpreuse.Server."""
        options.setdefault("framing", iocpreuse.Framing.lines(max_length=4096))
        options.setdefault("login_timeout", 60.0)
        super().__init__(host, port, **options)
        self.numbers = itertools.count(1)
        self.questions: dict[int, Question] = {}
        self.lock = threading.Lock()  # for questions: callbacks of two clients may run at once

    def on_data(self, session: iocpreuse.Session, data: bytes) -> None:
        """One line: a command and its arguments."""
        command, _, rest = data.decode("utf-8", "replace").strip().partition(" ")
        first, _, text = rest.partition(" ")
        if command == "LOGIN" and first:
            session.state = text  # the backup
            session.login(first, conflict="replace")
        elif session.net_id is None:
            session.send(line("ERROR log in first: LOGIN name, or LOGIN name backup"))
        elif command == "TELL":
            self.tell(session, first, text)
        elif command == "ASK":
            self.ask(session, first, text)
        elif command == "ANSWER":
            self.answer(session, first, text)
        elif command == "HANDOFF":
            self.hand_off(session, first)
        else:
            session.send(line("ERROR there are LOGIN, TELL, ASK, ANSWER and HANDOFF"))

    def on_login(self, session: iocpreuse.Session) -> None:
        """The client has its name."""
        session.send(line("WELCOME", session.net_id))

    def tell(self, session: iocpreuse.Session, name: str, text: str) -> None:
        """TELL name text."""
        peer = self.logged_in.get(name)
        if peer is None or not self.deliver(peer.id, line("TOLD", session.net_id, text)):
            session.send(line("ERROR", name, "is not here"))

    def ask(self, session: iocpreuse.Session, name: str, text: str) -> None:
        """ASK name text: the answer will come, also if the peer or the asker goes meanwhile."""
        with self.lock:
            if len(self.asked_by(session)) >= QUESTIONS_MAX:
                session.send(line("ERROR you have", QUESTIONS_MAX, "open questions"))
                return
            number = next(self.numbers)
            session.send(line("ASKING", number, name))
            pending = session.begin(tag=number, request=text.encode())
            question = Question(str(session.net_id), name, text, pending, session.id)
            self.questions[number] = question
            self.put(number, question, self.logged_in.get(name))

    def put(self, number: int, question: Question, peer: iocpreuse.Session | None) -> None:
        """Asks PEER; without one the answer is ERROR. The lock is held.

        If the peer is just going, its on_disconnect is still to come, and asks its successor.
        """
        if peer is not None:
            question.asked = peer.id
            self.deliver(peer.id, line("ASKED", number, question.asker, question.text))
        else:
            question.answer = line("ERROR", number, question.peer, "is not here")
            self.settle(number, question)

    def settle(self, number: int, question: Question) -> None:
        """Sends the answer to whoever waits for it. The lock is held.

        While the asker is going, and on_abort has not named its successor yet, the answer waits:
        then its on_disconnect asks what became of it. It tries again, too, if the
        asker does not read and is aborted for that.
        """
        assert question.answer is not None
        with contextlib.suppress(iocpreuse.WriteOverflow):
            if question.pending.reply(question.answer) or question.pending.aborted:
                del self.questions[number]

    def answer(self, session: iocpreuse.Session, number: str, text: str) -> None:
        """ANSWER number text."""
        with self.lock:
            question = self.questions.get(int(number) if number.isdecimal() else 0)
            if question is not None and question.asked == session.id and question.answer is None:
                question.answer = line("ANSWERED", number, text)
                self.settle(int(number), question)
                return
        session.send(line("ERROR you have no question", number))

    def hand_off(self, session: iocpreuse.Session, name: str) -> None:
        """HANDOFF name: the peer gets the answers that this client waits for."""
        with self.lock:
            count = sum(question.pending.handoff(name) for question in self.asked_by(session))
        session.send(line("HANDED", count, "to", name))

    def asked_by(self, session: iocpreuse.Session) -> list[Question]:
        """The open questions whose answers this client gets. The lock is held."""
        return [q for q in self.questions.values() if q.pending.session_id == session.id]

    def successor(self, session: iocpreuse.Session) -> iocpreuse.Session | None:
        """Who has the name of a client that has gone, or else its backup."""
        return self.logged_in.get(session.net_id) or self.logged_in.get(session.state)

    def deliver(self, to: iocpreuse.SessionId, message: bytes) -> bool:
        """Sends to another client. One that does not read ends itself, not who writes to it."""
        try:
            return self.send(to, message)
        except iocpreuse.WriteOverflow:
            return False

    def on_abort(
        self, session: iocpreuse.Session, lost: iocpreuse.Aborted
    ) -> iocpreuse.Session | None:
        """A client has gone: its successor takes over what it waited for and what it was told."""
        heir = self.successor(session)
        if heir is not None:
            for message in lost.unsent:
                if message.startswith((b"TOLD ", b"ANSWERED ")):
                    self.deliver(heir.id, message)
            for pending in lost.pending:
                self.deliver(heir.id, line("INHERITED", pending.tag, session.net_id))
        return heir

    def on_disconnect(self, session: iocpreuse.Session, why: iocpreuse.Disconnect) -> None:
        """What it was to answer is put to its successor; answers that it just missed go on."""
        with self.lock:
            for number, question in list(self.questions.items()):
                if question.pending.aborted:
                    del self.questions[number]
                elif question.answer is not None:
                    self.settle(number, question)
                elif question.asked == session.id:
                    self.put(number, question, self.successor(session))


if __name__ == "__main__":
    Relay("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 7007).serve_forever()
