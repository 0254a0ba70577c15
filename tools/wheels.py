"""The wheels that a release has, compared with what cibuildwheel would build."""

import re
import subprocess
import sys
from importlib import metadata

from tools.tree import ROOT

PYTHONS = ("cp311", "cp312", "cp313", "cp314", "cp314t", "cp315", "cp315t")
PLATFORMS = {
    "windows": ("win_amd64", "win_arm64", "win32"),
    "linux": (
        "manylinux_x86_64",
        "manylinux_aarch64",
        "musllinux_x86_64",
        "musllinux_aarch64",
    ),
}
ARCHITECTURES = {"windows": "AMD64,ARM64,x86", "linux": "x86_64,aarch64"}
WORKFLOW = ROOT / ".github" / "workflows" / "wheels.yml"


def main() -> int:
    """Prints every difference; returns the exit code."""
    differences = []
    for system, platforms in PLATFORMS.items():
        wanted = {f"{python}-{platform}" for python in PYTHONS for platform in platforms}
        built = identifiers(system)
        differences += [f"not built: {name}" for name in sorted(wanted - built)]
        differences += [f"not wanted: {name}" for name in sorted(built - wanted)]
    used = re.findall(r"pypa/cibuildwheel@v(\S+)", WORKFLOW.read_text("utf-8"))
    if used != [version()]:
        differences.append(f"{WORKFLOW.name} has cibuildwheel {used}, this check {version()}")
    for difference in differences:
        print(difference)
    return 1 if differences else 0


def identifiers(system: str) -> set[str]:
    """What cibuildwheel builds for SYSTEM, by pyproject.toml."""
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers"]
    command += ["--platform", system, "--archs", ARCHITECTURES[system]]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(shown.stdout.split())


def version() -> str:
    """The version of cibuildwheel that is installed."""
    return metadata.version("cibuildwheel")


if __name__ == "__main__":
    sys.exit(main())
