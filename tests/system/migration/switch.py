# SPDX-License-Identifier: BSD-3-Clause
"""Two hosts in one Open vSwitch: each has an emulated NIC and a guest's port that is mapped to it. What a NIC sends
comes back to it, as from a switch in the rack; the peer is the bridge's own interface:

    peer -> NIC of the host where the guest was last heard -> guest's port -> guest
    guest -> guest's port -> NIC of its host -> peer

NICs write into guests and read from them, behind the IOMMU model of the emulated NIC."""
import subprocess

from harness import accounts
from harness.errors import check, check_equal
from harness.linux import enter_network
from harness.ovs import BRIDGE, Ovs
from harness.process import wait_until
from vm.guest import ADDRESS, MAC

PEER_ADDRESS = "10.9.0.1"
HOSTS = 2
# Learn where the guest is; and, looked up in table 1, that host's NIC.
LEARN = "learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:{nic}->NXM_NX_REG0[])"
ANNOUNCEMENTS = {"ARP": f"arp,arp_spa={ADDRESS},arp_tpa={ADDRESS}", "RARP": "rarp"}


class Switch(Ovs):
    def __init__(self, bed, lends):
        super().__init__(bed, bed.plugins(), eal=["--iova-mode=va"])
        enter_network(self.daemon.pid)
        for host in range(HOSTS):
            self.add_port(f"nic{host}", f"{self.uplink(host)},dev(net_emunic{host},loop=1),max-frame=1518", 1)
            self.add_port(f"guest{host}", ",".join([
                self.vhost(host), f"iface={self.socket(host)}", f"uplink={self.uplink(host)}", "rxq=0",
                "trust=1", "headroom=strict", f"mac={MAC}", f"tx-zero-copy={'whole' if lends else 'off'}",
                f"state={bed.path('state')}"]), 1)
        self._set_flows()
        for command in (f"link set {BRIDGE} up", f"address add {PEER_ADDRESS}/24 dev {BRIDGE}"):
            subprocess.run(["ip", *command.split()], check=True)

    @staticmethod
    def uplink(host):
        return f"net_iovtee_uplink{host}"

    @staticmethod
    def vhost(host):
        return f"net_iovtee_vhost{host}"

    def socket(self, host):
        return self.bed.path(f"nf{host}.sock")

    def _set_flows(self):
        hosts = range(HOSTS)
        number = {name: int(self.vsctl("get", "interface", name, "ofport"))
                  for host in hosts for name in (f"nic{host}", f"guest{host}")}
        nics = ",".join(f"output:{number[f'nic{host}']}" for host in hosts)
        flows = ["in_port=LOCAL,actions=resubmit(,1),output:NXM_NX_REG0[]",
                 f"table=1,priority=0,actions={nics}"]
        for host in hosts:
            nic, guest = number[f"nic{host}"], number[f"guest{host}"]
            actions = f"actions={LEARN.format(nic=nic)},output:{nic}"
            flows += [f"in_port={guest},{actions}",
                      *(f"priority=40000,in_port={guest},{match},{actions}" for match in ANNOUNCEMENTS.values()),
                      f"in_port={nic},dl_src={MAC},actions=LOCAL",
                      f"priority=100,in_port={nic},actions=output:{guest}"]
        self.ofctl("del-flows", BRIDGE)
        for flow in flows:
            self.ofctl("add-flow", BRIDGE, flow)

    def announcements(self, host, kind):
        """How often the guest has told, from there, where it is."""
        match = ANNOUNCEMENTS[kind]
        dump = self.ofctl("dump-aggregate", BRIDGE,
                          f"{match},in_port={self.vsctl('get', 'interface', f'guest{host}', 'ofport').strip()}")
        return int(dump.split("packet_count=")[1].split()[0])

    def counters(self, host):
        """Of the guest's one queue pair."""
        return self.telemetry.ask("/iovtee/queue", self.port(self.vhost(host)), 0)

    def received(self, host):
        """The counters of the guest's receive side."""
        return {name.removeprefix("tx_q0_"): value for name, value in self.counters(host).items()
                if name.startswith("tx_q0_")}

    def wait_mapped(self, host):
        wait_until(lambda: self.received(host)["mapped"], 10, f"guest{host} to be mapped")

    def check_left(self, host):
        """Nothing is held of a guest that is not there any more."""
        wait_until(lambda: self.received(host)["outstanding"] == 0, 5, "outstanding buffers to be 0")
        received, sent = self.received(host), self.counters(host)
        accounts.check_identity(received)
        check_equal((received["late"], received["abandoned"]), (0, 0), "buffers late and abandoned")
        check_equal(sent["rx_q0_returned"] + sent["rx_q0_overdue"], sent["rx_q0_borrowed"],
                    "packets given back to the guest")
        check_equal((sent["rx_q0_overdue"], sent["rx_q0_ring_errors"]), (0, 0), "packets overdue, ring errors")

    def check_no_faults(self):
        for host in range(HOSTS):
            stats = self.xstats(self.uplink(host))
            check_equal(stats["iommu_faults"], 0, f"iommu_faults of nic{host}")
            check(stats["rx_device_frames"] > 0, f"nic{host} has received nothing")
