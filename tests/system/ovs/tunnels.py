# SPDX-License-Identifier: BSD-3-Clause
"""VXLAN and Geneve: the switch takes headers off and pushes them, also in front of what lies in a guest's buffers."""
import frames
from bed import LONG_QUEUE, MAC, RulePvp, finish
from harness import map_reasons
from harness.capture import to_one_host
from harness.errors import check_equal
from harness.pcap import swap_macs
from harness.registry import test
from mirrors import isolation_drops

LOCAL, FAR, NET = "10.50.0.1", "10.50.0.2", 24
LOCAL_BYTES, FAR_BYTES = bytes([10, 50, 0, 1]), bytes([10, 50, 0, 2])
LOCAL_MAC, FAR_MAC = "02:50:00:00:00:01", "02:50:00:00:00:02"
VNI = 77
PORTS = {"vxlan": frames.VXLAN_PORT, "geneve": frames.GENEVE_PORT}
LONGEST = 1400  # so that the headers fit
STEERED = {"queues": 2, "guest_queues": 1, "trust": 0, "rxq": 1}


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


class TunnelPvp(RulePvp):
    """The uplink is in br0, whose own address is the tunnel's end; guest and tunnel are in br-int."""

    guest_bridge = "br-int"

    def __init__(self, bed, kind, wire, local_mac=LOCAL_MAC, **config):
        self.kind, self.local_mac = kind, local_mac
        super().__init__(bed, wire, **config)

    def bridges(self, ovs):
        ovs.add_bridge("br-int")
        ovs.join("br0", "br-int")
        ovs.vsctl("set", "bridge", "br0", f'other-config:hwaddr="{self.local_mac}"')

    def wire(self, ovs):
        ovs.vsctl("add-port", "br-int", "tunnel", "--", "set", "interface", "tunnel", f"type={self.kind}",
                  f"options:remote_ip={FAR}", f"options:key={VNI}")
        super().wire(ovs)  # before br0 is up, whose own frames would go round
        ovs.ip("address", "add", f"{LOCAL}/{NET}", "dev", "br0")
        ovs.ip("link", "set", "br0", "up")
        ovs.appctl("tnl/neigh/set", "br0", FAR, FAR_MAC)

    def inner(self, got):
        """What is in the tunnelled frames, which are as they should be."""
        ends = mac(FAR_MAC) + mac(self.local_mac)
        result = []
        for frame in map(frames.Tunnelled, got):
            check_equal(frame.frame[:12], ends, "outer addresses")
            check_equal((frame.source, frame.destination), (LOCAL_BYTES, FAR_BYTES), "outer IP addresses")
            check_equal((frame.port, frame.vni), (PORTS[self.kind], VNI), "port and VNI")
            result.append(frame.inner)
        return result


def short(bed):
    return [f for f in to_one_host(bed.session.frames(), MAC) if len(f) <= LONGEST]


def to_guest(ovs):
    """The guest is reached through the tunnel only."""
    ovs.flows("br0", "in_port=LOCAL,udp,actions=uplink", "in_port=uplink,actions=LOCAL")
    ovs.forward("guest", "tunnel", "br-int")


def run_to_guest(bed, kind, local_mac=LOCAL_MAC, **config):
    inner = short(bed)
    outer = [frames.tunnelled(f, PORTS[kind], VNI, mac(local_mac) + mac(FAR_MAC), FAR_BYTES + LOCAL_BYTES)
             for f in inner]
    pvp = TunnelPvp(bed, kind, to_guest, local_mac, frames=outer, **config)
    pvp.start_nf(queue_size=LONG_QUEUE)
    pvp.run_all()
    finish(pvp, list(map(swap_macs, inner)), look=pvp.inner)


def instead(ovs):
    """What arrives for the guest is sent into the tunnel instead, out of the guest's buffers."""
    ovs.flows("br0", "in_port=LOCAL,udp,actions=uplink", "in_port=uplink,actions=output:br0-br-int")
    ovs.flows("br-int", "in_port=br-int-br0,actions=tunnel")


def run_instead(bed, kind, mapped=True, **config):
    """Returns the bed when all has been through; the guest never gets anything."""
    pvp = TunnelPvp(bed, kind, instead, frames=short(bed), **config)
    pvp.start_nf()
    pvp.run_all()
    bound = pvp.switch.xstats("net_iovtee_uplink0")
    bound = sum(value for name, value in bound.items() if name.endswith("_bound_packets"))
    check_equal(bound > 0, mapped, "frames that arrive in the guest's buffers")
    return pvp


def run_auto(bed, **config):
    pvp = run_instead(bed, "vxlan", mapped=False, headroom="auto", **config)
    check_equal({queue["map_reason"] for queue in pvp.queue_counters()}, {map_reasons.HEADROOM}, "map_reason")
    finish(pvp, pvp.sent, look=pvp.inner, pools=False)


@test("ovs-vxlan")
def vxlan(bed):
    """Frames for the guest arrive in VXLAN, and leave in it."""
    run_to_guest(bed, "vxlan")


@test("ovs-geneve")
def geneve(bed):
    """The same with Geneve."""
    run_to_guest(bed, "geneve")


@test("ovs-vxlan-in-guest")
def vxlan_in_guest(bed):
    """The bridge has the guest's address: the outer headers are taken off in the guest's buffers."""
    run_to_guest(bed, "vxlan", local_mac="52:54:00:00:00:01")


@test("ovs-vxlan-push")
def vxlan_push(bed):
    """headroom=guest: the outer headers are written in front of what lies in the guest's buffers."""
    pvp = run_instead(bed, "vxlan")
    finish(pvp, pvp.sent, look=pvp.inner)


@test("ovs-geneve-push")
def geneve_push(bed):
    """The same with Geneve."""
    pvp = run_instead(bed, "geneve")
    finish(pvp, pvp.sent, look=pvp.inner)


@test("ovs-vxlan-push-steered")
def vxlan_push_steered(bed):
    """The same with trust=0: these packets do not leave, headers or not."""
    pvp = run_instead(bed, "vxlan", **STEERED)
    drops = isolation_drops(pvp)
    check_equal(drops, pvp.unicast(), "frames kept from leaving out of the guest's memory")
    finish(pvp, pvp.sent, look=pvp.inner, taken_out=drops)


@test("ovs-vxlan-push-auto")
def vxlan_push_auto(bed):
    """headroom= left out, as for a guest of any kind: nothing arrives in its buffers, since there would be no room."""
    run_auto(bed)


@test("ovs-vxlan-push-auto-steered")
def vxlan_push_auto_steered(bed):
    """The same with trust=0."""
    run_auto(bed, **STEERED)
