# SPDX-License-Identifier: BSD-3-Clause
"""A private Open vSwitch: its own database, sockets, hugepages and network namespace, from the
installed packages; the system's own service is neither needed nor touched."""
import os
import re
import subprocess

from . import hugepages
from .errors import Failure, Skip, check_equal
from .linux import CLONE_NEWNET, die_with_parent, unshare
from .process import Process
from .pvp import Pvp
from .telemetry import DpdkPorts
from .testpmd import eal_args, runtime_dir

VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
HUGE_MB = 512  # OVS asks for 262144 mbufs of 3 KB and halves that until it gets them
BRIDGE = "br0"
# What it logs when something has failed; complaints of the emulated environment are not among them.
BAD_LINE = re.compile(r"\|(EMER|ERR)\|")


class _Vswitchd(Process):
    """ovs-vswitchd makes a tap device for each bridge: in a namespace of its own."""

    @staticmethod
    def _in_child():
        die_with_parent()
        unshare(CLONE_NEWNET)


class Ovs(DpdkPorts):
    def __init__(self, bed, plugins, config=(), eal=()):
        self._prepare(bed)
        hugepages.ensure(HUGE_MB)
        self.huge = hugepages.HugeMount(bed.path("ovs.huge"), HUGE_MB)
        bed.cleanup.push(self.huge.close)
        extra = " ".join([*eal_args("ovs", plugins), "--huge-dir", self.huge.path, *eal])
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:dpdk-socket-limit={HUGE_MB}",
                   f'other_config:dpdk-extra="{extra}"', "other_config:pmd-cpu-mask=0x2",
                   *(f"other_config:{item}" for item in config))
        self.start()
        self.add_bridge(BRIDGE)

    def _prepare(self, bed):
        """All that there is before the daemon starts: an empty database."""
        if not os.path.exists(VSWITCHD):
            raise Skip(f"{VSWITCHD} is not installed (package openvswitch-switch-dpdk)")
        bed.not_under_tsan("hangs when ovs-vswitchd starts EAL")
        self.bed = bed
        self.env = {name: bed.dir for name in
                    ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}
        self.db = "unix:" + bed.path("db.sock")
        self.runtime = runtime_dir(bed, "ovs")
        self._starts = 0
        self._start_database()

    def start(self):
        """The daemon, which does what the database says."""
        self.daemon = _Vswitchd(self.bed, f"vswitchd{self._starts or ''}", [
            VSWITCHD, self.db, "--unixctl=" + self.bed.path("vswitchd.ctl"), "--no-chdir"],
            {**self.env, "RUNTIME_DIRECTORY": self.runtime})
        self._starts += 1

    def _run(self, *argv):
        done = subprocess.run(argv, env={**os.environ, **self.env}, timeout=30,
                              capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout

    def version(self):
        """Major and minor."""
        said = self._run(VSWITCHD, "--version")
        return tuple(map(int, re.search(r"Open vSwitch\) (\d+)\.(\d+)", said).groups()))

    def vsctl(self, *args):
        return self._run("ovs-vsctl", "--timeout=20", "--db=" + self.db, *args)

    def ofctl(self, *args):
        return self._run("ovs-ofctl", "-O", "OpenFlow13,OpenFlow14,OpenFlow15", *args)

    def appctl(self, *args):
        return self._run("ovs-appctl", "-t", self.bed.path("vswitchd.ctl"), *args)

    def ip(self, *args):
        """The ip command among the interfaces of its bridges."""
        return self._run("nsenter", "--net", f"--target={self.daemon.pid}", "ip", *args)

    def _start_database(self):
        path = self.bed.path("conf.db")
        self._run("ovsdb-tool", "create", path, SCHEMA)
        self.database = Process(self.bed, "ovsdb", [
            "ovsdb-server", path, "--remote=p" + self.db,
            "--unixctl=" + self.bed.path("ovsdb.ctl"), "--no-chdir"], self.env)
        self.vsctl("--retry", "--no-wait", "init")

    def add_bridge(self, name):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev",
                   "protocols=OpenFlow13,OpenFlow14,OpenFlow15")

    def join(self, one, other):
        """Patch ports between two bridges."""
        for a, b in ((one, other), (other, one)):
            self.vsctl("add-port", a, f"{a}-{b}", "--", "set", "interface", f"{a}-{b}", "type=patch",
                       f"options:peer={b}-{a}")

    def add_port(self, name, devargs, queues=1, bridge=BRIDGE):
        # DPDK takes no more than 127 bytes here: paths are relative to the test's folder, uplinks are numbers.
        devargs = devargs.replace(self.bed.dir + "/", "").replace("uplink=net_iovtee_uplink", "uplink=")
        self.vsctl("add-port", bridge, name, "--", "set", "interface", name, "type=dpdk",
                   f'options:dpdk-devargs="{devargs}"', f"options:n_rxq={queues}")
        self.check_port(name)

    def check_port(self, name):
        error = self.vsctl("get", "interface", name, "error").strip()
        if error not in ("[]", ""):
            raise Failure(f"OVS port {name}: {error}")

    def del_port(self, name):
        self.vsctl("del-port", name)

    def flows(self, bridge, *flows):
        """These flows and no others."""
        self.ofctl("del-flows", bridge)
        for flow in flows:
            self.ofctl("add-flow", bridge, flow)

    def forward(self, one, other, bridge=BRIDGE):
        """Frames go from each of two ports to the other, and nowhere else."""
        self.flows(bridge, *(f"in_port={a},actions=output:{b}"
                             for a, b in ((one, other), (other, one))))

    def dropped(self, name):
        """Frames that a port has not taken when they were to be sent there."""
        said = self.appctl("dpctl/show", "--statistics")
        return int(re.search(rf"port \d+: {name} .*?TX packets:\d+ errors:\d+ dropped:(\d+)", said, re.S)[1])

    def complaints(self):
        """Lines of its log that tell of errors."""
        return [line for line in self.daemon.output().splitlines() if BAD_LINE.search(line)]

    def quit(self, cleanup=True):
        """End it the regular way; without cleanup the next start goes on as the database says."""
        self.hang_up()
        self.appctl("exit", *(["--cleanup"] if cleanup else []))
        check_equal(self.daemon.wait_exit(20), 0, "exit status of ovs-vswitchd")

    def kill(self):
        self.hang_up()
        self.daemon.kill()


class OvsPvp(Pvp):
    """The test bed with Open vSwitch as the switch: its ports are "uplink" and "guest"."""

    config = ()
    guest_bridge = BRIDGE

    def _start_switch(self, uplink, vhost):
        ovs = Ovs(self.bed, self.bed.plugins(), self.config, self.eal)
        self.bridges(ovs)
        ovs.add_port("uplink", uplink, self.queues)
        ovs.add_port("guest", vhost, self.guest_queues, self.guest_bridge)
        self.wire(ovs)
        return ovs

    def bridges(self, ovs):
        """Make those that there are besides br0."""

    def wire(self, ovs):
        """Make the switch forward."""
        ovs.forward("uplink", "guest")
