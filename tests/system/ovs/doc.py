# SPDX-License-Identifier: BSD-3-Clause
"""docs/ovs.md does what it says: its commands are run, in their order, and frames come back without a copy."""
import os
import re
import shlex
import subprocess

from harness import hugepages
from harness.errors import Failure, Skip, check, check_equal
from harness.ovs import HUGE_MB, Ovs
from harness.process import Process, wait_until
from harness.registry import test

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
BLOCK = re.compile(r"^```sh( guest)?\n(.*?)^```$", re.M | re.S)
RESTART = "systemctl restart openvswitch-switch"
FRAMES = 1000


class DocOvs(Ovs):
    """An Open vSwitch that the page sets up: commands find its database and socket by the environment."""

    def __init__(self, bed):
        self._prepare(bed)
        self.guest = None
        os.mkdir(bed.path("bin"))
        with open(bed.path("bin/ovs-appctl"), "w", encoding="ascii") as shim:
            shim.write(f'#!/bin/sh\nexec /usr/bin/ovs-appctl -t {bed.path("vswitchd.ctl")} "$@"\n')
            os.fchmod(shim.fileno(), 0o755)
        self.shell_env = {**os.environ, **self.env, "PLUGINS": os.path.dirname(bed.session.plugin("iovtee")),
                          "SOCKETS": bed.dir, "PATH": bed.path("bin") + ":" + os.environ["PATH"]}

    def command(self, line):
        if line == RESTART:
            self.start()
            return ""
        done = subprocess.run(["sh", "-euc", line], env=self.shell_env, cwd=ROOT, timeout=60, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{line}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start_guest(self, line):
        argv = [word.replace("$SOCKETS", self.bed.dir) for word in shlex.split(line)]
        self.guest = Process(self.bed, "guest", argv, {"RUNTIME_DIRECTORY": self.bed.dir})


def commands(block):
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@test("ovs-doc")
def doc(bed):
    """Every command of the page, and what it is to lead to."""
    if not os.path.ismount("/dev/hugepages"):
        raise Skip("/dev/hugepages is not mounted (tools/hugepages.sh)")
    hugepages.ensure(2 * HUGE_MB)
    with open(os.path.join(ROOT, "docs/ovs.md"), encoding="utf-8") as page:
        blocks = BLOCK.findall(page.read())
    check_equal([bool(guest) for guest, _ in blocks].count(True), 1, "guests in the page")
    ovs = DocOvs(bed)
    for guest, block in blocks:
        for line in commands(block):
            if guest:
                ovs.start_guest(line)
                wait_until(lambda: zero_copy(ovs) >= FRAMES, 30, f"{FRAMES} frames without a copy")
            else:
                ovs.command(line)
    nic = ovs.telemetry.ask("/emunic/stats", min(ovs.telemetry.ask("/emunic/list")))
    check(nic["tx_verified"] >= FRAMES, f"only {nic['tx_verified']} frames came back")
    check_equal((nic["tx_corrupt"], nic["iommu_faults"]), (0, 0), "corrupt frames, and faults")
    ovs.guest.kill()
    ovs.quit()


def zero_copy(ovs):
    port = ovs.port("net_iovtee_vhost0")
    return ovs.telemetry.ask("/iovtee/queue", port, 0)["tx_q0_zero_copy_packets"]


def refused(ovs, why, *args):
    done = subprocess.run(["tools/ovs-add-pair", *args], env=ovs.shell_env, cwd=ROOT, timeout=60, capture_output=True, text=True)
    check(done.returncode == 1 and why in done.stderr, f"ovs-add-pair {' '.join(args)} says {done.stderr.strip()!r}")


@test("ovs-add-pair")
def add_pair(bed):
    """What the script refuses, with the reason, and without a trace."""
    hugepages.ensure(HUGE_MB)
    ovs = DocOvs(bed)
    ovs.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
              f'other_config:dpdk-extra="--no-pci -d {bed.session.plugin("iovtee")} -d {bed.session.plugin("emunic")}"')
    ovs.start()
    ovs.add_bridge("br0")
    one = ("--mac", "02:00:00:00:00:01")
    refused(ovs, "there is no bridge br9", *one, "br9", "u0", "g0")
    refused(ovs, "--dev is missing", *one, "br0", "u0", "g0")
    refused(ovs, "--mac is missing", "--dev", "net_emunic0,rxq=2", "br0", "u0", "g0")
    refused(ovs, "--rxq 0 is where", "--rxq", "0", *one, "br0", "u0", "g0")
    refused(ovs, "is no number", "--queues", "two", *one, "br0", "u0", "g0")
    refused(ovs, "unknown option", "--frob", "br0", "u0", "g0")
    refused(ovs, "u0 cannot be added", "--dev", "net_emunic0,frob=2", *one, "br0", "u0", "g0")
    check_equal(ovs.vsctl("list-ports", "br0"), "", "ports that are left")
    pair = f"tools/ovs-add-pair --trust --socket {bed.path('g0.sock')} --dev net_emunic0,rxq=2 br0 u0 g0"
    ovs.command(pair.replace("--trust", "--trust --dry-run"))
    check_equal(ovs.vsctl("list-ports", "br0"), "", "ports that a dry run has added")
    ovs.command(pair)
    refused(ovs, "has a port g0 already", "--trust", "br0", "u0", "g0")
    refused(ovs, "leave out --dev", "--trust", "--dev", "net_emunic1", "br0", "u0", "g1")
    refused(ovs, "is not an uplink", "--trust", "br0", "g0", "g1")
    ovs.command(pair.replace("--dev net_emunic0,rxq=2", "--rxq 1 --guest dpdk").replace("g0", "g1").replace("--trust", f"--mac {one[1]}"))
    check_equal(ovs.vsctl("list-ports", "br0").split(), ["g0", "g1", "u0"], "ports")
    check_equal(ovs.vsctl("get", "interface", "u0", "options:n_rxq").strip(), '"2"', "queues of the uplink that are polled")
    ovs.quit()
