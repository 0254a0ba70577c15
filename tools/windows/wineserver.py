"""The mended wineserver: Debian's own source of the installed Wine, and a patch for it.

On a stock Wine a recycled socket is dead, because its server keeps the state of the old
connection. Only the server is built, into the cache; nothing installed is changed."""

import hashlib
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import cache, debian, quiet
from tools.archive import Archive
from tools.missing import Missing
from tools.windows import prefix, toolchain

# By the version of Wine that each is for.
PATCHES = {
    version: Path(__file__).with_name(f"wineserver-{version}.patch") for version in ("8.0", "10.0")
}
WHAT = "recycling under Wine"

WITHOUT = """x freetype mingw alsa capi cups dbus fontconfig gphoto gnutls gssapi gstreamer krb5
netapi opencl opengl osmesa oss pcap pulse sane sdl udev unwind usb v4l2 vulkan"""
CFLAGS = ["-O2", "-fPIC", "-fno-strict-aliasing", "-w", "-D__WINESRC__", "-DWINE_UNIX_LIB"]
CFLAGS += ["-Iserver", "-Iinclude"]
# Where it finds the tables of characters: 8.0 asks for the first two, 10.0 for the others.
CFLAGS += ['-DNLSDIR="/usr/share/wine/nls"', '-DBIN_TO_NLSDIR="../../share/wine/nls"']
CFLAGS += ['-DBINDIR="/usr/bin"', '-DDATADIR="/usr/share"']


def mended() -> Path:
    """The mended server; raises Missing where the installed Wine is another one."""
    toolchain.wine()
    version = debian.version("wine")
    patch = PATCHES.get(re.split(r"[~-]", version)[0])
    if patch is None:
        known = " and ".join(PATCHES)
        raise Missing(WHAT, f"there are patches for Wine {known}, not for {version}")
    digest = hashlib.sha256(patch.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    path = cache.folder("windows") / f"wineserver-{version}-{digest[:12]}"
    prefix.template()
    with cache.lock("wineserver"):
        if not path.exists():
            toolchain.wineserver()
            with cache.building(path) as unfinished, cache.scratch("wine") as scratch:
                source = Archive(scratch, WHAT, "deb-src").source("wine", version)
                quiet.run(WHAT, source, "patch", "-p1", "--forward", "--batch", "-i", patch)
                _prepare(source)
                _compile(source, unfinished / "wineserver")
                _prove(unfinished / "wineserver")
    return path / "wineserver"


def _prepare(source: Path) -> None:
    """Makes the generated files that the server needs."""
    generate = source / "debian" / "scripts" / "generate"
    # Debian's 8.0 has a script for two of them; 10.0 has none, and needs none.
    if generate.exists():
        generate.chmod(0o755)
        for name in ("trace", "request"):
            quiet.run(WHAT, source, generate, f"server/{name}.generated", "make_requests")
    quiet.run(WHAT, source, "tools/make_requests")
    for name in ("config.sub", "config.guess"):
        (source / "tools" / name).unlink(missing_ok=True)
        (source / "tools" / name).symlink_to(Path("/usr/share/misc") / name)
    quiet.run(WHAT, source, "autoconf", "-f")
    quiet.run(WHAT, source, "autoheader")
    configure = ["./configure", "--enable-win64", "--disable-tests"]
    configure += [f"--without-{name}" for name in WITHOUT.split()]
    # It ends with an error of makedep, once include/config.h is there; that is all we need.
    quiet.run(WHAT, source, *configure, may_fail=True)
    if not (source / "include" / "config.h").stat().st_size:
        raise Missing(WHAT, "Wine's configure wrote no config.h")


def _compile(source: Path, out: Path) -> None:
    """Compiles and links server/*.c."""

    def compile_one(path: Path) -> None:
        quiet.run(WHAT, source, "gcc", "-c", *CFLAGS, path, "-o", path.with_suffix(".o"))

    files = sorted((source / "server").glob("*.c"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, files))
    objects = [path.with_suffix(".o") for path in files]
    quiet.run(WHAT, source, "gcc", *objects, "-o", out, "-lrt")


def _prove(server: Path) -> None:
    """The installed Wine has to be content with it: client and server compare their protocol."""
    with prefix.booted(server) as booted:
        ran = subprocess.run(
            ["wine", "cmd", "/c", "exit 7"],
            env=booted.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    if ran.returncode != 7:
        raise Missing(WHAT, f"'exit 7' on the mended wineserver ended with {ran.returncode}")
