# SPDX-License-Identifier: BSD-3-Clause
"""The emulated machine's root file system: this machine's own DPDK, busybox and kernel modules.

A driver that dpdk-testpmd links and that EAL opens again from its driver folder is one inode, is loaded once, and
its constructors run once (a second copy panics: "tailq is already registered").
"""
import shutil
from pathlib import Path

from vm import initramfs

# stdbuf lets testpmd write its log line by line.
PROGRAMS = ("/usr/bin/dpdk-testpmd", "/usr/bin/stdbuf", "/usr/libexec/coreutils/libstdbuf.so")
DRIVERS = ("bus_pci", "bus_vdev", "mempool_ring", "net_e1000", "net_vhost", "net_virtio")
MODULES = ("virtio_pci", "9p", "9pnet_virtio", "vfio", "vfio_iommu_type1", "vfio_pci", "uio", "uio_pci_generic")
# EAL refuses a plugin below a world-writable folder.
PLUGIN_FOLDER = Path("/usr/lib/iovtee")


def copy_programs(root, driver_folder):
    drivers = [link for name in DRIVERS for link in driver_folder.glob(f"librte_{name}.so.*")]
    for binary in (*map(Path, PROGRAMS), *sorted(drivers)):
        initramfs.add_program(root, binary)
    # glibc opens it by name when a thread is cancelled.
    initramfs.copy(root, Path("/lib/x86_64-linux-gnu/libgcc_s.so.1"))


def build(image, *, scripts, busybox, module_folder, driver_folder, plugins=()):
    """Write an initramfs image; its unpacked form stays beside it, for a look."""
    root = image.with_suffix(".root")
    initramfs.make_root(root, busybox=busybox, module_folder=module_folder, modules=MODULES,
                        scripts=scripts)
    copy_programs(root, driver_folder)
    for plugin in plugins:
        initramfs.copy_libraries(root, plugin)
        target = root / PLUGIN_FOLDER.relative_to("/") / plugin.name
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(plugin, target)
    initramfs.pack(root, image, busybox)
