# SPDX-License-Identifier: BSD-3-Clause
"""OpenFlow rules: every frame comes out as the rule makes it, byte for byte."""
import frames
from bed import LONG_QUEUE, MAC, RulePvp, finish
from harness.capture import to_one_host
from harness.errors import check
from harness.packets import UDP
from harness.pcap import is_unicast, swap_macs
from harness.registry import test

ROUTER = "02:aa:00:00:00:07"
ROUTER_MAC = bytes.fromhex(ROUTER.replace(":", ""))
ADDRESS, ADDRESS_BYTES = "10.77.1.2", bytes([10, 77, 1, 2])
TTL, VID = 33, 42
STEERED = {"queues": 2, "guest_queues": 1, "trust": 0, "rxq": 1}


def flows(*rules):
    return lambda ovs: ovs.flows("br0", *rules)


def run(bed, wire, want, share=True, **config):
    """Recorded traffic through these rules; want(frame) is what comes back, None if nothing does."""
    pvp = RulePvp(bed, wire, **config)
    pvp.start_nf(queue_size=LONG_QUEUE)
    expected = [out for out in map(want, pvp.sent) if out is not None]
    pvp.start_source()
    pvp.wait_settled()
    finish(pvp, expected, pvp.unicast() if share else None)


@test("ovs-drop")
def drop(bed):
    """Some traffic is dropped, half of it before the guest: the rest is as zero-copy as ever."""
    def want(frame):
        return None if frames.protocol(frame) == UDP else swap_macs(frame)
    pvp = RulePvp(bed, flows("priority=40000,in_port=uplink,udp,actions=drop",
                             "in_port=uplink,actions=guest", "in_port=guest,actions=uplink"))
    pvp.start_nf()
    expected = [out for out in map(want, pvp.sent) if out is not None]
    unicast = sum(is_unicast(f) and frames.protocol(f) != UDP for f in pvp.sent)
    pvp.run_all()
    reclaimed = pvp.counters()["reclaimed"]
    check(reclaimed > 1000, f"only {reclaimed} frames were dropped in the guest's buffers")
    finish(pvp, expected, unicast)


def rewritten(frame):
    frame = frames.set_source(frame, ROUTER_MAC)
    if frames.is_ipv4(frame):
        frame = frames.set_ttl(frames.set_ip(frame, ADDRESS_BYTES, True), TTL)
    back = swap_macs(frame)
    if frames.is_ipv4(back):
        back = frames.set_ip(back, ADDRESS_BYTES, False)
    return back


REWRITE = flows(
    f"priority=40000,in_port=uplink,ip,actions=mod_dl_src:{ROUTER},set_field:{ADDRESS}->ip_dst,set_field:{TTL}->nw_ttl,guest",
    f"in_port=uplink,actions=mod_dl_src:{ROUTER},guest",
    f"priority=40000,in_port=guest,ip,actions=set_field:{ADDRESS}->ip_src,uplink", "in_port=guest,actions=uplink")


@test("ovs-rewrite")
def rewrite(bed):
    """Addresses and TTL are rewritten, in the guest's buffers, on both ways."""
    run(bed, REWRITE, rewritten)


@test("ovs-rewrite-steered")
def rewrite_steered(bed):
    """The same with trust=0."""
    run(bed, REWRITE, rewritten, **STEERED)


LONGEST = 1500  # so that two tags more are not beyond what the ports send


def short(bed):
    return [f for f in to_one_host(bed.session.frames(), MAC) if len(f) <= LONGEST]


PUSH = flows(f"in_port=uplink,actions=push_vlan:0x8100,set_field:{4096 + VID}->vlan_vid,guest",
             "in_port=guest,actions=push_vlan:0x8100,set_field:4103->vlan_vid,uplink")


def pushed(frame):
    return frames.push_vlan(swap_macs(frames.push_vlan(frame, VID)), 7)


@test("ovs-push-vlan")
def push(bed):
    """Tags are pushed onto frames in the guest's buffers, which are copied then; one more on the way back."""
    run(bed, PUSH, pushed, share=False, frames=short(bed))


@test("ovs-push-vlan-steered")
def push_steered(bed):
    """The same with trust=0."""
    run(bed, PUSH, pushed, share=False, frames=short(bed), **STEERED)


@test("ovs-push-vlan-strict")
def push_strict(bed):
    """Two tags are 8 bytes: there is room for them in the virtio-net header's 12."""
    wire = flows(f"in_port=uplink,actions=push_vlan:0x8100,set_field:{4096 + VID}->vlan_vid,"
                 "push_vlan:0x8100,set_field:4103->vlan_vid,guest", "in_port=guest,actions=uplink")
    run(bed, wire, lambda f: swap_macs(frames.push_vlan(frames.push_vlan(f, VID), 7)), share=False,
        frames=short(bed), headroom="strict")


@test("ovs-pop-vlan")
def pop(bed):
    """Tags are taken off on the way to the guest, and put on again on the way back."""
    wire = flows(f"in_port=uplink,dl_vlan={VID},actions=pop_vlan,guest",
                 f"in_port=guest,actions=push_vlan:0x8100,set_field:{4096 + VID}->vlan_vid,uplink")
    tagged = [frames.push_vlan(f, VID) for f in short(bed)]
    run(bed, wire, lambda f: frames.push_vlan(swap_macs(frames.pop_vlan(f)), VID), share=False, frames=tagged)


class Bridges(RulePvp):
    """The uplink is in the first bridge, the guest in the third."""

    guest_bridge = "br2"

    def bridges(self, ovs):
        ovs.add_bridge("br1")
        ovs.add_bridge("br2")
        ovs.join("br0", "br1")
        ovs.join("br1", "br2")


def through_bridges(ovs):
    ovs.forward("uplink", "br0-br1", "br0")
    ovs.forward("br1-br0", "br1-br2", "br1")
    ovs.forward("br2-br1", "guest", "br2")


@test("ovs-bridges")
def bridges(bed):
    """Three bridges, joined by patch ports."""
    pvp = Bridges(bed, through_bridges)
    pvp.start_nf()
    pvp.run_all()
    finish(pvp, pvp.expected(), pvp.unicast())


@test("ovs-meter")
def meter(bed):
    """A meter drops what is above its rate: what passes is intact, and the rest is counted."""
    def wire(ovs):
        ovs.ofctl("add-meter", "br0", "meter=1,pktps,burst,stats,bands=type=drop,rate=5000,burst_size=500")
        ovs.flows("br0", "in_port=uplink,actions=meter:1,guest", "in_port=guest,actions=uplink")
    pvp = RulePvp(bed, wire)
    pvp.start_nf()
    pvp.run_all()
    # The last number of the band's line of the statistics.
    said = pvp.switch.ofctl("meter-stats", "br0", "meter=1")
    dropped = int(said.split("0: packet_count:")[1].split()[0])
    check(0 < dropped < len(pvp.sent), f"the meter has dropped {dropped} frames: {said}")
    finish(pvp, pvp.expected(), taken_out=dropped)
