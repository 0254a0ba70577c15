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
    failed = 0
    passed = 0
    for sanitizers in builds or [""]:
        target = programs.LINUX
        if sanitizers:
            target = target.with_flags(f"-fsanitize={sanitizers}", "-fno-omit-frame-pointer")
        print(f"C suites, {sanitizers or 'plain'} build", flush=True)
        with cache.scratch("suites") as folder:
            for program in programs.build(target, folder):
                if programs.run(program, ENVIRONMENT):
                    passed += 1
                else:
                    failed += 1
    print(f"C suites: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except programs.BuildError as error:
        sys.exit(str(error))
