# SPDX-License-Identifier: BSD-3-Clause
"""Debian's kernel, static busybox and a later QEMU, unpacked into a cache folder; only QEMU itself is installed."""
import collections
import os
import re
import shutil
import subprocess
from pathlib import Path

from harness.errors import Skip

QEMU = "qemu-system-x86_64"
# Debian 12's QEMU has no igb; this one is only unpacked.
BACKPORTS = "bookworm-backports"
BACKPORTED = ("qemu-system-x86", "qemu-system-data", "seabios")
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
APT_SECONDS = 300


class PackageError(Skip):
    """A package cannot be had; the message says what to do."""


def _apt(*args, cwd=None):
    result = subprocess.run(args, cwd=cwd, capture_output=True, text=True, timeout=APT_SECONDS,
                            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    if result.returncode != 0:
        raise PackageError(f"'{' '.join(map(str, args))}' failed: {result.stderr.strip()}; "
                           "is a Debian mirror reachable? try 'apt-get update'")
    return result.stdout


def _kernel_package():
    for line in _apt("apt-cache", "depends", "linux-image-amd64").splitlines():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    raise PackageError("apt-cache knows no kernel for linux-image-amd64; try 'apt-get update'")


def _extract(root):
    """The packages in root/deb, into root."""
    for deb in (root / "deb").glob("*.deb"):
        _apt("dpkg-deb", "--extract", deb, root)
    shutil.rmtree(root / "deb")


def _unpack(package, into):
    """Download a package and unpack it; a folder is only there when it is complete."""
    if into.is_dir():
        return into
    partial = into.with_name(into.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "deb").mkdir(parents=True)
    _apt("apt-get", "download", package, cwd=partial / "deb")
    _extract(partial)
    partial.rename(into)
    return into


# A program, arguments that it needs first, and variables of its environment.
Emulator = collections.namedtuple("Emulator", "path args env", defaults=[(), {}])


def qemu():
    """The emulator's path; Debian's package is installed when there is none."""
    if not shutil.which(QEMU):
        _apt("apt-get", "install", "--yes", "--no-install-recommends", "qemu-system-x86")
    return shutil.which(QEMU)


def _backports_options(folder):
    """apt-get with backports in its list, and an index of its own: the machine's stays as it is."""
    uri = re.search(r"^URIs: (\S+)", SOURCES.read_text(), re.M).group(1)
    key = re.search(r"^Signed-By: (\S+)", SOURCES.read_text(), re.M).group(1)
    (folder / "lists/partial").mkdir(parents=True)
    (folder / "cache/archives/partial").mkdir(parents=True)
    (folder / "backports.list").write_text(
        f"deb [signed-by={key}] {uri} bookworm main\ndeb [signed-by={key}] {uri} {BACKPORTS} main\n")
    return ["-o", f"Dir::Etc::sourcelist={folder / 'backports.list'}", "-o", "Dir::Etc::sourceparts=/dev/null",
            "-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]


def _unpack_backports(into):
    if into.is_dir():
        return
    apt, partial = into.with_name("apt.partial"), into.with_name(into.name + ".partial")
    for folder in (apt, partial):
        shutil.rmtree(folder, ignore_errors=True)
    (partial / "deb").mkdir(parents=True)
    options = _backports_options(apt)
    _apt("apt-get", *options, "update")
    _apt("apt-get", *options, "-t", BACKPORTS, "download", *BACKPORTED, cwd=partial / "deb")
    _extract(partial)
    (partial / "no-modules").mkdir()
    shutil.rmtree(apt)
    partial.rename(into)


def backported_qemu(cache):
    """QEMU of Debian's backports, with what it needs of the installed one's packages."""
    qemu()
    root = cache / "qemu-backports"
    _unpack_backports(root)
    folders = [root / "usr/share/qemu", root / "usr/share/seabios", "/usr/lib/ipxe/qemu"]
    return Emulator(root / "usr/bin" / QEMU, [word for folder in folders for word in ("-L", str(folder))],
                    {"QEMU_MODULE_DIR": str(root / "no-modules")})


def busybox(cache):
    return next(_unpack("busybox-static", cache / "busybox").glob("**/bin/busybox"))


def kernel(cache):
    """(kernel image, folder of its modules): a cached one is used, whatever its version."""
    root = cache / "kernel"
    if not root.is_dir():
        _unpack(_kernel_package(), root)
    image = next(Path(root, "boot").glob("vmlinuz-*"))
    return image, next(Path(root, "lib/modules").glob("*"))
