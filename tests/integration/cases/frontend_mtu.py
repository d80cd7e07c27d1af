# SPDX-License-Identifier: BSD-3-Clause
"""The MTU that a front end tells its guest, and that of the uplink. The test front end's guest complains of each
frame that is longer than it was told."""
import random

from cases.offload import MSS, configure, endless_switch, large_packets, tx_counters
from harness import accounts, flows, map_reasons, pcap
from harness.errors import check, check_equal
from harness.frontend import Frontend, FrontendPvp
from harness.process import wait_until
from harness.pvp import NF_MAC, mac_bytes
from harness.registry import test

RING = {"split": 256, "packed": 255}
BOUND = {"len_min": 2100, "len_max": 3000}
MTU, ETH, TAG = 1000, 14, 4
MAC = mac_bytes(NF_MAC)
FLOW = (bytes([10, 1, 0, 1, 10, 2, 0, 1]), b"\x10\0\0\x09")


def frame(rng, length, mac=MAC):
    return flows.frame(rng, FLOW, mac, length)


def tagged(untagged):
    return untagged[:12] + b"\x81\0\0\x64" + untagged[12:]


def fits(sent, mtu):
    return len(sent) <= mtu + ETH + TAG * (sent[12:14] == b"\x81\0")


def replay(pvp, mtu):
    """All frames once; those that fit come back. Returns them."""
    before, fitting = pvp.returned(), [sent for sent in pvp.sent if fits(sent, mtu)]
    dropped = pvp.counters()["dropped_mtu"] + len(pvp.sent) - len(fitting)
    pvp.start_source()
    pvp.wait_returned(before + len(fitting), 10)
    wait_until(lambda: pvp.counters()["dropped_mtu"] >= dropped, 5, f"{dropped} frames to be dropped")
    check_equal(pvp.counters()["dropped_mtu"], dropped, "dropped_mtu")
    return [pcap.swap_macs(sent) for sent in fitting]


def check_port_mtu(pvp, mtu):
    port = pvp.switch.port(pvp.vhost)
    check(f"MTU: {mtu}\n" in pvp.switch.cmd(f"show port info {port}"), f"the port's MTU is not {mtu}")


def configure_again(switch, port):
    """Which sets the MTU of the application's configuration: testpmd's says nothing, so it is Ethernet's."""
    switch.cmd("stop")
    configure(switch, port, [f"port config {port} rx_offload vlan_strip {state}" for state in ("on", "off")])
    switch.cmd("start")


def told(bed, ring):
    """Frames up to the MTU are zero-copy, longer ones dropped and counted, and their buffers are lent again. The
    port has the guest's MTU, and takes no larger one; the front end may change it at any time."""
    bed.need_iovtee()
    rng = random.Random(4)
    longest = MTU + ETH
    plain = [frame(rng, length) for length in (60, 700, longest, longest + 1, longest + TAG, longest + TAG + 1, 1400)]
    frames = 30 * (plain + [tagged(one) for one in plain])
    rng.shuffle(frames)
    pvp = FrontendPvp(bed, recorded=True, frames=frames)
    pvp.setup(format=ring, size=RING[ring], mtu=MTU, **BOUND)
    pvp.attach()
    pvp.guest.up()
    port = pvp.switch.port(pvp.vhost)
    check_port_mtu(pvp, MTU)
    configure_again(pvp.switch, port)
    check_port_mtu(pvp, MTU)
    check("Set MTU failed" in pvp.switch.cmd(f"port config mtu {port} {MTU + 1}"), "a larger MTU was taken")
    check("the guest was told 1000" in pvp.switch.output(), "it was not said why")
    check("fail" not in pvp.switch.cmd(f"port config mtu {port} {MTU}"), "its own MTU was refused")
    expected = replay(pvp, MTU)
    for mtu in (1400, 68, MTU):
        pvp.guest.wait_settled()
        pvp.guest.cmd("mtu", value=mtu)
        check_port_mtu(pvp, mtu)
        expected += replay(pvp, mtu)
    pvp.guest.wait_settled()
    check("refused" in pvp.guest.refused("mtu", value=67), "an MTU that IPv4 has not was not refused")
    expected += replay(pvp, MTU)
    pvp.guest.wait_settled()
    counters = pvp.counters()
    check_equal(counters["zero_copy_packets"], len(expected), "zero_copy_packets")
    pvp.guest.stop()
    pvp.check_no_faults()
    pvp.check_accounts()
    pvp.guest.kill()
    pcap.check_same(pvp.end(), expected)


