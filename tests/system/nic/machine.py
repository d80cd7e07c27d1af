# SPDX-License-Identifier: BSD-3-Clause
"""The emulated machine: q35 with one NIC on a socket, behind an IOMMU (DMA remapping) unless none is wanted."""
import os
import shutil
import subprocess
import time
from pathlib import Path

from harness.errors import Failure
from traffic import NIC_SOCKET, PEER_SOCKET

# From the machine's start until it is off.
RUN_SECONDS = 240
NIC_MAC = "52:54:00:00:00:10"
NF_MAC = "52:54:00:00:00:aa"
# QEMU's igb does not work in every slot.
NIC_SLOT = 4


class Machine:
    """Use with `with`: the machine is gone afterwards, whatever happened.

    All its files lie in the working folder. emulator: vm.packages.Emulator; nic: a device of QEMU's, with
    properties; settings: for the scenario."""

    def __init__(self, emulator, kernel, initramfs, nic, iommu, settings):
        self.folder = Path.cwd()
        self.share = self.folder / "share"
        self.share.mkdir()
        settings = {"nic": f"0000:00:{NIC_SLOT:02x}.0", **settings}
        (self.share / "settings").write_text(
            "".join(f"{name}='{value}'\n" for name, value in settings.items()))
        self.environment = {**os.environ, **emulator.env}
        self.command = [
            # The kernel kills QEMU if this process dies without cleaning up.
            "nice", "-n", "10", "setpriv", "--pdeathsig", "KILL", str(emulator.path), *emulator.args,
            "-nodefaults", "-no-reboot", "-display", "none", "-serial", "file:console.log",
            "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-smp", "2", "-m", "2048",
            "-kernel", str(kernel), "-initrd", str(initramfs),
            # no_timer_check: on a busy host the timer seems broken, and the kernel panics.
            "-append", "console=ttyS0 quiet panic=-1 no_timer_check hugepages=256"
                       + (" intel_iommu=on iommu.strict=1" if iommu else ""),
            # 39 bits, the default, do not reach DPDK's virtual addresses (0x7f...).
            *(["-device", "intel-iommu,intremap=on,aw-bits=48"] if iommu else []),
            "-netdev", f"dgram,id=net,local.type=unix,local.path={NIC_SOCKET},"
                       f"remote.type=unix,remote.path={PEER_SOCKET}",
            "-device", f"{nic},netdev=net,mac={NIC_MAC},addr={NIC_SLOT:#x}",
            "-fsdev", "local,id=share,path=share,security_model=none",
            "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
            "-trace", "vtd_dmar_fault", "-D", "trace.log",
        ]
        self.process = None
        self.deadline = None

    def __enter__(self):
        self.deadline = time.monotonic() + RUN_SECONDS
        with (self.folder / "qemu.log").open("w") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def status(self):
        """What the scenario has reported so far: {key: value}."""
        try:
            lines = (self.share / "status").read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {key: value for key, _, value in (line.partition(" ") for line in lines)}

    def reported(self, key):
        """Has the scenario come that far? Raises if it never will."""
        if key in self.status():
            return True
        if self.process.poll() is not None:
            reason = self.status().get("failed", "see console.log")
            raise Failure(f"the machine ended before '{key}': {reason}; its files are in {self.folder}")
        if time.monotonic() > self.deadline:
            raise Failure(f"no '{key}' in time (reported: {self.status()})")
        return False

    def wait_for(self, key):
        while not self.reported(key):
            time.sleep(0.1)

    def tell(self, key):
        (self.share / key).touch()

    def wait_off(self):
        try:
            self.process.wait(max(0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Failure("the machine did not power off in time") from None

    def log(self, name):
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""


def fresh_folder(folder):
    """Empty, and the working folder: names of sockets are short there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chdir(folder)
