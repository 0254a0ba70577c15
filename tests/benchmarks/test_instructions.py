"""The count of instructions: is more than the record allows noticed, and wrong bytes?"""

import subprocess
import sys

import pytest

from benchmarks.instructions import __main__ as instructions

RECORD = {"echo": 5000.0, "churn": 10000.0}


def test_more_instructions_than_the_tolerance_are_noticed():
    assert instructions.exceeding({"echo": 5151.0, "churn": 10000.0}, RECORD) == ["echo"]


def test_a_little_more_or_less_is_not():
    assert instructions.exceeding({"echo": 5149.0, "churn": 9000.0}, RECORD) == []


def test_a_new_scenario_has_nothing_to_exceed():
    assert instructions.exceeding({"new": 1.0}, RECORD) == []


def test_wrong_bytes_are_no_count():
    clients = instructions.HERE / "clients.py"
    code = (
        "import socket, subprocess, sys\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "port = str(listener.getsockname()[1])\n"
        f"child = subprocess.Popen([sys.executable, {str(clients)!r}, 'echo', port, '1'])\n"
        "client = listener.accept()[0]\n"
        "client.sendall(b'x' * len(client.recv(4096)))\n"
        "sys.exit(child.wait())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "wrong bytes" in ran.stderr


@pytest.mark.parametrize("scenario", instructions.TIMES)
def test_every_scenario_is_recorded(scenario):
    records = instructions.json.loads(instructions.RECORD.read_text("utf-8"))
    assert records
    assert all(scenario in record for record in records.values())
