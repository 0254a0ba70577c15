"""Debian's archive as apt knows it here, any suite of it; the machine's own lists stay."""

import subprocess
from pathlib import Path

from tools import debian, quiet
from tools.missing import Missing

KEYRINGS = Path("/usr/share/keyrings")
TARGETS = ("indextargets", "--format", "$(LABEL)|$(REPO_URI)|$(RELEASE)", "Created-By: Packages")


class Archive:
    """apt-get with package lists of its own, in FOLDER; SUITE None: the suites of this machine.

    KIND says what is listed: deb or deb-src. WHAT is left out where something fails."""

    def __init__(self, folder: Path, what: str, kind: str, suite: str | None = None) -> None:
        self.folder = folder
        self._what = what
        for name in ("parts", "lists/partial", "archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        places = self._places(suite)
        lines = [f"{kind} {_key()}{uri} {release} main" for uri, release in places]
        (folder / "parts" / "debian.list").write_text("\n".join(lines) + "\n", "utf-8")
        # That succeeds also where nothing could be fetched.
        self._apt("update")
        if not any((folder / "lists").glob("*_dists_*")):
            raise Missing(what, f"the archive at {places[0][0]} cannot be reached")

    def source(self, package: str, version: str | None = None, *, patched: bool = True) -> Path:
        """A source package in the folder `source`, unpacked, with Debian's patches or without."""
        debian.install(self._what, "dpkg-dev", "xz-utils")
        wanted = f"{package}={version}" if version else package
        self._apt("source", "--download-only", wanted)
        found = sorted(self.folder.glob(f"{package}_*.dsc"))
        how = ("--no-check",) if patched else ("--no-check", "--skip-patches")
        unpack = ("dpkg-source", *how, "-x", found[0].name, "source")
        quiet.run(self._what, self.folder, *unpack)
        return self.folder / "source"

    def packages(self, *names: str) -> list[Path]:
        """The files of packages, and of all that they need on a machine that has nothing."""
        self._apt("install", "--download-only", "--no-install-recommends", "--yes", *names)
        return sorted((self.folder / "archives").glob("*.deb"))

    def _places(self, suite: str | None) -> list[tuple[str, str]]:
        """Where Debian's packages come from on this machine, and the suites there."""
        debian.refresh(self._what)
        targets = subprocess.run(["apt-get", *TARGETS], capture_output=True, text=True, check=True)
        lines = [line.split("|") for line in targets.stdout.splitlines()]
        places = [(uri, release) for label, uri, release in lines if label == "Debian"]
        if suite is not None:
            places = [(uri, suite) for uri, _ in places[:1]]
        if not places:
            raise Missing(self._what, "apt-get has to know an archive of Debian")
        return list(dict.fromkeys(places))

    def _apt(self, *arguments: str) -> None:
        options = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": self.folder / "parts",
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::Status": self.folder / "status",
            "Dir::Cache": self.folder,
            # apt drops root for a user that may not write here, and says so at length.
            "APT::Sandbox::User": "root",
        }
        settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        quiet.run(self._what, self.folder, "apt-get", "-qq", *settings, *arguments)


def _key() -> str:
    """Has apt trust Debian's key, which knows the suites of others than this machine's release."""
    found = sorted(KEYRINGS.glob("debian-archive-keyring.[gp][pg][gp]"))
    return f"[signed-by={found[0]}] " if found else ""
