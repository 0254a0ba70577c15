"""`python -m iocpreuse doctor`: each question gets an answer, whatever becomes of asking it."""

import json
import re
import time

import pytest
from peers import ROOT, WINDOWS, WINE, run_python

from iocpreuse.doctor import system
from iocpreuse.doctor.answer import Answer
from iocpreuse.doctor.examination import Findings
from iocpreuse.doctor.histogram import Histogram
from iocpreuse.doctor.questions import QUESTIONS
from iocpreuse.doctor.recycling import faults
from iocpreuse.doctor.report import page

KINDS = ("client_first", "we_first", "reset")
WINDOWS_ONLY = {question.name for question in QUESTIONS if question.elsewhere}


def doctor(*arguments, timeout=150):
    return run_python("-m", "iocpreuse", "doctor", *arguments, timeout=timeout)


def doctor_with_steps(code, tmp_path, *arguments, timeout=100):
    """The doctor whose steps are a program: CODE, and then the step itself."""
    program = tmp_path / "faulty_step.py"
    program.write_text(f"import os, sys, threading\nfrom iocpreuse.doctor import step\n{code}\n")
    with program.open("a") as file:
        file.write("step.main(sys.argv[1:])\n")
    return run_python(
        code=f"""
        import sys
        from iocpreuse.cli import main
        from iocpreuse.doctor import child, examination
        child.STEP = (sys.executable, {str(program)!r})
        examination.QUESTION_SECONDS = 8.0
        sys.exit(main(["doctor", *{arguments!r}]))
        """,
        timeout=timeout,
    )


@pytest.mark.timeout(200)
def test_every_question_is_answered(expect_recycling):
    """More time than the default, for machines that do much else: it ends when it is through."""
    done = doctor("--json", "--seconds", "120")
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["failures"] == []
    assert told["ok"] is True
    assert done.returncode == 0
    check_recycling(told, expect_recycling)
    assert set(told["questions"]) == {question.name for question in QUESTIONS}
    for name, answer in told["questions"].items():
        assert answer["question"].endswith("?")
        assert answer["text"]
        here = WINDOWS or name not in WINDOWS_ONLY
        # What Wine does not do, such as a disconnect that waits, has no subject there either.
        right = (
            {"measured", *(["does not apply"] if WINDOWS else [])} if here else {"does not apply"}
        )
        assert answer["status"] in right, answer
    if WINDOWS:
        check_times(told["disconnect_times"])
        check_windows_answers(told)
    check_documented(told)


def check_recycling(told, expected):
    figures = told["recycling"]["figures"]
    assert figures["rounds"] == figures["connections_total"] == figures["ends_told"] == 1000
    assert figures["wrong_answers"] == 0
    if expected is not None:
        assert figures["recycling"] == expected
    churn = told["churn"]
    assert churn["status"] == "measured", churn
    if figures["recycling"] == "verified":
        assert figures["sockets_recycled"] >= 990
        assert figures["sockets_created"] < 300
        ratio = churn["figures"]["ratios"]["connections_per_second"]
        assert 0 < ratio["least"] <= ratio["median"] <= ratio["greatest"]
        rounds = churn["figures"]["rounds"]
        assert len(rounds["auto"]) == len(rounds["off"]) > 0
    else:
        assert figures["sockets_recycled"] == 0
        assert figures["sockets_created"] >= 1000
        assert "ratios" not in churn["figures"]
        assert "nothing to compare" in churn["text"]


def check_times(times):
    assert times["status"] == "measured"
    for kind in KINDS:
        told = times["figures"][kind]
        assert sum(each["count"] for each in told["histogram"]) == told["ended"] > 0
        assert told["count"] == told["ended"] + told["still_waiting"] + sum(
            told["refused"].values()
        )


def check_windows_answers(told):
    """What is known to be so, on Windows and on both wineservers."""
    assert told["provider"]["figures"]["ifs_handles"] is True
    answers = {name: answer["figures"] for name, answer in told["questions"].items()}
    assert answers["cancel_receive"]["heard"] is True
    assert answers["cancel_receive"]["status"] == "C0000120"
    assert answers["adopted_listener"]["second_port_error"] == 87
    assert answers["adopted_listener"]["second_hears_after_its_select"] is True
    assert answers["send_without_overlapped"]["bytes_taken"] > 0
    assert answers["send_without_overlapped"]["bytes_lost"] == 0
    assert answers["skip_on_success"]["before"] == {"receive_error": 0, "packet": False}
    if WINE:
        assert told["system"]["wine"]
        assert answers["cancel_disconnect"]["time_wait"]["waited"] is False


def check_documented(told):
    """docs/doctor.md has a row for each key of the object."""
    page = ROOT / "docs" / "doctor.md"
    if page.exists():
        rows = re.findall(r"^\| `([\w.]+)` \|", page.read_text("utf-8"), re.MULTILINE)
        parts = {key for key in rows if "." not in key}
        assert parts == set(told) | set(told["questions"])
        system = {key.removeprefix("system.") for key in rows if key.startswith("system.")}
        assert system == set(told["system"])


