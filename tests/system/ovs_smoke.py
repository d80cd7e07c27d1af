# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with our ports: the distribution's binaries, plugins loaded by dpdk-extra, ports
given as type=dpdk. Run by tests/integration/run."""
from harness import accounts, pcap
from harness.errors import check, check_equal
from harness.ovs import Ovs
from harness.pvp import Pvp
from harness.registry import test

RATE = 20000


class OvsPvp(Pvp):
    config = ()

    def _start_switch(self, uplink, vhost):
        ovs = Ovs(self.bed, self.bed.plugins(), self.config)
        ovs.add_port("uplink", uplink, self.queues)
        ovs.add_port("guest", vhost, self.guest_queues)
        ovs.forward("uplink", "guest")
        return ovs


class TsoPvp(OvsPvp):
    config = ("userspace-tso-enable=true",)


def run(bed, switch=OvsPvp, **config):
    pvp = switch(bed, rate=RATE, **config)
    pvp.start_nf()
    pvp.run_all()
    pvp.check_no_faults()
    accounts.check_running(pvp, pvp.unicast())
    pvp.nf.quit()
    accounts.check_ended(pvp)
    lost = pcap.check_flows_in_order(pvp.end(), pvp.expected())
    if bed.ports == "iovtee":  # with net_vhost, OVS drops what the guest's ring has no room for
        check_equal(lost, 0, "frames lost")
    return pvp


@test("ovs-trusted")
def ovs_trusted(bed):
    """Real traffic through OVS: all comes back, intact, each flow in order, without a copy."""
    run(bed)


@test("ovs-steered")
def ovs_steered(bed):
    """The same with trust=0: the guest's MAC is steered to queue 1 of the uplink's two."""
    run(bed, queues=2, guest_queues=1, trust=0, rxq=1)


@test("ovs-userspace-tso")
def ovs_userspace_tso(bed):
    """OVS with segmentation offload finds all that it needs in our port, and nothing else changes."""
    bed.need_iovtee()
    pvp = run(bed, TsoPvp)
    said = pvp.switch.daemon.output()
    check("Userspace TCP Segmentation Offloading support enabled" in said,
          "OVS does not say that it has userspace TSO")
    check("guest: Tx TSO offload is not supported" not in said, "OVS does not find TSO in the port")
