"""The examples on raw bytes, each with clients that others wrote: echo, redis_like, http_hello."""

import asyncio
import contextlib
import csv
import http.client
import re

import pytest
from peers import ROOT, Client, in_threads, load_example, noise, wait_until
from programs import PythonProgram, free_port, run, wait_for_port

HOST = "127.0.0.1"
SERVERS = {
    "chat": b"",
    "echo": b"x",
    "http_hello": b"GET / HTTP/1.1\r\n\r\n",
    "lines": b"keys\n",
    "redis_like": b"PING\r\n",
    "relay": b"LOGIN anna\n",
    "rpc_server": b"\0\0\0\x02{}",
}


def test_every_example_is_run():
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert names == {*SERVERS, "rpc_client"}


@pytest.mark.parametrize("name", SERVERS)
def test_a_program_serves_until_ctrl_c(name):
    """As its docstring says: python examples/NAME.py PORT."""
    text = (ROOT / "examples" / f"{name}.py").read_text("utf-8")
    assert f"    python examples/{name}.py " in text
    address = HOST, free_port()
    with PythonProgram(ROOT / "examples" / f"{name}.py", str(address[1])) as program:
        wait_for_port(address, program)
        with Client(address) as client:
            client.sendall(SERVERS[name])
            assert client.recv(1)
        assert program.interrupt() == 0
        assert program.output == b""


# Echo.


@pytest.fixture
def echo(serve):
    return serve(load_example("echo").Echo, HOST)


@pytest.mark.parametrize("program", [("socat", "-t30", "-"), ("nc", "-N")])
def test_echo_with_socat_and_nc(echo, program):
    name, *options = program
    message = noise(3_000_000)
    where = [f"TCP:{HOST}:{echo.address[1]}"] if name == "socat" else [HOST, echo.address[1]]
    assert run(name, *options, *where, data=message) == message


def test_echo_with_asyncio(echo):
    async def visit(message):
        reader, writer = await asyncio.open_connection(*echo.address)
        for start in range(0, len(message), 10_000):
            writer.write(message[start : start + 10_000])
            await writer.drain()
        writer.write_eof()
        answer = await reader.read(-1)
        writer.close()
        return answer

    async def visit_all():
        return await asyncio.gather(*(visit(noise(200_000, seed)) for seed in range(10)))

    assert asyncio.run(visit_all()) == [noise(200_000, seed) for seed in range(10)]


def test_echo_reads_no_more_from_a_client_that_does_not_read(echo):
    with Client(echo.address, receive_buffer=65536) as client:
        client.settimeout(1.0)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 200_000_000:
                sent += client.send(bytes(1 << 16))
        # What the stack took is not ours to limit; what the server holds is.
        assert sent < 200_000_000
        assert echo.stats().send_queue_bytes <= 64 * 1024 + 64 * 1024
        client.settimeout(30.0)
        client.half_close()
        assert len(client.receive_all()) == sent


# A server for Redis' own clients.


@pytest.fixture
def redis_like(serve):
    return serve(load_example("redis_like").RedisLike, HOST)


def test_redis_benchmark(redis_like):
    """Every answer is counted and understood by it, with and without pipelining."""
    port = redis_like.address[1]
    where = ("-h", HOST, "-p", port, "-n", 4800, "-c", 20, "--csv")
    for options in ((), ("-P", 16), ("-P", 16, "-d", 3000)):
        output = run("redis-benchmark", *where, *options, "-t", "ping,set,get,incr")
        assert b"rror" not in output, output
        rows = {row[0] for row in csv.reader(output.decode().splitlines()) if len(row) > 1}
        assert {"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"} <= rows, output
    # Not one INCR was lost, although clients came at the same time.
    assert redis_like.values[b"counter:__rand_int__"] == b"14400"
    assert len(redis_like.values[b"key:__rand_int__"]) == 3000


