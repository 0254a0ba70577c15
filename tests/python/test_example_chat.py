"""The chat room: the example, with clients that others wrote."""

import contextlib
import threading

import pytest
from peers import LineClient, in_threads, load_example, wait_until
from programs import Program, need

HOST = "127.0.0.1"


@pytest.fixture
def chat(serve):
    return serve(load_example("chat").Chat, HOST)


def test_chat_with_netcat_telnet_and_a_socket(chat):
    port = chat.address[1]
    with (
        LineClient(chat.address) as third,
        Program(need("nc"), HOST, port) as first,
        Program(need("telnet"), HOST, port) as second,
    ):
        first.hear(b"nickname?")
        first.say(b"anna\n")
        first.hear(b"* welcome")
        second.hear(b"nickname?")
        second.say(b"anna\n")
        second.hear(b"* anna is here already")
        second.say("björn\n".encode())
        second.hear(b"* welcome")
        first.hear("* björn comes in".encode())
        first.say("Guten Tag, Björn \x1b[31m\n".encode())
        second.hear("anna: Guten Tag, Björn ?[31m".encode())
        second.say(b"/who\n")
        second.hear("* here: anna, björn".encode())
        assert third.hear() == "What is your nickname?"
        third.say("two words")
        assert third.hear() == "* one word of at most 20 letters, please"
        first.say(b"/quit\n")
        assert first.end() == 0
        second.hear(b"* anna has left (local_close)")
        assert b"two words" not in second.output
        assert b"anna: Guten Tag" not in first.output


def test_chat_reaches_everybody_once_and_in_order(chat):
    names = [f"n{number}" for number in range(10)]
    with contextlib.ExitStack() as stack:
        clients = {}
        for name in names:
            clients[name] = stack.enter_context(LineClient(chat.address, name))
            wait_until(lambda name=name: name in chat.logged_in)

        def talk(number):
            for turn in range(20):
                clients[names[number]].say(f"{turn}")

        in_threads(len(names), talk)
        for name, client in clients.items():
            heard = {other: [] for other in names}
            while sum(map(len, heard.values())) < 20 * (len(names) - 1):
                speaker, colon, text = client.hear().partition(": ")
                if colon:
                    heard[speaker].append(int(text))
            assert heard.pop(name) == []
            assert set(map(tuple, heard.values())) == {tuple(range(20))}


def test_chat_with_somebody_who_does_not_read(chat):
    """The others go on; that one loses lines, and keeps no more of our memory than its queue."""

    def listen():
        while anna.hear() != "bob: stop":
            pass

    with (
        LineClient(chat.address, "deaf") as deaf,
        LineClient(chat.address, "anna") as anna,
        LineClient(chat.address, "bob") as bob,
    ):
        wait_until(lambda: len(chat.logged_in) == 3)
        listening = threading.Thread(target=listen)
        listening.start()
        for turn in range(20_000):
            bob.say(f"{turn:0900}")
        # What anna could not take at once she has lost too.
        wait_until(lambda: bob.say("stop") or listening.join(0.05) or not listening.is_alive())
        assert chat.stats().send_queue_bytes < 200_000
        assert deaf.hear() == "What is your nickname?"
        assert len(chat.logged_in) == 3
