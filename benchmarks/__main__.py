"""The campaign by hand: python -m benchmarks run|report|chart|requests|list."""

import argparse
import contextlib
import json
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from benchmarks import contenders, environments, report, requests, results, wine, workloads
from benchmarks.build import build
from benchmarks.campaign import Campaign, Plan
from benchmarks.contenders import Contender
from benchmarks.progress import reporting
from benchmarks.trial import Host, LinuxHost, Timing, TrialError
from tools import cache, programs
from tools.missing import Missing, left_out

ROUNDS, QUICK_ROUNDS = 5, 2
SECONDS, QUICK_SECONDS = 2.0, 0.6
REQUESTS = ("churn-clean", "churn-reset", "echo-1x64Bx1")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code: 1 also if a trial failed."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except Missing as reason:
        left_out(reason)
    except (ValueError, TrialError, programs.BuildError) as error:
        print(error, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)

    run = commands.add_parser("run", help="measure, and report")
    run.add_argument("--quick", action="store_true", help="the most telling part, in 3 minutes")
    run.add_argument("--wine", action="store_true", help="the servers on Windows, under Wine")
    _add_names(run)
    run.add_argument("--rounds", type=int, help=f"({ROUNDS}; quick: {QUICK_ROUNDS})")
    run.add_argument("--seconds", type=float, help=f"measured ({SECONDS}; quick: {QUICK_SECONDS})")
    run.add_argument("--warmup", type=float, default=0.3, help="seconds before (%(default)s)")
    run.add_argument(
        "--free-threaded",
        type=Path,
        metavar="PYTHON",
        help="a free-threaded interpreter, for the workloads with work in the callback",
    )
    run.set_defaults(command=_run)

    again = commands.add_parser("report", help="make the tables and plots of a run anew")
    again.add_argument("results", type=Path, help="the JSON file of the run")
    again.add_argument("--out", type=Path, help="folder (the file's own)")
    again.set_defaults(command=_report)

    chart = commands.add_parser("chart", help="draw the front page's chart anew from tables.md")
    chart.add_argument("folder", type=Path, help="that of tables.md: docs/performance")
    chart.set_defaults(command=_chart)

    count = commands.add_parser("requests", help="count what servers under Wine ask its kernel")
    _add_names(count)
    count.set_defaults(command=_requests)

    names = commands.add_parser("list", help="say what there is to run")
    names.set_defaults(command=_list)
    return parser


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workloads", nargs="+", metavar="NAME", help="workloads, or their groups")
    parser.add_argument("--contenders", nargs="+", metavar="NAME")
    parser.add_argument("--out", type=Path, help="folder for what was seen (in the cache)")


def _folder(arguments: argparse.Namespace) -> Path:
    folder: Path = arguments.out or cache.folder("benchmarks", time.strftime("run-%Y%m%d-%H%M%S"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _able(arguments: argparse.Namespace) -> list[Contender]:
    """Those that can be measured there, with that interpreter."""
    if arguments.free_threaded:
        environments.require_free_threaded(arguments.free_threaded)
    everybody = contenders.WINDOWS if arguments.wine else contenders.LINUX
    return [one for one in everybody if arguments.free_threaded or not one.free_threaded]


def _plan(arguments: argparse.Namespace) -> Plan:
    quick, able = arguments.quick, _able(arguments)
    loads: Sequence[str] = workloads.WINE if arguments.wine else workloads.names()
    who: Sequence[str] = [one.name for one in able]
    if quick:
        loads = [name for name in workloads.QUICK if name in loads]
        who = [name for name in contenders.QUICK if name in who]
    rounds = arguments.rounds or (QUICK_ROUNDS if quick else ROUNDS)
    seconds = arguments.seconds or (QUICK_SECONDS if quick else SECONDS)
    if rounds < 1 or seconds <= 0 or arguments.warmup < 0:
        raise ValueError("--rounds, --seconds and --warmup must be positive")
    plan = Plan(
        workloads.choose(arguments.workloads or loads),
        contenders.choose(able, arguments.contenders or who),
        rounds,
        Timing(arguments.warmup, seconds),
    )
    if not plan.count():
        raise ValueError("none of these contenders takes part in any of these workloads")
    return plan


@contextlib.contextmanager
def _host(arguments: argparse.Namespace, able: Sequence[Contender]) -> Iterator[Host]:
    """Where the servers run, with all that ABLE need."""
    if arguments.wine:
        with wine.wine_host(able) as windows:
            yield windows
    else:
        linux = LinuxHost(build("limit"), arguments.free_threaded)
        linux.prepare(able)
        yield linux


def _run(arguments: argparse.Namespace) -> int:
    plan, folder, console = _plan(arguments), _folder(arguments), Console()
    command = shlex.join(["python", *sys.orig_argv[1:]])
    with _host(arguments, plan.contenders) as host:
        campaign = Campaign(plan, host, build("generator"), folder / "results.json", command)
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


def _chart(arguments: argparse.Namespace) -> int:
    if report.write_chart(arguments.folder):
        return 0
    raise ValueError(f"{arguments.folder / report.TABLES} lacks figures that the chart shows")


def _requests(arguments: argparse.Namespace) -> int:
    loads = workloads.choose(arguments.workloads or REQUESTS)
    everybody = [contender.name for contender in contenders.WINDOWS]
    who = contenders.choose(contenders.WINDOWS, arguments.contenders or everybody)
    folder = _folder(arguments)
    counts = requests.count(loads, who, build("generator"))
    (folder / "requests.json").write_text(json.dumps(counts, indent=1) + "\n", "utf-8")
    text = requests.markdown(counts)
    (folder / "requests.md").write_text(text, "utf-8")
    Console().print(Markdown(text))
    print(folder)
    return 0


def _list(_: argparse.Namespace) -> int:
    loads = [f"  {load.name} ({load.group})" for load in workloads.WORKLOADS]
    print("workloads, and their groups:", *loads, sep="\n")
    for title, of_title in (("here", contenders.LINUX), ("under Wine", contenders.WINDOWS)):
        print(f"contenders {title}: {', '.join(one.name for one in of_title)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
