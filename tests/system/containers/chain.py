# SPDX-License-Identifier: BSD-3-Clause
"""Two NICs, Open vSwitch, and between them two NFs in containers, each with a port to either side:

    NIC 0 - uplink0 = nf0.a  nf0.b = nf1.a  nf1.b = uplink1 - NIC 1

nf0.a and nf1.b are mapped to the uplinks. Traffic goes both ways. nf0 swaps MAC addresses, nf1 changes nothing."""
import time

from harness import accounts, pcap
from harness.capture import to_one_host
from harness.errors import check, check_equal
from harness.ovs import BRIDGE, Ovs
from harness.process import wait_until
from harness.pvp import mac_bytes
from nf import SETTLE, Nf
from podman import Podman

MACS = "52:54:00:00:00:01", "52:54:00:00:00:02"
LINKS = ("uplink0", "nf0a"), ("nf0b", "nf1a"), ("nf1b", "uplink1")
# A rate that NFs keep up with that share two CPUs with everything else.
RATE = 5000
TRANSMIT_SHARE = 0.9


class Side:
    """One uplink and the NF's port that is mapped to it; what harness.accounts asks for."""

    def __init__(self, chain, number, vhost, nf):
        self.bed, self.chain, self.number, self.nf = chain.bed, chain, number, nf
        self.uplink, self.vhost = f"net_iovtee_uplink{number}", vhost

    @property
    def switch(self):
        return self.chain.switch

    def emunic(self, command):
        port = sorted(self.switch.telemetry.ask("/emunic/list"))[self.number]
        return self.switch.telemetry.ask(f"/emunic/{command}", port)

    def queue(self):
        return self.switch.telemetry.ask("/iovtee/queue", self.switch.port(self.vhost), 0)

    def counters(self):
        """Of what the NF receives."""
        return {name[6:]: value for name, value in self.queue().items() if name.startswith("tx_q0_")}

    def sent(self):
        """Of what the NF sends."""
        return {name[6:]: value for name, value in self.queue().items() if name.startswith("rx_q0_")}

    def returned(self):
        return self.emunic("stats")["tx_device_frames"]

    def check_no_faults(self, order=True):
        stats = self.switch.xstats(self.uplink)
        for name in ("iommu_faults", "tx_corrupt", "tx_duplicate", *(["tx_out_of_order"] if order else [])):
            check_equal(stats[name], 0, f"{name} of {self.uplink}")


class Chain:
    """sources: for each NIC the devargs of its traffic."""

    def __init__(self, bed, sources, **nf0):
        self.bed = bed
        self.podman = Podman(bed)
        self.nfs = [Nf(self.podman, "nf0", ("a", "b"), "macswap", **nf0), Nf(self.podman, "nf1", ("a", "b"), "io")]
        for nf in self.nfs:
            nf.start()
        self.switch = Ovs(bed, bed.plugins())
        for number, source in enumerate(sources):
            self.switch.add_port(f"uplink{number}", f"net_iovtee_uplink{number},dev(net_emunic{number},"
                                 f"pause=1,start=manual,{source})", 1)
        mapped = [f"uplink=net_iovtee_uplink{n},mac={mac},starve=nic,headroom=guest,tx-zero-copy=whole" for n, mac in enumerate(MACS)]
        for number, (name, options) in enumerate((("nf0a", mapped[0]), ("nf0b", ""), ("nf1a", ""), ("nf1b", mapped[1]))):
            path = self.nfs[int(name[2])].socket(name[3])
            self.switch.add_port(name, f"net_iovtee_vhost{number},iface={path},client=1,trust=1,"
                                 f"state={bed.path('state')}{',' if options else ''}{options}", 1)
        self.switch.ofctl("del-flows", BRIDGE)
        for link in LINKS:
            for one, other in (link, link[::-1]):
                self.switch.ofctl("add-flow", BRIDGE, f"in_port={one},actions=output:{other}")
        self.sides = [Side(self, 0, "net_iovtee_vhost0", self.nfs[0]), Side(self, 1, "net_iovtee_vhost3", self.nfs[1])]

    def wait_up(self, seconds=20):
        def up():
            return all(side.counters()["mapped"] for side in self.sides)
        wait_until(up, seconds, "both NFs to be mapped")
        for number in (1, 2):
            port = self.switch.port(f"net_iovtee_vhost{number}")
            wait_until(lambda: self.switch.telemetry.ask("/ethdev/link_status", port)["status"] == "UP", seconds,
                       f"port {port} to be up")
        time.sleep(SETTLE)

    def start_sources(self):
        for side in self.sides:
            side.emunic("start")

    def stop_sources(self):
        for side in self.sides:
            side.emunic("stop")

    def wait_through(self, frames, seconds=30):
        """So many more frames leave each NIC."""
        want = [side.returned() + frames for side in self.sides]
        wait_until(lambda: all(side.returned() >= n for side, n in zip(self.sides, want)), seconds,
                   f"{frames} more frames to pass, both ways")

    def check_ended(self):
        for side in self.sides:
            accounts.check_ended(side)


class Replay(Chain):
    """Real traffic, once, both ways."""

    def __init__(self, bed, **nf0):
        self.frames = [to_one_host(bed.session.frames(), mac_bytes(mac)) for mac in MACS]
        self.captures = [bed.path(f"out{n}.pcap") for n in range(2)]
        sources = []
        for number, frames in enumerate(self.frames):
            path = bed.path(f"in{number}.pcap")
            pcap.write(path, frames)
            sources.append(f"rx_pcap={path},tx_pcap={self.captures[number]},rate={RATE}")
        super().__init__(bed, sources, **nf0)

    def run(self, seconds=60):
        self.start_sources()
        wait_until(lambda: all(side.returned() >= len(frames) for side, frames in zip(self.sides, self.frames[::-1])),
                   seconds, "all frames to pass, both ways")

    def check_contents(self):
        """After the switch has ended: byte for byte what was sent into the other NIC, each flow in order."""
        for number, capture in enumerate(self.captures):
            want = [pcap.swap_macs(frame) for frame in self.frames[1 - number]]
            check_equal(pcap.check_flows_in_order(pcap.read(capture), want), 0, f"frames lost before NIC {number}")


def shares(side, frames):
    """Shares of what came from the NIC, of what was sent to it, that were not copied."""
    received, sent = side.counters(), side.sent()
    accounts.check_identity(received)
    accounts.share(received, frames)
    check(sent["borrowed"] >= TRANSMIT_SHARE * sent["packets"],
          f"{sent['borrowed']} of {sent['packets']} frames of {side.nf.name} were sent in place")
    return received["zero_copy_packets"] / frames, sent["borrowed"] / sent["packets"]
