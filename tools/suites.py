"""Compiles the C suites for this machine and runs them: python -m tools.suites [SANITIZERS ...].

Each argument is one build's sanitizers, such as address,undefined or thread."""

import sys

from tools import cache, programs

ENVIRONMENT = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def main(builds: list[str]) -> int:
    results: list[bool] = []
    for sanitizers in builds or [""]:
        print(f"C suites, {sanitizers or 'plain'} build", flush=True)
        results += suites(programs.LINUX, sanitizers)
        # The simulator has one thread only, and swaps stacks, which TSan does not follow.
        if sanitizers != "thread":
            results += suites(programs.SIMULATOR, sanitizers)
    print(f"C suites: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if results and all(results) else 1


def suites(target: programs.Target, sanitizers: str) -> list[bool]:
    """Builds and runs the programs of TARGET; whether each has passed."""
    if sanitizers:
        target = target.with_flags(f"-fsanitize={sanitizers}", "-fno-omit-frame-pointer")
    with cache.scratch("suites") as folder:
        try:
            built = programs.build(target, folder)
        except programs.BuildError as error:
            print(error)
            return [False]
        return [programs.run(program, ENVIRONMENT) for program in built]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
