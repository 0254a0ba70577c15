"""Every wrong argument is an exception that says what would be right."""

import math
import socket

import pytest
from peers import Client, Recorder

import iocpreuse
from iocpreuse.options import check_options

WRONG = [
    # argument, value, exception, what its text says
    ("host", 5, TypeError, "host must be an address or a name (str)"),
    ("host", b"::1", TypeError, "(bytes)"),
    ("host", "", ValueError, "None (all interfaces)"),
    ("port", -1, ValueError, "port must be an integer from 0 to 65535, not -1"),
    ("port", 65536, ValueError, "0 to 65535"),
    ("port", "80", TypeError, "port must be an integer from 0 to 65535, not '80' (str)"),
    ("port", True, TypeError, "not True (bool)"),
    ("port", 80.0, TypeError, "(float)"),
    ("port", None, TypeError, "NoneType"),
    ("backlog", 0, ValueError, "or None (the system's maximum), not 0"),
    ("backlog", "5", TypeError, "backlog"),
    ("workers", 0, ValueError, "workers must be an integer from 1 to 256, or None"),
    ("workers", -4, ValueError, "workers"),
    ("workers", 2.0, TypeError, "workers"),
    ("workers", 257, ValueError, "256"),
    ("concurrency", 0, ValueError, "concurrency"),
    ("concurrency", False, TypeError, "concurrency"),
    ("attach_budget", None, TypeError, "attach_budget must be a number of seconds from 0 to 1"),
    ("attach_budget", 1.5, ValueError, "from 0 to 1, not 1.5"),
    ("attach_budget", -0.001, ValueError, "attach_budget"),
    ("busy_poll", math.nan, ValueError, "busy_poll must be a number of seconds from 0 to 1"),
    ("busy_poll", True, TypeError, "busy_poll"),
    ("accept_pool", 0, ValueError, "accept_pool must be an integer from 1 to 65536, not 0"),
    ("accept_pool", None, TypeError, "accept_pool"),
    ("accept_pool_max", 0, ValueError, "accept_pool_max"),
    ("cooling_max", -1, ValueError, "cooling_max"),
    ("recycle", True, TypeError, "recycle must be 'auto' or 'off', not True (bool)"),
    ("recycle", "on", ValueError, "recycle must be 'auto' or 'off', not 'on'"),
    ("max_connections", 0, ValueError, "or None (no limit)"),
    ("max_connections_per_ip", 0, ValueError, "from 1 to 2147483647, or None (no limit), not 0"),
    ("max_connections_per_ip", -1, ValueError, "max_connections_per_ip"),
    ("max_connections_per_ip", True, TypeError, "max_connections_per_ip"),
    ("max_connections_per_ip", 2.0, TypeError, "(float)"),
    ("first_byte_timeout", 0, ValueError, "first_byte_timeout must be a number of seconds above 0"),
    ("first_byte_timeout", -1, ValueError, "or None (no limit), not -1"),
    ("login_timeout", "5", TypeError, "login_timeout must be a number of seconds above 0"),
    ("login_timeout", True, TypeError, "not True (bool)"),
    ("idle_timeout", math.nan, ValueError, "idle_timeout must be a number"),
    ("idle_timeout", math.inf, ValueError, "at most 31622400"),
    ("idle_timeout", 31622401, ValueError, "at most 31622400, or None (no limit), not 31622401"),
    ("nodelay", 1, TypeError, "nodelay must be True or False, not 1 (int)"),
    ("dual_stack", None, TypeError, "dual_stack must be True or False"),
    ("keepalive", 30, TypeError, "keepalive must be True, False or (idle seconds"),
    ("keepalive", (30, 5), TypeError, "keepalive"),
    ("keepalive", (30, 5, 2.5), TypeError, "keepalive"),
    ("keepalive", (0, 5, 3), ValueError, "keepalive"),
    ("keepalive", (math.nan, 5, 3), ValueError, "keepalive"),
    ("keepalive", (30, 5, 1000), ValueError, "count 1..127"),
    ("read_size", 0, ValueError, "read_size"),
    ("read_size", 1 << 30, ValueError, "16777216"),
    ("write_high", -1, ValueError, "write_high"),
    ("write_low", 1 << 20, ValueError, "write_low must be at most write_high (65536)"),
    ("write_limit", "1M", TypeError, "write_limit"),
    (
        "linger",
        0,
        ValueError,
        "linger must be a number of seconds above 0, at most 31622400, not 0",
    ),
    ("linger", math.nan, ValueError, "linger must be a number"),
    ("linger", None, TypeError, "linger must be a number of seconds above 0"),
    ("linger", True, TypeError, "linger must be"),
    ("drain_timeout", -0.1, ValueError, "drain_timeout must be a number of seconds from 0"),
    ("drain_timeout", math.nan, ValueError, "drain_timeout"),
    ("drain_timeout", math.inf, ValueError, "drain_timeout"),
    ("drain_timeout", None, TypeError, "drain_timeout"),
    ("bind_timeout", -1, ValueError, "bind_timeout must be a number of seconds from 0 to"),
    ("bind_timeout", math.nan, ValueError, "bind_timeout"),
    ("bind_timeout", None, TypeError, "bind_timeout must be a number of seconds"),
    ("bind_timeout", "5", TypeError, "bind_timeout must be"),
    ("sock", 3, TypeError, "sock must be a bound and listening TCP socket"),
    ("acept_pool", 5, TypeError, "no option 'acept_pool'; did you mean 'accept_pool'?"),
    ("worker", 5, TypeError, "did you mean 'workers'?"),
    ("zzz", 5, TypeError, "no option 'zzz'; there are: backlog, dual_stack"),
]


