"""Metrics for Prometheus, scraped over HTTP and read with the library's own parser."""

import dataclasses
import re
import subprocess
import sys
import urllib.request

import pytest
from peers import (
    DEADLINE_SECONDS,
    Client,
    Recorder,
    child_environment,
    run_python,
    wait_until,
)
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from iocpreuse import CloseReason, Stats
from iocpreuse.metrics import ServerCollector

COUNTS_NOW = {  # gauges; all else counts up
    *("connections_active", "accepts_pending", "sockets_cooling", "send_queue_bytes"),
    *("connections_logged_in", "sockets_spare", "recycled_share"),
}


# Whatever proxy the environment names.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def scrape(address):
    """The families by name, and the samples by name and labels."""
    url = f"http://{address[0]}:{address[1]}/metrics"
    with DIRECT.open(url, timeout=DEADLINE_SECONDS) as response:
        text = response.read().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = {}
    for family in families.values():
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, "a sample is there twice"
            samples[key] = sample.value
    return families, samples


@pytest.fixture
def registry(stack):
    """A registry of its own, and where it is served."""
    registry = CollectorRegistry()
    httpd, thread = start_http_server(0, "127.0.0.1", registry)
    stack.callback(thread.join)
    stack.callback(httpd.server_close)
    stack.callback(httpd.shutdown)
    return registry, httpd.server_address


def test_every_figure_is_there_as_it_is(serve, registry):
    server = serve(accept_pool=3)
    registry[0].register(ServerCollector(server))
    with Client(server.address) as client:
        assert client.ask(b"x" * 1000) == b"x" * 1000
        server.next_session().login("name")
        client.reset()
        server.next_end()
    with Client(server.address) as client:
        assert client.ask(b"y") == b"y"
        server.next_session().login("name")
        wait_until(lambda: server.stats().closed_by_reason)
        wait_until(lambda: server.stats().accepts_pending == 3)
        before = server.stats()
        families, samples = scrape(registry[1])
        stats = server.stats()
    address = f"127.0.0.1:{server.address[1]}"
    labels = {("server", "Recorder"), ("address", address)}

    def sample(name, *more):
        return samples[f"iocpreuse_{name}", frozenset({*labels, *more})]

    assert sample("connections_active") == sample("connections_logged_in") == 1
    assert sample("connections_total") == 2
    assert sample("accepts_pending") == 3
    assert sample("received_bytes_total") == sample("sent_bytes_total") == 1001
    assert sample("send_queue_bytes") == 0
    # The client has its answer before the callback that gave it is over.
    for name in ("callback_seconds", "gil_wait_seconds", "completions", "batches"):
        least, most = getattr(before, name), getattr(stats, name)
        assert least <= sample(f"{name}_total") <= most, name
        assert most > 0
    assert sample("sockets_created_total") == stats.sockets_created > 0
    assert sample("callback_errors_total") == 0
    for reason in CloseReason:
        expected = stats.closed_by_reason.get(reason, 0)
        assert sample("sessions_closed_total", ("reason", reason.value)) == expected
    for cause, count in stats.replaced_by_cause.items():
        assert sample("sockets_replaced_total", ("cause", cause)) == count
    for name, family in families.items():
        now = name.removeprefix("iocpreuse_") in COUNTS_NOW
        assert family.type == ("gauge" if now else "counter"), name
        assert family.documentation


def test_no_field_of_stats_is_left_out():
    """Whoever adds a field to Stats adds a metric."""
    from iocpreuse import metrics

    shown = {figure.field for figure in metrics._FIGURES}
    # It is the sum over the causes.
    fields = {field.name for field in dataclasses.fields(Stats)}
    assert shown == fields - {"sockets_replaced"} | {"connections_logged_in", "recycled_share"}


def test_several_servers_in_one_registry(serve, registry):
    servers = [serve(), serve()]
    collector = ServerCollector(Recorder())  # which is never started
    for number, server in enumerate(servers):
        collector.add(server, f"server {number}")
    registry[0].register(collector)
    with pytest.raises(ValueError, match="Duplicated"):
        registry[0].register(ServerCollector(servers[0]))
    with Client(servers[1].address) as client:
        assert client.ask(b"x") == b"x"
        families, _ = scrape(registry[1])
    found = {
        sample.labels["server"]: sample.value
        for sample in families["iocpreuse_connections_active"].samples
    }
    assert found == {"server 0": 0, "server 1": 1}
    for server in servers:
        server.stop()
    assert len(scrape(registry[1])[0]["iocpreuse_connections"].samples) == 2  # the last figures


WITHOUT = """
    import importlib.util, sys
    found = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *rest: (
        None if name == "prometheus_client" else found(name, *rest))
    sys.modules["prometheus_client"] = None
"""


def test_without_the_library_the_import_names_the_extra():
    done = run_python(
        code=WITHOUT
        + """
    try:
        import iocpreuse.metrics
    except ImportError as exc:
        print(exc)
    """
    )
    assert done.stdout == (
        "iocpreuse.metrics needs the library prometheus_client: "
        "pip install 'iocpreuse[prometheus]'\n"
    )


def test_without_the_library_the_command_names_the_extra():
    done = run_python(
        code=WITHOUT
        + """
    from iocpreuse.cli import main
    sys.exit(main(["echo", "--port", "0", "--prometheus", "9100"]))
    """
    )
    assert done.returncode == 1
    assert "pip install 'iocpreuse[prometheus]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_line():
    """`echo --prometheus 0` says where; the address is answered until the server ends."""
    code = """
import signal, sys, threading
from iocpreuse.cli import main

def interrupt():
    sys.stdin.readline()
    signal.raise_signal(signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
sys.exit(main(["echo", "--port", "0", "--prometheus", "0"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
    ) as child:
        where = re.search(r"http://([\d.]+):(\d+)/metrics", child.stderr.readline())
        child.stdout.readline()
        families, samples = scrape((where[1], int(where[2])))
        child.communicate("\n", timeout=DEADLINE_SECONDS)
    assert child.returncode == 0
    assert where[1] == "127.0.0.1"
    assert families["iocpreuse_connections"].samples[0].labels["server"] == "Echo"
    # The process's own figures come along.
    assert any(name.startswith("python_") for name, _ in samples)


@pytest.mark.parametrize("place", ["", "x", "-1", "65536", ":9100", "host:", "1.2.3.4"])
def test_where_metrics_cannot_be_served(place):
    done = run_python("-m", "iocpreuse", "echo", "--port", "0", f"--prometheus={place}")
    assert done.returncode == 1
    assert done.stderr.startswith("iocpreuse: --prometheus must be [HOST:]PORT")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_for_metrics_that_is_taken(serve):
    taken = serve().address[1]
    done = run_python("-m", "iocpreuse", "echo", "--port", "0", f"--prometheus=127.0.0.1:{taken}")
    assert done.returncode == 1
    assert f"cannot serve metrics on 127.0.0.1 port {taken}: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
