# SPDX-License-Identifier: BSD-3-Clause
"""The bed of these tests: traffic through rules, network functions that record, what must hold at the end."""
from harness import accounts, pcap
from harness.errors import check, check_equal
from harness.ovs import OvsPvp
from harness.pvp import NF_MAC, QUEUE_SIZE, mac_bytes
from harness.testpmd import Testpmd

RATE = 10000
LONG_QUEUE = 1024  # OVS drops what a guest has no buffer for, unlike a NIC that waits
LOSS = 0.2
MAC = mac_bytes(NF_MAC)


class RulePvp(OvsPvp):
    """wire(ovs) makes the bridges and rules."""

    def __init__(self, bed, wire, **config):
        self._wire = wire
        super().__init__(bed, rate=RATE, **{"headroom": "guest", **config})

    def wire(self, ovs):
        self._wire(ovs)


class Recorder(Testpmd):
    """A network function that writes down what it receives, and sends what it is given."""

    def __init__(self, bed, name, socket, mac, frames=None):
        self.out = bed.path(name + ".pcap")
        source = ""
        if frames is not None:
            pcap.write(bed.path(name + "-in.pcap"), frames)
            source = f",rx_pcap={bed.path(name + '-in.pcap')}"
        super().__init__(
            bed, name, [f"net_virtio_user0,path={socket},queue_size={QUEUE_SIZE},mac={mac}",
                        f"net_pcap0,tx_pcap={self.out}{source}"],
            eal=["--single-file-segments"], app=[f"--rxd={QUEUE_SIZE}", f"--txd={QUEUE_SIZE}"])
        self.ready()
        self.cmd("set fwd io retry")
        self.cmd("set burst tx delay 10 retry 100000")
        self.cmd("start")

    def received(self):
        return self.stats("net_virtio_user0")["ipackets"]

    def end(self):
        """End it; return what it has recorded."""
        self.quit()
        return pcap.read(self.out)


def finish(pvp, expected, zero_copy=None, taken_out=0, look=list, pools=True):
    """The run is over: no fault, all buffers accounted for, nothing of the guest's left; what left the NIC is all
    that was expected, each flow in order, but what the switch dropped, since the guest had no buffer for it, and what
    a rule has taken out. zero_copy: so many frames were to be delivered without a copy; then none may be dropped.
    look: what to compare of the frames that left."""
    dropped = pvp.switch.dropped("guest") + pvp.switch.dropped("uplink")
    pvp.check_no_faults(order=False)
    if zero_copy is not None:
        accounts.check_running(pvp, zero_copy)
        check_equal(dropped, 0, "frames dropped by the switch")
    check(dropped <= LOSS * len(expected), f"the switch has dropped {dropped} of {len(expected)} frames")
    pvp.nf.quit()
    accounts.check_ended(pvp, order=False, pools=pools)
    check_equal(pvp.switch.complaints(), [], "complaints of ovs-vswitchd")
    check_equal(pcap.check_flows_in_order(look(pvp.end()), expected), dropped + taken_out, "frames lost")
