"""The mended wineserver: Debian's own source of the installed Wine, and wineserver.patch.

On a stock Wine a recycled socket is dead, because its server keeps the state of the old
connection. Only the server is built, into the cache; nothing installed is changed."""

import hashlib
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import cache, debian
from tools.missing import Missing
from tools.windows import toolchain

PATCH = Path(__file__).with_name("wineserver.patch")
PATCH_IS_FOR = "8.0~repack"
PROTOCOL = "#define SERVER_PROTOCOL_VERSION 758"

SOURCES = Path("/etc/apt")
WITHOUT = """x freetype mingw alsa capi cups dbus fontconfig gphoto gnutls gssapi gstreamer krb5
netapi opencl opengl osmesa oss pcap pulse sane sdl udev unwind usb v4l2 vulkan"""
CFLAGS = ["-O2", "-fPIC", "-fno-strict-aliasing", "-w", "-D__WINESRC__", "-DWINE_UNIX_LIB"]
CFLAGS += ["-Iserver", "-Iinclude", '-DNLSDIR="/usr/share/wine/nls"']
CFLAGS += ['-DBIN_TO_NLSDIR="../../share/wine/nls"']


def mended() -> Path:
    """The mended server; raises Missing where the installed Wine is another one."""
    toolchain.wine()
    version = debian.version("wine")
    if version.partition("-")[0] != PATCH_IS_FOR:
        raise Missing(
            "recycling under Wine",
            f"wineserver.patch is for Debian 12's Wine {PATCH_IS_FOR}, here is {version}",
        )
    digest = hashlib.sha256(PATCH.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    path = cache.folder("windows") / f"wineserver-{version}-{digest[:12]}"
    with cache.lock("wineserver"):
        if not path.exists():
            toolchain.wineserver()
            with cache.building(path) as unfinished, cache.scratch("wine") as scratch:
                source = _source(scratch, version)
                _prepare(source)
                _compile(source, unfinished / "wineserver")
    return path / "wineserver"


def _run(folder: Path, *command: str | Path, may_fail: bool = False) -> None:
    """Runs COMMAND; what it says is shown only if it fails."""
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ran.returncode != 0 and not may_fail:
        print(ran.stdout.decode("utf-8", "replace")[-4000:], flush=True)
        raise Missing("recycling under Wine", f"'{shlex.join(map(str, command))}' failed")


def _source(scratch: Path, version: str) -> Path:
    """Debian's source package, unpacked, with Debian's patches and ours."""
    _run(scratch, "apt-get", *_apt_options(scratch), "-qq", "update")
    fetch = ["-qq", "source", "--download-only", f"wine={version}"]
    _run(scratch, "apt-get", *_apt_options(scratch), *fetch)
    _run(scratch, "dpkg-source", "--no-check", "-x", f"wine_{version}.dsc", "source")
    source = scratch / "source"
    _run(source, "patch", "-p1", "--forward", "--batch", "-i", PATCH)
    return source


def _apt_options(scratch: Path) -> list[str]:
    """Has apt-get use the machine's package sources as source-code ones, with lists of its own."""
    parts = scratch / "parts"
    if not parts.exists():
        parts.mkdir()
        for name in ("lists/partial", "archives/partial"):
            (scratch / name).mkdir(parents=True)
        lists = [SOURCES / "sources.list", *sorted((SOURCES / "sources.list.d").iterdir())]
        for number, path in enumerate(path for path in lists if path.is_file()):
            text = path.read_text("utf-8")
            # Other archives have no Wine, and may have no sources at all.
            if "debian" in text:
                text = re.sub(r"(?m)^(Types:\s*)deb\b(?!-src).*", r"\1deb-src", text)
                text = re.sub(r"(?m)^deb\s", "deb-src ", text)
                (parts / f"{number}{path.suffix}").write_text(text, "utf-8")
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": parts,
        "Dir::State::Lists": scratch / "lists",
        "Dir::Cache": scratch,
        # apt drops root for a user that may not write here, and says so at length.
        "APT::Sandbox::User": "root",
    }
    return [part for name, value in options.items() for part in ("-o", f"{name}={value}")]


def _prepare(source: Path) -> None:
    """Makes the generated files that the server needs."""
    generate = source / "debian" / "scripts" / "generate"
    generate.chmod(0o755)
    for name in ("trace", "request"):
        _run(source, generate, f"server/{name}.generated", "make_requests")
    _run(source, "tools/make_requests")
    for name in ("config.sub", "config.guess"):
        (source / "tools" / name).unlink(missing_ok=True)
        (source / "tools" / name).symlink_to(Path("/usr/share/misc") / name)
    _run(source, "autoconf", "-f")
    _run(source, "autoheader")
    configure = ["./configure", "--enable-win64", "--disable-tests"]
    configure += [f"--without-{name}" for name in WITHOUT.split()]
    # It ends with an error of makedep, once include/config.h is there; that is all we need.
    _run(source, *configure, may_fail=True)
    if not (source / "include" / "config.h").stat().st_size:
        raise Missing("recycling under Wine", "Wine's configure wrote no config.h")
    if PROTOCOL not in (source / "include" / "wine" / "server_protocol.h").read_text("utf-8"):
        raise Missing("recycling under Wine", f"Wine's source has not '{PROTOCOL}'")


def _compile(source: Path, out: Path) -> None:
    """Compiles and links server/*.c."""

    def compile_one(path: Path) -> None:
        _run(source, "gcc", "-c", *CFLAGS, path, "-o", path.with_suffix(".o"))

    files = sorted((source / "server").glob("*.c"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, files))
    _run(source, "gcc", *(path.with_suffix(".o") for path in files), "-o", out, "-lrt")
