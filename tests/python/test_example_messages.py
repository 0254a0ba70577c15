"""The examples on messages, each with clients that others wrote: lines, relay, RPC."""

import asyncio
import json
import struct
import threading
import time

import pytest
from peers import ROOT, Client, LineClient, in_threads, load_example, run_python, wait_until
from programs import Program, need, run

HOST = "127.0.0.1"


# A line protocol.


@pytest.fixture
def lines(serve):
    return serve(load_example("lines").Lines, HOST)


def test_lines_with_netcat(lines):
    said = b"set colour deep blue\nget colour\n\nkeys\nnonsense\nget\n"
    said += b"add n 5\nadd n x\ndel n\nquit\n"
    answers = run("nc", HOST, lines.address[1], data=said).decode().splitlines()
    assert answers[:3] == ["ok", "deep blue", "colour"]
    assert answers[3] == answers[4]
    assert answers[3].startswith("error: there are: get KEY")
    assert answers[5:] == ["5", "error: that is not a whole number", "ok", "bye"]


def test_lines_with_telnet(lines):
    """It ends its lines with CR and LF, and may begin with options of its own protocol."""
    with Program(need("telnet"), HOST, lines.address[1]) as telnet:
        telnet.hear(b"Escape character")
        telnet.say(b"set a 1\n")
        telnet.hear(b"ok")
        telnet.say(b"add a 41\n")
        telnet.hear(b"42")
        telnet.say(b"quit\n")
        telnet.hear(b"bye")
        telnet.hear(b"Connection closed by foreign host")
        telnet.end()


def test_lines_with_asyncio(lines):
    async def count(turns):
        reader, writer = await asyncio.open_connection(*lines.address)
        for _ in range(turns):
            writer.write(b"add n 1\r\n")
            await reader.readline()
        writer.close()

    async def count_all():
        await asyncio.gather(*(count(50) for _ in range(8)))

    asyncio.run(count_all())
    with LineClient(lines.address, "get n") as client:
        client.hears("400")


def test_lines_that_are_too_long_or_no_text(lines):
    with LineClient(lines.address) as client:
        client.sendall(b"set a 1\n\xff\xfe\n" + b"x" * 5000)
        client.hears("ok", "error: that is not UTF-8")
        assert client.hear() == ""
    wait_until(lambda: not lines.sessions)


# Remote calls.


@pytest.fixture
def rpc(serve):
    return serve(load_example("rpc_server").RpcServer, HOST)


def test_rpc_with_the_client_as_a_program(rpc):
    done = run_python(str(ROOT / "examples" / "rpc_client.py"), str(rpc.address[1]))
    assert done.stdout.splitlines() == [
        "1 + 2 = 3",
        "1 / 0: ZeroDivisionError: division by zero",
        "five calls at once: [0, 2, 4, 6, 8]",
        "ten sleepers: 10",
    ]
    assert (done.returncode, done.stderr) == (0, "")


def test_rpc_pipelines_and_answers_each_error(rpc):
    module = load_example("rpc_client")
    with module.Client(*rpc.address) as client:
        answers = client.answers(
            [("sleep", 0.3), ("add", 1), ("nothing",), ("add", "x"), ("divide", 1), ("sleep", "x")]
        )
        assert answers[0]["result"] == "slept 0.3 s"
        assert answers[1]["result"] == 1
        codes = [answer["error"]["code"] for answer in answers[2:]]
        assert codes == [-32601, -32000, -32000, -32000]
        with pytest.raises(module.RpcError, match="no method 'nothing'"):
            client.call("nothing")
        # A call that is slow holds up none that is quick.
        begin = time.monotonic()
        client._socket.sendall(module.pack(1000, "sleep", [20]))
        assert client.call("add", 1, 1) == 2
        assert time.monotonic() - begin < 5


def test_rpc_in_single_bytes_and_with_garbage(rpc):
    def message(data):
        return struct.pack("!I", len(data)) + data

    def read(client):
        return json.loads(client.receive(*struct.unpack("!I", client.receive(4))))

    with Client(rpc.address) as client:
        for byte in message(b'{"id": "x", "method": "add", "params": [1, 2]}'):
            client.sendall(bytes([byte]))
        assert read(client) == {"jsonrpc": "2.0", "id": "x", "result": 3}
        for data, code in ((b"{", -32700), (b"[]", -32600), (b"{}", -32600), (b"\xff", -32700)):
            client.sendall(message(data))
            assert read(client)["error"]["code"] == code
        client.sendall(b"\xff\xff\xff\xff")
        assert client.receive_all() == b""


def test_rpc_with_clients_that_leave_before_the_answer(rpc):
    module = load_example("rpc_client")
    for _ in range(20):
        with Client(rpc.address) as client:
            client.sendall(module.pack(1, "sleep", [0.05]))
    wait_until(lambda: not rpc.sessions)
    with module.Client(*rpc.address) as client:
        assert client.call("sleep", 0) == "slept 0 s"


def test_rpc_limits_the_calls_under_way(serve):
    server, module = load_example("rpc_server"), load_example("rpc_client")
    go_on = threading.Event()
    server.SLOW["wait"] = go_on.wait
    with module.Client(*serve(server.RpcServer, HOST).address) as client:
        for number in range(server.CALLS_MAX + 1):
            client._socket.sendall(module.pack(number, "wait", []))
        answer = client.receive()
        assert (answer["id"], answer["error"]["code"]) == (server.CALLS_MAX, -32000)
        go_on.set()
        numbers = {client.receive()["id"] for _ in range(server.CALLS_MAX)}
        assert numbers == set(range(server.CALLS_MAX))


