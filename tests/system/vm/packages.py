# SPDX-License-Identifier: BSD-3-Clause
"""Debian's kernel and static busybox, unpacked into a cache folder; only QEMU is installed."""
import os
import shutil
import subprocess
from pathlib import Path

QEMU = "qemu-system-x86_64"
APT_SECONDS = 300


class PackageError(Exception):
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


def _unpack(package, into):
    """Download a package and unpack it; a folder is only there when it is complete."""
    if into.is_dir():
        return into
    partial = into.with_name(into.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "deb").mkdir(parents=True)
    _apt("apt-get", "download", package, cwd=partial / "deb")
    for deb in (partial / "deb").glob("*.deb"):
        _apt("dpkg-deb", "--extract", deb, partial)
    shutil.rmtree(partial / "deb")
    partial.rename(into)
    return into


def qemu():
    """The emulator's path; Debian's package is installed when there is none."""
    if not shutil.which(QEMU):
        _apt("apt-get", "install", "--yes", "--no-install-recommends", "qemu-system-x86")
    return shutil.which(QEMU)


def busybox(cache):
    return next(_unpack("busybox-static", cache / "busybox").glob("**/bin/busybox"))


def kernel(cache):
    """(kernel image, folder of its modules): a cached one is used, whatever its version."""
    root = cache / "kernel"
    if not root.is_dir():
        _unpack(_kernel_package(), root)
    image = next(Path(root, "boot").glob("vmlinuz-*"))
    return image, next(Path(root, "lib/modules").glob("*"))
