# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with our ports: the distribution's binaries, plugins loaded by dpdk-extra, ports
given as type=dpdk. Run by tests/integration/run."""
from cases import guest_asks, offload
from harness import accounts, pcap
from harness.errors import check, check_equal
from harness.ovs import OvsPvp
from harness.packets import TCP, Packet, check_segments
from harness.process import wait_until
from harness.registry import test

RATE = 20000


class TsoPvp(OvsPvp):
    config = ("userspace-tso-enable=true",)


def run(bed, switch=OvsPvp, **config):
    if bed.ports == "iovtee":
        config = {"headroom": "guest", **config}  # the guest is a DPDK application
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


def segment_size(packet, ovs):
    """OVS cuts to the MTU of the port that it sends to; before 3.4 even where the guest has asked for shorter segments."""
    fits = 1500 - packet.ip_len - 20
    return fits if ovs < (3, 4) else min(fits, offload.MSS)


def segments(frame, ovs):
    packet = Packet(frame)
    return -(-len(packet.payload) // segment_size(packet, ovs)) if packet.proto == TCP else 1


def check_flows(received, frames, ovs):
    """All of each flow, in order: OVS batches by flow."""
    flows = {}
    for packet in map(Packet, received):
        flows.setdefault((packet.proto, packet.version), []).append(packet.frame)
    for frame in frames:
        n, packet = segments(frame, ovs), Packet(frame)
        flow = flows[packet.proto, packet.version]
        if packet.proto == TCP:
            check_segments(flow[:n], frame, segment_size(packet, ovs))
        else:
            Packet(flow[0]).check_complete()
            check(Packet(flow[0]).without_sums() == packet.without_sums(), "a datagram has changed")
        del flow[:n]
    check_equal(sum(map(len, flows.values())), 0, "frames too many")


@test("ovs-guest-asks")
def ovs_guest_asks(bed):
    """A guest leaves checksums and segmentation to the switch; OVS carries that on to the NIC."""
    bed.need_iovtee()
    out = bed.path("wire.pcap")
    frames = offload.small_packets() + offload.large_packets(3000, 9001, 60000)
    pvp = TsoPvp(bed, generator=f"count=1,tx_pcap={out}", **{"tx-offload": "tso"})
    guest = guest_asks.start_guest(bed, pvp.socket, frames, True)
    ovs = pvp.switch.version()
    want = sum(segments(frame, ovs) for frame in frames)
    wait_until(lambda: pvp.emunic("stats")["tx_device_frames"] >= want, 30, f"{want} frames to leave the NIC")
    uplink = pvp.switch.xstats(pvp.uplink)
    pvp.check_no_faults()
    guest.quit()
    pvp.switch.quit()
    check_equal(uplink["tx_checksums"], want, "checksums made by the NIC")
    check_flows(pcap.read(out), frames, ovs)