def test_redis_cli(redis_like):
    def cli(*words):
        return run("redis-cli", "-h", HOST, "-p", redis_like.address[1], *words).decode().strip()

    assert cli("set", "a b", "ä\n") == "OK"
    assert cli("get", "a b") == "ä"
    assert cli("get", "nothing") == ""
    assert cli("incr", "a b").startswith("ERR value is not an integer")
    assert [cli("incr", "n"), cli("incr", "n"), cli("del", "n"), cli("del", "n")] == [*"1210"]
    assert cli("flushall").startswith("ERR unknown command")
    assert cli("get").startswith("ERR wrong number of arguments")


def test_redis_commands_in_any_pieces(redis_like):
    data = b"PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\nab\r\n"
    data += b"*2\r\n$3\r\nget\r\n$1\r\nk\r\n\r\nQUIT\n"
    answer = b"+PONG\r\n+OK\r\n$4\r\n\r\nab\r\n+OK\r\n"
    for step in (1, 2, 7, len(data)):
        with Client(redis_like.address) as client:
            for at in range(0, len(data), step):
                client.sendall(data[at : at + step])
            assert client.receive_all() == answer


@pytest.mark.parametrize(
    "data", [b"*x\r\n", b"*1\r\n+PING\r\n", b"*2000\r\n", b"*1\r\n$99999999\r\n", b"x" * 70_000]
)
def test_redis_protocol_errors_end_the_session_after_what_came_before(redis_like, data):
    with Client(redis_like.address) as client:
        client.sendall(b"PING\r\n" + data)
        answer = client.receive_all()
    assert answer.startswith(b"+PONG\r\n-ERR Protocol error: ")
    assert answer.endswith(b"\r\n")


# HTTP.


@pytest.fixture
def http_hello(serve):
    return serve(load_example("http_hello").HttpHello, HOST)


def test_http_with_http_client(http_hello):
    """The standard library's client, on one connection that is kept."""
    connection = http.client.HTTPConnection(*http_hello.address, timeout=30)
    expected = [
        ("GET", "/", 200, b"Hello\n"),
        ("HEAD", "/", 200, b""),
        ("GET", "/nothing", 404, b"Not found\n"),
    ] * 20
    for method, path, status, body in expected:
        connection.request(method, path)
        response = connection.getresponse()
        assert (response.status, response.read()) == (status, body)
    assert http_hello.stats().connections_total == 1
    connection.request("POST", "/", body=b"x")
    assert connection.getresponse().status == 413
    connection.close()
    wait_until(lambda: not http_hello.sessions)


def test_http_pipelines_and_closes(http_hello):
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for step in (1, 10, 1000):
        with Client(http_hello.address) as client:
            data = request * 5 + last + request
            for at in range(0, len(data), step):
                with contextlib.suppress(ConnectionError):
                    client.sendall(data[at : at + step])
            answer = client.receive_all()
        assert answer.count(b"200 OK") == answer.count(b"\r\n\r\nHello\n") == 6
        assert answer.count(b"Connection: close") == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"413"),
        (b"BREW / HTTP/1.1\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000, b"431"),
    ],
)
def test_http_refuses_what_it_does_not_understand(http_hello, data, status):
    with Client(http_hello.address) as client:
        client.sendall(data)
        assert client.receive_all().startswith(b"HTTP/1.1 " + status)


def test_wrk(http_hello):
    url = f"http://{HOST}:{http_hello.address[1]}/"
    output = run("wrk", "-t", 1, "-c", 30, "-d", 1, url).decode()
    assert "Socket errors" not in output
    assert "Non-2xx" not in output
    requests = int(re.search(r"(\d+) requests in", output)[1])
    assert requests > 100
    assert http_hello.stats().connections_total >= 30
    assert http_hello.stats().callback_errors == 0


def test_http_with_many_clients(http_hello):
    def visit(number):
        for _ in range(10):
            connection = http.client.HTTPConnection(*http_hello.address, timeout=30)
            connection.request("GET", "/", headers={"X-Number": str(number)})
            assert connection.getresponse().read() == b"Hello\n"
            connection.close()

    in_threads(8, visit)
    assert http_hello.stats().connections_total == 80
