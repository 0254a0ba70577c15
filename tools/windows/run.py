"""Runs one Windows program under Wine, by the rules that docs/windows-lab.md explains."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.windows.prefix import Prefix

LIMIT_S = 600.0
TIMED_OUT = 124


@dataclass(frozen=True)
class Finished:
    """How a program ended. Unix keeps the low eight bits of the exit code."""

    code: int
    output: str


def run(
    prefix: Prefix,
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    limit_s: float = LIMIT_S,
    label: str | None = "",
) -> Finished:
    """Runs COMMAND in FOLDER. Its lines are printed as they come, after LABEL; None: not at all."""
    prefix.check_server()
    # stdin from nowhere and stdout a pipe: on a file, Python dies in init_sys_streams.
    process = subprocess.Popen(
        ["wine", *map(str, command)],
        env={**prefix.environment(), **(environment or {})},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(process, lines, label), daemon=True)
    reader.start()
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        print(f"{label or ''}stopped after {limit_s:.0f} s: {command[0]}", flush=True)
        prefix.stop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        code = TIMED_OUT
    # A program left behind may hold the pipe open: what it still says is not waited for.
    reader.join(5)
    if code != TIMED_OUT:
        prefix.check_server()
    return Finished(code, "".join(lines))


def _read(process: subprocess.Popen[bytes], lines: list[str], label: str | None) -> None:
    assert process.stdout is not None
    for raw in process.stdout:
        line = raw.decode("utf-8", "replace").replace("\r\n", "\n")
        lines.append(line)
        if label is not None:
            sys.stdout.write(label + line)
            sys.stdout.flush()
