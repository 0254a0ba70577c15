"""Tiny campaigns from end to end."""

import socket
import sys
import threading

import pytest

from benchmarks import churn, contenders, environments
from benchmarks.__main__ import main
from benchmarks.results import load

WORKLOADS = ("echo-50x64Bx1", "framed", "chat-500x20", "churn-reset", "idle-10000", "computing-1")
CONTENDERS = ("limit", "ours")


def test_a_tiny_campaign(tmp_path, capsys):
    """Ours and the limit under a workload of each kind, with all that is written."""
    chosen = ["--workloads", *WORKLOADS, "--contenders", *CONTENDERS]
    sizes = ["--rounds", "1", "--seconds", "0.2", "--warmup", "0.05", "--out", str(tmp_path)]
    assert main(["run", *chosen, *sizes]) == 0
    found = load(tmp_path / "results.json")
    assert found.workload_names() == list(WORKLOADS)
    assert found.contender_names() == list(CONTENDERS)
    assert "iocpreuse" in found.contenders["ours"]["versions"]
    for record in found.records:
        assert record.figures["rate"] > 0
        assert record.figures["cpu_us"] > 0
    idle = [record for record in found.records if record.workload == "idle-10000"]
    assert all(record.figures["bytes_a_connection"] > 0 for record in idle)
    assert "echo-50x64Bx1" in capsys.readouterr().out

    again = tmp_path / "again"
    assert main(["report", str(tmp_path / "results.json"), "--out", str(again)]) == 0
    for name in ("tables.md", "rate.svg", "cpu.svg", "latency.svg", "memory.svg"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_tiny_churn(tmp_path):
    """What the Windows runners do, here on the package of an environment of its own."""
    ours = contenders.choose(contenders.LINUX, ["ours"])[0]
    out = tmp_path / "churn.json"
    # The Python that runs this has no iocpreuse.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(environments.interpreter(ours)))
        results = churn.run(2, churn.Crowd(processes=2, connections=30))
    results.save(out)
    found = load(out)
    assert found.workload_names() == ["churn-clean", "churn-reset"]
    assert [record.contender for record in found.records] == [
        *("ours-fresh", "ours") * 2,
        *("ours", "ours-fresh") * 2,
    ]
    assert found.contenders["ours-fresh"]["versions"]["recycling"] == "off"
    assert all(record.figures["rate"] > 0 for record in found.records)


def test_the_churn_clients_notice_wrong_bytes():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            with listener.accept()[0] as client:
                client.sendall(b"x" * len(client.recv(4096)))

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionError, match="wrong bytes"):
            churn.visit(listener.getsockname()[1], 1, reset=False)
        thread.join()