for _ring in RING:
    test(f"frontend-mtu-{_ring}")(lambda bed, ring=_ring: told(bed, ring))


@test("frontend-mtu-segments")
def segments(bed):
    """What is cut here must not be too long either; what the guest cuts may be."""
    frames = large_packets(1001, 3000, 9001)
    switch, socket = endless_switch(bed, frames)
    v4 = MSS + 40  # with the headers of IPv4 and TCP; those of IPv6 are longer
    for ring, mtu, tso in (("split", v4 - 1, 0), ("packed", v4, 0), ("split", MTU, 1)):
        before, guest = tx_counters(switch), Frontend(bed)
        guest.cmd("setup", format=ring, size=RING[ring], mtu=mtu, guest_csum=tso, guest_tso=tso, **BOUND)
        guest.attach(socket)
        guest.up()
        wait_until(lambda: tx_counters(switch)["dropped_mtu"] >= before["dropped_mtu"] + 1000 or
                   guest.stats()["received"] >= 1000, 10, "1000 packets to come, or to be dropped")
        guest.stop()
        received, grown = guest.stats(), accounts.since(before, tx_counters(switch))
        guest.kill()
        check_equal(received["received"] > 0, mtu >= v4 or tso == 1, f"the guest with MTU {mtu} received anything")
        check_equal(grown["dropped_mtu"] > 0, tso == 0, f"for the guest with MTU {mtu} some were dropped")
        check_equal(received["large"] > 0, tso == 1, "large packets were received")
        check_equal(grown["segmented_packets"] > 0, mtu >= v4 and tso == 0, "packets were cut")
    switch.quit()


def with_uplink(bed, app):
    """Frames that are shorter and longer than 2048 bytes, also to all, in turn; the uplink's MTU is changed while
    they come and the guest's buffers are posted."""
    bed.need_iovtee()
    rng = random.Random(5)
    frames = [frame(rng, length, mac) for _ in range(2000)
              for length, mac in ((1000, MAC), (2060, MAC), (2060, b"\xff" * 6))]
    pvp = FrontendPvp(bed, recorded=True, frames=frames, rate=10000, nic=",max_frame=9728", switch_app=app)
    pvp.setup(format="packed", size=255, **BOUND)
    pvp.attach()
    pvp.guest.up()
    return pvp


def change_mtu(pvp, mtus):
    """After each, some more frames return."""
    port = pvp.switch.port(pvp.uplink)
    for mtu in mtus:
        check("fail" not in pvp.switch.cmd(f"port config mtu {port} {mtu}"), f"MTU {mtu} was refused")
        pvp.wait_returned(pvp.returned() + 150)


def finish(pvp, expected):
    pvp.wait_returned(len(expected), 10)
    wait_until(pvp.source_done, 5, "the source to be done")
    pvp.guest.wait_settled()
    nic, counters = pvp.nic(), pvp.counters()
    pvp.guest.stop()
    pvp.check_no_faults()
    pvp.check_accounts()
    pvp.guest.cmd("frozen")
    pvp.guest.kill()
    pcap.check_same(pvp.end(), list(map(pcap.swap_macs, expected)))
    return nic, counters


@test("frontend-mtu-uplink")
def uplink(bed):
    """The switch's mbufs are shorter than the MTU, and than the guest's buffers: the NIC writes no more into these
    than into mbufs."""
    pvp = with_uplink(bed, [])
    pvp.start_source()
    change_mtu(pvp, (1500, 9000, 1500, 9000))
    short = [sent for sent in pvp.sent if len(sent) == 1000]
    nic, counters = finish(pvp, short)
    check_equal(nic["rx_too_long_drops"], len(pvp.sent) - len(short), "rx_too_long_drops")
    check_equal(counters["zero_copy_packets"], len(short), "zero_copy_packets")


@test("frontend-mtu-uplink-large")
def uplink_large(bed):
    """The switch's mbufs are longer than the guest's buffers: none of these is posted, at any MTU, and all is
    copied."""
    pvp = with_uplink(bed, ["--mbuf-size=4224"])
    pvp.start_source()
    change_mtu(pvp, (4000, 9000))
    _, counters = finish(pvp, pvp.sent)
    check_equal(counters["harvested"], 0, "buffers that were posted")
    check_equal(counters["map_reason"], map_reasons.BUFFERS, "map_reason")