@pytest.mark.parametrize(("name", "value", "kind", "text"), WRONG)
def test_wrong(name, value, kind, text):
    with pytest.raises(kind) as caught:
        iocpreuse.Server(**{name: value})
    assert text in str(caught.value)


RIGHT = [
    {"port": 65535},
    {"backlog": None, "workers": None, "concurrency": None, "max_connections": None},
    {"keepalive": True},
    {"keepalive": (7200, 1.5, 9)},
    {"keepalive": False},
    {"drain_timeout": 0, "write_limit": None},
    {"linger": 0.5},
    {"bind_timeout": 0},
    {"bind_timeout": 2.5},
    {"ip_prefix": (1, 128), "send_buffer": 1024},
    {"ip_prefix": (32, 1), "send_buffer": None, "message_timeout": None},
    {"message_timeout": 1.5, "framing": iocpreuse.Framing.lines()},
    {"linger": 31622400},
    {"first_byte_timeout": None, "login_timeout": None, "idle_timeout": None},
    {"first_byte_timeout": 1e-9, "login_timeout": 5, "idle_timeout": 31622400},
    {"max_connections_per_ip": None},
    {"max_connections_per_ip": 1, "max_connections": 1},
    {"write_low": 0, "write_high": 0, "write_limit": 1},
    {"recycle": "off", "nodelay": False, "dual_stack": False},
    {"sock": None, "host": "example.invalid", "port": 1},
]


def test_marks_that_contradict_each_other():
    with pytest.raises(ValueError, match=r"write_low must be at most write_high \(5\), not 6"):
        iocpreuse.Server(write_low=6, write_high=5)
    with pytest.raises(ValueError, match=r"write_high must be at most write_limit \(7\), not 8"):
        iocpreuse.Server(write_high=8, write_limit=7)
    with pytest.raises(ValueError, match=r"accept_pool_max must be at least accept_pool \(6\)"):
        iocpreuse.Server(accept_pool=6, accept_pool_max=5)


def test_an_upper_mark_lowers_the_defaults_below_it():
    settings = check_options(None, 0, {"write_limit": 1000})
    assert (settings.write_low, settings.write_high, settings.write_limit) == (1000, 1000, 1000)
    settings = check_options(None, 0, {"accept_pool_max": 5})
    assert (settings.accept_pool, settings.accept_pool_max) == (5, 5)
    settings = check_options(None, 0, {"accept_pool": 5000})
    assert (settings.accept_pool, settings.accept_pool_max) == (5000, 5000)
    settings = check_options(None, 0, {"write_high": 100, "write_limit": None})
    assert (settings.write_low, settings.write_high, settings.write_limit) == (100, 100, 0)


@pytest.mark.parametrize("options", RIGHT)
def test_right(options):
    iocpreuse.Server(**options)


def test_defaults_are_those_of_the_contract():
    settings = check_options(None, 0, {})
    assert (settings.accept_pool, settings.read_size, settings.drain_timeout) == (64, 65536, 10.0)
    assert (settings.write_high, settings.write_low) == (65536, 16384)
    assert settings.write_limit == 16 * 1024 * 1024
    assert (settings.attach_budget, settings.busy_poll) == (0.001, 0.0)
    assert settings.nodelay
    assert settings.dual_stack
    assert settings.keepalive is None
    assert settings.recycle == "auto"
    assert settings.workers >= 1
    assert settings.concurrency >= 1


def test_fractions_of_keepalive_are_rounded_up():
    assert check_options(None, 0, {"keepalive": (1.2, 3, 4)}).keepalive == (2, 3, 4)


@pytest.mark.parametrize(
    "options",
    [
        {"nodelay": False},
        {"keepalive": True},
        {"keepalive": (60.0, 10.0, 3)},
        {"backlog": 5, "workers": 1, "concurrency": 1, "accept_pool": 1},
        {"workers": 8, "concurrency": 2, "accept_pool": 300},
        {"recycle": "off"},
    ],
)
def test_serves_with(serve, options):
    server = serve(Recorder, **options)
    if options.get("recycle") == "off":
        assert server.recycling == "off"
    for _ in range(3):
        with Client(server.address) as client:
            assert client.ask(b"x") == b"x"
        server.next_end()


def test_sock_that_does_not_fit():
    with socket.socket() as sock:
        with pytest.raises(ValueError, match="call listen"):
            iocpreuse.Server(sock=sock)
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(ValueError, match="call listen"):
            iocpreuse.Server(sock=sock)
        sock.listen()
        with pytest.raises(ValueError, match="sock excludes host and port"):
            iocpreuse.Server("127.0.0.1", sock=sock)
        with pytest.raises(ValueError, match="sock excludes host and port"):
            iocpreuse.Server(port=80, sock=sock)
    with pytest.raises(ValueError, match="is closed"):
        iocpreuse.Server(sock=sock)
    with (
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        pytest.raises(ValueError, match="listening TCP socket"),
    ):
        iocpreuse.Server(sock=datagrams)
