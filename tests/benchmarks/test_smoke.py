from benchmarks.__main__ import main
from benchmarks.results import load

WORKLOADS = ("echo-50x64Bx1", "framed", "chat-500x20", "churn-reset", "idle-10000", "computing-1")


def test_a_tiny_campaign(tmp_path, capsys):
    """Ours, the limit and asyncio under one workload of each kind, with all that is written."""
    chosen = ["--workloads", *WORKLOADS, "--contenders", "limit", "ours", "asyncio"]
    sizes = ["--rounds", "1", "--seconds", "0.2", "--warmup", "0.05", "--out", str(tmp_path)]
    assert main(["run", *chosen, *sizes]) == 0
    found = load(tmp_path / "results.json")
    assert found.workload_names() == list(WORKLOADS)
    assert found.contender_names() == ["limit", "ours", "asyncio"]
    assert "iocpreuse" in found.contenders["ours"]["versions"]
    for record in found.records:
        if record.workload != "computing-1":
            assert record.figures["rate"] > 0
            assert record.figures["cpu_us"] > 0
    idle = [record for record in found.records if record.workload == "idle-10000"]
    assert all(record.figures["bytes_a_connection"] > 0 for record in idle)
    assert "echo-50x64Bx1" in capsys.readouterr().out

    again = tmp_path / "again"
    assert main(["report", str(tmp_path / "results.json"), "--out", str(again)]) == 0
    for name in ("tables.md", "rate.svg", "cpu.svg", "latency.svg", "memory.svg"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()
