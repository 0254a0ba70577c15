"""Commands of which nothing is heard unless they fail."""

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.missing import Missing

SHOWN_MAX = 4000


def run(
    what: str,
    folder: Path,
    *command: str | Path,
    may_fail: bool = False,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs COMMAND in FOLDER; raises Missing for WHAT if it fails, and then shows what it said."""
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ran.returncode != 0 and not may_fail:
        print(ran.stdout.decode("utf-8", "replace")[-SHOWN_MAX:], flush=True)
        raise Missing(what, f"'{shlex.join(map(str, command))}' failed")