def test_the_page_in_little_time():
    begin = time.monotonic()
    done = doctor("--seconds", "10")
    assert time.monotonic() - begin < 40, "a minute at most is meant so"
    lines = done.stdout.splitlines()
    assert lines[0].startswith("iocpreuse   ")
    assert re.fullmatch(r"(all right|\d+ failed), in \d+ s", lines[-1])
    assert max(map(len, lines)) <= 100
    for question in QUESTIONS:
        assert question.text in lines
    for label in ("python", "system", "winsock", "recycling", "churn"):
        assert any(line.startswith(f"{label:12}") for line in lines)


@pytest.mark.timeout(200)
def test_a_crash_or_a_hang_costs_one_answer(tmp_path):
    code = """
if sys.argv[1] == "churn":
    print("last words", file=sys.stderr, flush=True)
    os._exit(7)
if sys.argv[1] == "bind_again":
    threading.Event().wait()
"""
    done = doctor_with_steps(code, tmp_path, "--json", "--seconds", "120", timeout=150)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["ok"] is False
    assert told["churn"]["status"] == "failed"
    assert told["churn"]["text"] == "it crashed (exit code 7): last words"
    assert told["questions"]["bind_again"]["status"] == "hung"
    assert {failure.partition(":")[0] for failure in told["failures"]} >= {"churn", "bind_again"}
    assert told["recycling"]["figures"]["rounds"] > 0
    assert told["questions"]["cancel_receive"]["status"] in ("measured", "does not apply")


def test_nothing_outlasts_the_time_in_all(tmp_path):
    begin = time.monotonic()
    code = "threading.Event().wait()"
    done = doctor_with_steps(code, tmp_path, "--json", "--seconds", "10")
    told = json.loads(done.stdout)
    assert time.monotonic() - begin < 40
    assert done.returncode == 1
    assert told["recycling"]["status"] == "left out"
    assert told["churn"]["text"] == "there was no time left of 10 s"
    assert any(failure.startswith("recycling:") for failure in told["failures"])


def test_wrong_bytes_are_a_failure(tmp_path):
    code = """
from iocpreuse.doctor import recycling
recycling.ROUNDS = 10
recycling.Echo.on_data = lambda self, session, data: session.send(data[::-1])
"""
    done = doctor_with_steps(code, tmp_path, "--json", "--seconds", "10")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert "recycling: 10 of 10 clients got wrong bytes, or none" in told["failures"]


def test_recycling_that_does_not_hold_is_a_failure():
    good = {
        "recycling": "verified",
        "rounds": 1000,
        "wrong_answers": 0,
        "ends_told": 1000,
        "connections_total": 1000,
        "sockets_recycled": 1000,
    }
    assert faults(good) == []
    assert faults({**good, "sockets_recycled": 989}) == ["only 989 of 1000 sockets were recycled"]
    assert faults({**good, "recycling": "unsupported", "sockets_recycled": 0}) == []
    assert len(faults({**good, "ends_told": 999})) == 1


@pytest.mark.parametrize(
    ("backend", "wine", "failures"), [("iocp", None, 1), ("iocp", "8.0", 0), ("epoll", None, 0)]
)
def test_windows_itself_has_to_recycle(backend, wine, failures):
    answer = Answer("as it is")
    recycling = Answer("unsupported", {"recycling": "unsupported", "failures": []})
    runs = {"backend": backend, "wine": wine}
    found = Findings(runs, answer, recycling, answer, answer, {}, 1.0).failures()
    assert len(found) == failures


def test_the_page_is_plain_text():
    """A system speaks the language of its user, and not every pipe there can write it."""
    answer = Answer("Сетевой провайдер", {"recycling": "off"})
    names = {question.name: answer for question in QUESTIONS}
    findings = Findings(system.describe(), answer, answer, answer, answer, names, 1.0)
    text = page(findings)
    assert text.isascii()
    assert text.count("\\u0421") >= len(QUESTIONS)


def test_histogram():
    histogram = Histogram()
    for seconds in (0.00005, 0.0001, 0.002, 500.0):
        histogram.add(seconds)
    histogram.refuse("error 10057")
    histogram.still_waiting = 2
    assert histogram.as_json() == {
        "count": 7,
        "ended": 4,
        "median_ms": 1.05,
        "max_ms": 500_000.0,
        "histogram": [
            {"up_to_ms": 0.1, "count": 2},
            {"up_to_ms": 3.0, "count": 1},
            {"up_to_ms": None, "count": 1},
        ],
        "still_waiting": 2,
        "refused": {"error 10057": 1},
    }


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--seconds", "9"), "must be a number of seconds from 10 to 3600, not '9'"),
        (("--seconds", "nan"), "must be a number of seconds from 10 to 3600, not 'nan'"),
        (("--seconds", "1e9"), "from 10 to 3600"),
        (("--seconds", "soon"), "from 10 to 3600, not 'soon'"),
        (("--quick", "--seconds", "20"), "not allowed with"),
        (("--fast",), "unrecognized arguments: --fast"),
    ],
)
def test_mistakes_are_clear(arguments, text):
    done = doctor(*arguments)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
