"""The campaign by hand: python -m benchmarks run|report|list."""

import argparse
import shlex
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from benchmarks import contenders, report, results, workloads
from benchmarks.build import build
from benchmarks.campaign import Campaign, Plan
from benchmarks.progress import reporting
from benchmarks.trial import LinuxHost, Timing
from tools import cache, programs
from tools.missing import Missing, left_out

ROUNDS, QUICK_ROUNDS = 5, 2
SECONDS, QUICK_SECONDS = 2.0, 0.6


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code: 1 also if a trial failed."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except Missing as reason:
        left_out(reason)
    except (ValueError, programs.BuildError) as error:
        print(error, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)

    run = commands.add_parser("run", help="measure, and report")
    run.add_argument("--quick", action="store_true", help="the most telling part, in 3 minutes")
    run.add_argument("--workloads", nargs="+", metavar="NAME", help="workloads, or their groups")
    run.add_argument("--contenders", nargs="+", metavar="NAME")
    run.add_argument("--rounds", type=int, help=f"({ROUNDS}; quick: {QUICK_ROUNDS})")
    run.add_argument("--seconds", type=float, help=f"measured ({SECONDS}; quick: {QUICK_SECONDS})")
    run.add_argument("--warmup", type=float, default=0.3, help="seconds before (%(default)s)")
    run.add_argument(
        "--free-threaded",
        type=Path,
        metavar="PYTHON",
        help="a free-threaded interpreter, for the workloads with work in the callback",
    )
    run.add_argument("--out", type=Path, help="folder of what it saw (in the cache)")
    run.set_defaults(command=_run)

    again = commands.add_parser("report", help="make the tables and plots of a run anew")
    again.add_argument("results", type=Path, help="the JSON file of the run")
    again.add_argument("--out", type=Path, help="folder (the file's own)")
    again.set_defaults(command=_report)

    names = commands.add_parser("list", help="say what there is to run")
    names.set_defaults(command=_list)
    return parser


def _plan(arguments: argparse.Namespace) -> Plan:
    quick = arguments.quick
    loads = arguments.workloads or (workloads.QUICK if quick else workloads.names())
    able = [one for one in contenders.LINUX if arguments.free_threaded or not one.free_threaded]
    everybody = [contender.name for contender in able]
    who = arguments.contenders or (contenders.QUICK if quick else everybody)
    rounds = arguments.rounds or (QUICK_ROUNDS if quick else ROUNDS)
    seconds = arguments.seconds or (QUICK_SECONDS if quick else SECONDS)
    timing = Timing(arguments.warmup, seconds)
    plan = Plan(workloads.choose(loads), contenders.choose(able, who), rounds, timing)
    if rounds < 1 or seconds <= 0 or arguments.warmup < 0:
        raise ValueError("--rounds, --seconds and --warmup must be positive")
    if not plan.count():
        raise ValueError("none of these contenders takes part in any of these workloads")
    return plan


def _run(arguments: argparse.Namespace) -> int:
    plan = _plan(arguments)
    folder = arguments.out or cache.folder("benchmarks", time.strftime("run-%Y%m%d-%H%M%S"))
    folder.mkdir(parents=True, exist_ok=True)
    host = LinuxHost(build("limit"), arguments.free_threaded)
    host.prepare(plan.contenders)
    out = folder / "results.json"
    campaign = Campaign(plan, host, build("generator"), out, shlex.join(sys.orig_argv[1:]))
    console = Console()
    with reporting(console, plan.count()) as reporter:
        found = campaign.run(reporter)
    console.print(Markdown(report.write(found, folder)))
    print(f"\n{folder}: results.json, tables.md and the plots")
    return 1 if found.failures() else 0


def _report(arguments: argparse.Namespace) -> int:
    folder = arguments.out or arguments.results.parent
    folder.mkdir(parents=True, exist_ok=True)
    report.write(results.load(arguments.results), folder)
    print(folder)
    return 0


def _list(_: argparse.Namespace) -> int:
    print(
        "workloads:", *(f"  {load.name} ({load.group})" for load in workloads.WORKLOADS), sep="\n"
    )
    everybody = (*contenders.LINUX, *contenders.WINDOWS)
    print("contenders:", *sorted({f"  {contender.name}" for contender in everybody}), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
