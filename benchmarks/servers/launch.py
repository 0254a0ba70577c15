"""Starts one of the servers: python -P benchmarks/servers/launch.py PROGRAM ROLE [OPTIONS].

The tree comes last on the path, so that the package that is measured is the installed one."""

import runpy
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent.parent))
program = sys.argv.pop(1)
runpy.run_module(f"benchmarks.servers.{program}", run_name="__main__", alter_sys=True)