# The relay.


@pytest.fixture
def relay(serve):
    return serve(load_example("relay").Relay, HOST)


@pytest.fixture
def enter(relay, stack):
    """Logs a client in."""

    def enter(name, *backup):
        client = stack.enter_context(LineClient(relay.address))
        client.say(" ".join(("LOGIN", name, *backup)))
        client.hears(f"WELCOME {name}")
        return client

    return enter


def test_relay_with_netcat(relay):
    """The dialogue of its docstring."""
    port = relay.address[1]
    with (
        Program(need("nc"), HOST, port) as anna,
        Program(need("socat"), "-", f"TCP:{HOST}:{port}") as bob,
    ):
        anna.say(b"TELL bob hello\n")
        anna.hear(b"ERROR log in first")
        anna.say(b"LOGIN anna carl\n")
        anna.hear(b"WELCOME anna\n")
        anna.say(b"TELL bob hello\n")
        anna.hear(b"ERROR bob is not here\n")
        bob.say(b"LOGIN bob\n")
        bob.hear(b"WELCOME bob\n")
        anna.say(b"TELL bob good morning\nASK bob what time is it?\n")
        bob.hear(b"TOLD anna good morning\nASKED 1 anna what time is it?\n")
        bob.say(b"ANSWER 1 nine o'clock\n")
        anna.hear(b"ASKING 1 bob\nANSWERED 1 nine o'clock\n")
        anna.say(b"ANSWER 1 what?\nNONSENSE\n")
        anna.hear(b"ERROR you have no question 1\nERROR there are LOGIN, ")


def test_relay_takeover_inherits_the_answers(enter):
    anna, bob = enter("anna"), enter("bob")
    anna.say("ASK bob question")
    anna.hears("ASKING 1 bob")
    bob.hears("ASKED 1 anna question")
    again = enter("anna")
    assert anna.is_ended() == "fin"
    anna.close()
    again.hears("INHERITED 1 anna")
    bob.say("ANSWER 1 answer")
    again.hears("ANSWERED 1 answer")


def test_relay_backup_inherits_the_answers(enter):
    anna, bob, carl = enter("anna", "carl"), enter("bob"), enter("carl")
    anna.say("ASK bob question")
    bob.hears("ASKED 1 anna question")
    anna.reset()
    carl.hears("INHERITED 1 anna")
    bob.say("ANSWER 1 answer")
    carl.hears("ANSWERED 1 answer")


def test_relay_puts_the_questions_of_one_who_goes_to_the_successor(enter):
    anna, bob, carl = enter("anna"), enter("bob", "carl"), enter("carl")
    anna.say("ASK bob question")
    bob.hears("ASKED 1 anna question")
    bob.close()
    carl.hears("ASKED 1 anna question")
    carl.say("ANSWER 1 answer")
    anna.hears("ASKING 1 bob", "ANSWERED 1 answer")
    anna.say("ASK carl another")
    carl.hears("ASKED 2 anna another")
    carl.reset()
    anna.hears("ASKING 2 carl", "ERROR 2 carl is not here")


def test_relay_handoff(enter):
    anna, bob, carl = enter("anna"), enter("bob"), enter("carl")
    anna.say("ASK bob one")
    anna.say("ASK bob two")
    anna.hears("ASKING 1 bob", "ASKING 2 bob")
    anna.say("HANDOFF nobody")
    anna.hears("HANDED 0 to nobody")
    anna.say("HANDOFF carl")
    anna.hears("HANDED 2 to carl")
    bob.hears("ASKED 1 anna one", "ASKED 2 anna two")
    bob.say("ANSWER 2 yes")
    bob.say("ANSWER 1 no")
    carl.hears("ANSWERED 2 yes", "ANSWERED 1 no")


def test_relay_loses_no_question_while_clients_come_and_go(relay, enter):
    """Askers are taken over again and again; each question is answered to whoever has the name."""
    bob = enter("bob")
    asked = 200

    def answer_all(_number):
        for _ in range(asked):
            number = bob.hear().split()[1]
            bob.say(f"ANSWER {number} {number}")

    def ask_all(_number):
        heard = set()
        client = LineClient(relay.address, "LOGIN anna")
        for turn in range(asked):
            client.say(f"ASK bob {turn}")
            # Not before it has been taken: what a client that is taken over still says is lost.
            heard.update(hear_until(client, "ASKING "))
            if turn % 5 == 4:
                successor = LineClient(relay.address, "LOGIN anna")
                heard.update(hear_until(successor, "WELCOME "))
                heard.update(line for line in iter(client.hear, "") if line.startswith("ANSWERED"))
                client.close()
                client = successor
        while len(heard) < asked:
            line = client.hear()
            assert line
            heard.update([line] if line.startswith("ANSWERED") else [])
        client.close()
        assert heard == {f"ANSWERED {number} {number}" for number in range(1, asked + 1)}

    def hear_until(client, beginning):
        """The answers that come before a line that begins like that."""
        while not (line := client.hear()).startswith(beginning):
            assert line
            if line.startswith("ANSWERED"):
                yield line

    in_threads(2, lambda number: (answer_all, ask_all)[number](number))
    wait_until(lambda: not relay.questions)
