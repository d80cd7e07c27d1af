# SPDX-License-Identifier: BSD-3-Clause
"""A private Open vSwitch: its own database, sockets, hugepages and network namespace, from the
installed packages; the system's own service is neither needed nor touched."""
import os
import subprocess

from . import hugepages
from .errors import Failure, Skip
from .linux import CLONE_NEWNET, die_with_parent, unshare
from .process import Process, wait_until
from .telemetry import DpdkPorts
from .testpmd import eal_args, runtime_dir

VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
HUGE_MB = 512  # OVS asks for 262144 mbufs of 3 KB and halves that until it gets them
BRIDGE = "br0"


class _Vswitchd(Process):
    """ovs-vswitchd makes a tap device for each bridge: in a namespace of its own."""

    @staticmethod
    def _in_child():
        die_with_parent()
        unshare(CLONE_NEWNET)


class Ovs(DpdkPorts):
    def __init__(self, bed, plugins, config=(), eal=()):
        if not os.path.exists(VSWITCHD):
            raise Skip(f"{VSWITCHD} is not installed (package openvswitch-switch-dpdk)")
        self.bed = bed
        self.env = {name: bed.dir for name in
                    ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}
        self.db = "unix:" + bed.path("db.sock")
        hugepages.ensure(HUGE_MB)
        self._start_database()
        extra = " ".join([*eal_args("ovs", plugins), *eal])
        self.runtime = runtime_dir(bed, "ovs")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:dpdk-socket-limit={HUGE_MB}",
                   f'other_config:dpdk-extra="{extra}"', "other_config:pmd-cpu-mask=0x2",
                   *(f"other_config:{item}" for item in config))
        self.daemon = _Vswitchd(bed, "vswitchd", [
            VSWITCHD, self.db, "--unixctl=" + bed.path("vswitchd.ctl"), "--no-chdir"],
            {**self.env, "RUNTIME_DIRECTORY": self.runtime})
        self.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev")

    def _run(self, *argv):
        done = subprocess.run(argv, env={**os.environ, **self.env}, timeout=30,
                              capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout

    def vsctl(self, *args):
        return self._run("ovs-vsctl", "--timeout=20", "--db=" + self.db, *args)

    def ofctl(self, *args):
        return self._run("ovs-ofctl", *args)

    def _start_database(self):
        path = self.bed.path("conf.db")
        self._run("ovsdb-tool", "create", path, SCHEMA)
        self.database = Process(self.bed, "ovsdb", [
            "ovsdb-server", path, "--remote=p" + self.db,
            "--unixctl=" + self.bed.path("ovsdb.ctl"), "--no-chdir"], self.env)
        wait_until(lambda: os.path.exists(self.bed.path("db.sock")), 10, "ovsdb-server")
        self.vsctl("--no-wait", "init")

    def add_port(self, name, devargs, queues):
        # DPDK takes no more than 127 bytes here: paths are relative to the test's folder, uplinks are numbers.
        devargs = devargs.replace(self.bed.dir + "/", "").replace("uplink=net_iovtee_uplink", "uplink=")
        self.vsctl("add-port", BRIDGE, name, "--", "set", "interface", name, "type=dpdk",
                   f'options:dpdk-devargs="{devargs}"', f"options:n_rxq={queues}")
        error = self.vsctl("get", "interface", name, "error").strip()
        if error not in ("[]", ""):
            raise Failure(f"OVS port {name}: {error}")

    def forward(self, one, other):
        """Frames go from each of two ports to the other, and nowhere else."""
        self.ofctl("del-flows", BRIDGE)
        for a, b in ((one, other), (other, one)):
            self.ofctl("add-flow", BRIDGE, f"in_port={a},actions=output:{b}")

    def quit(self):
        self.hang_up()
        self._run("ovs-appctl", "-t", self.bed.path("vswitchd.ctl"), "exit", "--cleanup")
        status = self.daemon.wait_exit(20)
        if status:
            raise Failure(f"ovs-vswitchd ended with status {status}")
