"""Hammers on the installed package: python -m tools.hammer [--seconds 3600] [--seed 1].

The program is tests/python/hammer.py; this watches over it from outside."""

import argparse
import os
import subprocess
import sys

from tools import tree

PROGRAM = tree.TESTS / "python" / "hammer.py"
# Beyond its time; it ends a server that hangs, and itself, much sooner.
GRACE_S = 600


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="an hour")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random but threads")
    options = parser.parse_args(argv)
    # -P: iocpreuse is the installed package.
    command = [sys.executable, "-P", str(PROGRAM)]
    settings = [f"--seconds={options.seconds}", f"--seed={options.seed}"]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parent)}
    try:
        ran = subprocess.run(
            [*command, *settings], env=environment, timeout=options.seconds + GRACE_S, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"hammer: seed {options.seed}: it hung, and printed nothing")
        return 1
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
