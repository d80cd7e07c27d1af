#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A container's root file system: testpmd with the drivers that an NF needs, a shell, and their libraries, as this
machine has them. No registry is asked.

Usage: rootfs.py FOLDER"""
import os
import subprocess
import sys
from pathlib import Path

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.join(HERE, "../../..")
sys.path += [os.path.join(HERE, "../nic"), os.path.join(HERE, "..")]

import dpdk_initramfs  # noqa: E402
from vm import initramfs  # noqa: E402

FOLDERS = ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc", "sys", "dev", "run/nf", "tmp", "etc")
SHELL = (Path("/usr/bin/dash"), Path("/usr/bin/rm"))


def _driver_folder():
    def said(*argv):
        return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return Path(said(os.path.join(ROOT, "tools/driver-dir.sh"), said("pkg-config", "--variable=libdir", "libdpdk")))


def make(where):
    root = Path(where)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    # podman's tmpfs takes the mode of the folder that it covers.
    (root / "tmp").chmod(0o1777)
    dpdk_initramfs.copy_programs(root, _driver_folder())
    for program in SHELL:
        initramfs.add_program(root, program)
    (root / "bin/sh").symlink_to("dash")
    return str(root)


if __name__ == "__main__":
    make(*sys.argv[1:])
