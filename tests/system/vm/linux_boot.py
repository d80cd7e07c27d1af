# SPDX-License-Identifier: BSD-3-Clause
"""Everything that a Linux guest boots from: QEMU, Debian's kernel, an initramfs with a shell on a console."""
import collections
import fcntl
from pathlib import Path

from vm import initramfs, packages
from vm.suite import CACHE

MODULES = ("virtio_pci", "virtio_net", "virtio_console")
PROGRAMS = ("/usr/bin/iperf3", "/usr/sbin/ethtool")

Boot = collections.namedtuple("Boot", "qemu kernel initramfs")


def prepare():
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        qemu, busybox = packages.qemu(), packages.busybox(CACHE)
        kernel, module_folder = packages.kernel(CACHE)
        root, image = CACHE / "linux-guest.root", CACHE / "linux-guest.img"
        initramfs.make_root(root, busybox=busybox, module_folder=module_folder, modules=MODULES,
                            scripts={"init": Path(__file__).parent / "linux-init"})
        for program in map(Path, PROGRAMS):
            initramfs.add_program(root, program)
        initramfs.pack(root, image, busybox)
    return Boot(qemu, kernel, image)
