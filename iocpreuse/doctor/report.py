"""The findings as a page of plain text, to be pasted."""

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from iocpreuse.doctor.answer import Answer
from iocpreuse.doctor.disconnects import KINDS
from iocpreuse.doctor.examination import Findings
from iocpreuse.doctor.histogram import BOUNDS_MS
from iocpreuse.doctor.questions import QUESTIONS

WIDTH: Final = 100
LABEL_WIDTH: Final = 12
COLUMN_WIDTH: Final = 16


def page(findings: Findings) -> str:
    """The whole page."""
    failures = findings.failures()
    lines = [
        *_system(findings.system),
        *_entry("winsock", findings.provider),
        *_entry("recycling", findings.recycling),
        *_entry("churn", findings.churn),
        "",
        *_times(findings.disconnect_times),
        "",
        *_questions(findings.questions),
        "",
    ]
    for failure in failures:
        lines += _wrap(f"FAILED      {failure}", LABEL_WIDTH)
    took = f"{findings.seconds:.0f} s"
    lines.append(f"{len(failures)} failed, in {took}" if failures else f"all right, in {took}")
    # Providers and errors may have names that a console or a pipe cannot write.
    return "\n".join(lines).encode("ascii", "backslashreplace").decode()


def _wrap(text: str, indent: int) -> list[str]:
    """Lines of TEXT; all but the first are indented."""
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def _labelled(label: str, text: str) -> list[str]:
    return _wrap(f"{label:<{LABEL_WIDTH}}{text}", LABEL_WIDTH)


def _entry(label: str, answer: Answer) -> list[str]:
    return _labelled(label, answer.text)


def _system(system: dict[str, Any]) -> Iterator[str]:
    gil = "with a GIL" if system["gil"] else "without a GIL"
    build = ["debug build"] if system["debug_build"] else []
    build += ["free-threaded build"] if system["free_threaded_build"] else []
    wine = f", Wine {system['wine']}" if system["wine"] else ""
    yield from _labelled(
        "iocpreuse",
        f"{system['package']}, backend {system['backend']}, {system['extension']}",
    )
    yield from _labelled(
        "python",
        ", ".join(
            [f"{system['implementation']} {system['python']}", system["compiler"], gil, *build]
        ),
    )
    cpus = f"{system['processors']} processors"
    yield from _labelled("system", f"{system['os']}{wine}, {system['machine']}, {cpus}")


def _times(answer: Answer) -> Iterator[str]:
    """The histogram as a table: a row for a bound, a column for each end."""
    kinds = [kind for kind in KINDS if kind in answer.figures]
    if not kinds:
        yield from _entry("disconnects", answer)
        return
    heads = "".join(f"{kind.replace('_', ' '):>{COLUMN_WIDTH}}" for kind in kinds)
    yield f"{'DisconnectEx':<{COLUMN_WIDTH}}{heads}"
    columns = [answer.figures[kind] for kind in kinds]
    counts = [
        {each["up_to_ms"]: each["count"] for each in column["histogram"]} for column in columns
    ]
    for bound in (*BOUNDS_MS, None):
        if any(bound in column for column in counts):
            yield _row(_bound(bound), [column.get(bound, 0) for column in counts])
    if any(column["still_waiting"] for column in columns):
        yield _row("still waiting", [column["still_waiting"] for column in columns])
    for why in sorted({why for column in columns for why in column["refused"]}):
        yield _row(why, [column["refused"].get(why, 0) for column in columns])
    for name in ("median_ms", "max_ms"):
        yield _row(name.replace("_", ", "), [column[name] for column in columns])
    if any(column["still_waiting"] for column in columns):
        yield f"they were waited for during {answer.figures['waited_seconds']:.1f} s at the end"


def _bound(bound: float | None) -> str:
    if bound is None:
        return f"> {BOUNDS_MS[-1] / 1000:g} s"
    return f"<= {bound:g} ms" if bound < 1000 else f"<= {bound / 1000:g} s"


def _row(label: str, values: list[float | None]) -> str:
    cells = "".join(f"{'-' if value is None else f'{value:,}':>{COLUMN_WIDTH}}" for value in values)
    return f"{label:<{COLUMN_WIDTH}}{cells}"


def _questions(answers: dict[str, Answer]) -> Iterator[str]:
    for question in QUESTIONS:
        yield question.text
        yield from _wrap(f"    {answers[question.name].text}", 4)
