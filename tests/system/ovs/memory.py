# SPDX-License-Identifier: BSD-3-Clause
"""A guest that looks after its memory (tests/frontend): whatever the switch makes of its packets, nothing is written
beside the buffers that it has posted, and what it sends stays as it was until it has it back."""
import frames
from bed import LONG_QUEUE, LOSS, RulePvp
from harness import pcap
from harness.errors import check, check_equal
from harness.frontend import Frontend, FrontendPvp
from harness.pcap import swap_macs
from harness.registry import test
from mirrors import STEERED, mirror
from rules import VID, flows, short as short_frames
from tunnels import FAR_BYTES, FAR_MAC, LOCAL_BYTES, LOCAL_MAC, PORTS, VNI, TunnelPvp, instead, mac, short, to_guest

GUEST_HEADROOM = 128 - 12  # with headroom=guest, before the virtio-net header


class Watched(FrontendPvp):
    """Before another bed: its guest is the test front end."""

    def __init__(self, bed, headroom, **options):
        # With tx-zero-copy=whole the switch may write over the virtio-net header of what the guest sends.
        super().__init__(bed, recorded=True, headroom=headroom, **{"tx-zero-copy": "payload"}, **options)
        self.setup(size=LONG_QUEUE, len_min=3000, len_max=3000, headroom=GUEST_HEADROOM if headroom == "guest" else 0)
        self.attach()
        self.guest.up()

    def run(self):
        self.run_all()
        self.guest.wait_settled()

    def bound(self):
        """Frames that have arrived in the guest's buffers, whatever became of them."""
        counters = self.counters()
        return counters["completed"] + counters["copied_moved"] + counters["reclaimed"]


class WatchedRules(Watched, RulePvp):
    pass


class WatchedTunnel(Watched, TunnelPvp):
    pass


def check_memory(guest):
    guest.stop()
    guest.cmd("beside")
    guest.kill()


def finish(pvp, expected, bound=True, look=list):
    """The guest's memory is as it should be, and all that was expected has left but for what was dropped."""
    dropped = pvp.switch.dropped("guest") + pvp.switch.dropped("uplink")
    check(dropped <= LOSS * len(expected), f"the switch has dropped {dropped} of {len(expected)} frames")
    check_equal(pvp.bound() > 0, bound, "frames that arrive in the guest's buffers")
    pvp.check_no_faults(order=False)
    check_memory(pvp.guest)
    pvp.check_accounts()
    check_equal(pvp.switch.complaints(), [], "complaints of ovs-vswitchd")
    check_equal(pcap.check_flows_in_order(look(pvp.end()), expected), dropped, "frames lost")


class Monitored(WatchedRules):
    """All is mirrored to the port of another such guest."""

    def __init__(self, bed, **options):
        super().__init__(bed, wire=mirror, **options)
        self.monitor = Frontend(bed, "monitor")
        self.monitor.cmd("setup", size=LONG_QUEUE)
        self.monitor.attach(bed.path("monitor.sock"))
        self.monitor.up()

    def wire(self, ovs):
        ovs.add_port("monitor", f"net_iovtee_vhost1,iface={self.bed.path('monitor.sock')},state={self.bed.path('state')}")
        super().wire(ovs)


def run_monitored(bed, **options):
    pvp = Monitored(bed, headroom="strict", **options)
    pvp.run()
    check(pvp.monitor.stats()["received"] > len(pvp.sent), "the monitor has got no more than one way")
    check_memory(pvp.monitor)
    finish(pvp, pvp.expected())


@test("ovs-memory-mirror")
def monitored(bed):
    """Both ways are mirrored to another guest."""
    run_monitored(bed)


@test("ovs-memory-mirror-steered")
def monitored_steered(bed):
    """The same with trust=0."""
    run_monitored(bed, **STEERED)


@test("ovs-memory-push-vlan")
def push(bed):
    """headroom=strict: two tags are pushed onto what arrives, one onto what the guest sends."""
    wire = flows(f"in_port=uplink,actions=push_vlan:0x8100,set_field:{4096 + VID}->vlan_vid,"
                 "push_vlan:0x8100,set_field:4103->vlan_vid,guest",
                 "in_port=guest,actions=push_vlan:0x8100,set_field:4104->vlan_vid,uplink")
    pvp = WatchedRules(bed, wire=wire, frames=short_frames(bed), headroom="strict")
    pvp.run()
    finish(pvp, [frames.push_vlan(swap_macs(frames.push_vlan(frames.push_vlan(f, VID), 7)), 8) for f in pvp.sent])


def run_to_guest(bed, kind, local_mac=LOCAL_MAC, bound=True, **options):
    inner = short(bed)
    outer = [frames.tunnelled(f, PORTS[kind], VNI, mac(local_mac) + mac(FAR_MAC), FAR_BYTES + LOCAL_BYTES) for f in inner]
    pvp = WatchedTunnel(bed, kind=kind, wire=to_guest, local_mac=local_mac, frames=outer, **options)
    pvp.run()
    finish(pvp, list(map(swap_macs, inner)), bound, look=pvp.inner)


def run_instead(bed, kind):
    pvp = WatchedTunnel(bed, kind=kind, wire=instead, frames=short(bed), headroom="guest")
    pvp.run()
    finish(pvp, pvp.sent, look=pvp.inner)


@test("ovs-memory-vxlan")
def vxlan(bed):
    """headroom=guest: outer headers are taken off what arrives, and pushed onto what the guest sends."""
    run_to_guest(bed, "vxlan", local_mac="52:54:00:00:00:01", headroom="guest")


@test("ovs-memory-geneve")
def geneve(bed):
    """The same with Geneve."""
    run_to_guest(bed, "geneve", local_mac="52:54:00:00:00:01", headroom="guest")


@test("ovs-memory-vxlan-auto")
def vxlan_auto(bed):
    """headroom= left out: no byte before the buffers is touched."""
    run_to_guest(bed, "vxlan", bound=False, headroom="auto")


@test("ovs-memory-vxlan-push")
def vxlan_push(bed):
    """headroom=guest: outer headers are pushed onto what lies in the guest's buffers, which never get to the guest."""
    run_instead(bed, "vxlan")


@test("ovs-memory-geneve-push")
def geneve_push(bed):
    """The same with Geneve."""
    run_instead(bed, "geneve")
