# SPDX-License-Identifier: BSD-3-Clause
"""An initramfs of busybox, kernel modules and scripts; a test may put more into its root."""
import os
import re
import shutil
import subprocess
from pathlib import Path

FOLDERS = ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "modules",
           "proc", "sys", "dev", "tmp", "run", "share")


def _load_order(folder, names):
    """Module files, each after those that it depends on (read from its .modinfo section)."""
    files = {f.stem.replace("-", "_"): f for f in folder.glob("kernel/**/*.ko")}
    order = []

    def add(name):
        # What has no file is built into the kernel.
        if name not in files or files[name] in order:
            return
        depends = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes()).group(1)
        for dependency in filter(None, depends.decode().split(",")):
            add(dependency.replace("-", "_"))
        order.append(files[name])

    for name in names:
        add(name)
    return order


def make_root(root, *, busybox, module_folder, modules, scripts):
    """A fresh root folder: the modules numbered in the order in which they are to be loaded, the
    scripts, {name: file}, at its top."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    (root / "var").mkdir()
    (root / "var/run").symlink_to("/run")
    shutil.copy2(busybox, root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    for number, module in enumerate(_load_order(module_folder, modules)):
        shutil.copy2(module, root / "modules" / f"{number:02}-{module.name}")
    for name, script in scripts.items():
        shutil.copy2(script, root / name)


def copy(root, path):
    """Copy a file to the same place below root, with the links that lead to it."""
    path = Path(os.path.realpath(path.parent)) / path.name
    target = root / path.relative_to("/")
    if os.path.lexists(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        target.symlink_to(os.readlink(path))
        copy(root, path.parent / os.readlink(path))
    else:
        shutil.copy2(path, target)


def copy_libraries(root, path):
    listing = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    if "not found" in listing:
        raise FileNotFoundError(f"{path} misses libraries: {listing}")
    for library in re.findall(r"(/\S+) \(0x", listing):
        copy(root, Path(library))


def add_program(root, path):
    """A program or library of this machine, and all that it links, each where it is here."""
    copy(root, path)
    copy_libraries(root, path)


def pack(root, image, busybox):
    # Not compressed: an emulated CPU takes longer to unpack it than QEMU takes to load it.
    # With the root folder itself: a kernel's own is world-writable, and EAL takes no plugin below.
    paths = [root, *sorted(root.rglob("*"))]
    names = b"\n".join(os.fsencode(path.relative_to(root)) for path in paths)
    with image.open("wb") as out:
        subprocess.run([busybox, "cpio", "-o", "-H", "newc"], cwd=root, input=names,
                       stdout=out, stderr=subprocess.DEVNULL, check=True)
