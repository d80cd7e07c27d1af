# SPDX-License-Identifier: BSD-3-Clause
"""Copies that the switch makes: mirrors, floods and NORMAL."""
from bed import LONG_QUEUE, MAC, Recorder, RulePvp, finish
from harness import pcap
from harness.errors import check, check_equal
from harness.registry import test

MONITOR_MAC = "52:54:00:00:00:99"
STEERED = {"queues": 2, "guest_queues": 1, "trust": 0, "rxq": 1}


class Monitored(RulePvp):
    """One more port, "monitor", with a network function that records."""

    def __init__(self, bed, wire, **config):
        self.monitor_devargs = f"net_iovtee_vhost1,iface={bed.path('monitor.sock')},state={bed.path('state')}"
        super().__init__(bed, wire, **config)
        self.monitor = Recorder(bed, "monitor", bed.path("monitor.sock"), MONITOR_MAC)

    def wire(self, ovs):
        ovs.add_port("monitor", self.monitor_devargs)
        super().wire(ovs)


def mirror(ovs):
    ovs.forward("uplink", "guest")
    ovs.vsctl("--id=@port", "get", "port", "monitor", "--",
              "--id=@mirror", "create", "mirror", "name=all", "select_all=true", "output-port=@port", "--",
              "set", "bridge", "br0", "mirrors=@mirror")


def run_monitored(bed, **config):
    pvp = Monitored(bed, mirror, **config)
    pvp.start_nf(queue_size=LONG_QUEUE)
    pvp.run_all()
    lost = pvp.switch.dropped("monitor")
    seen = pvp.monitor.end()
    finish(pvp, pvp.expected())
    way, back = [f for f in seen if f[:6] == MAC or f[6:12] != MAC], [f for f in seen if f[6:12] == MAC]
    both = [*pvp.sent, *pvp.expected()]
    check_equal(pcap.check_flows_in_order(seen, both), lost, "frames lost on the way to the monitor")
    check(len(way) > len(pvp.sent) / 2 and len(back) > len(pvp.sent) / 2, "the mirror has but one way")


@test("ovs-mirror-to-guest")
def mirror_to_guest(bed):
    """All is mirrored to another guest's port, both ways: clones of what lies in the first guest's buffers."""
    run_monitored(bed)


@test("ovs-mirror-to-guest-steered")
def mirror_to_guest_steered(bed):
    """The same with trust=0."""
    run_monitored(bed, **STEERED)


def run_reflected(bed, actions, **config):
    """What goes to the guest leaves by the uplink as well, besides what the guest sends."""
    pvp = RulePvp(bed, lambda ovs: ovs.flows("br0", f"in_port=uplink,actions={actions}",
                                             "in_port=guest,actions=uplink"), **config)
    pvp.start_nf(queue_size=LONG_QUEUE)
    pvp.run_all()
    pvp.wait_settled()
    return pvp


def isolation_drops(pvp):
    return sum(value for name, value in pvp.switch.xstats("net_iovtee_uplink0").items()
               if name.endswith("_isolation_drops"))


def check_reflected(pvp, taken_out):
    finish(pvp, [*pvp.sent, *pvp.expected()], taken_out=taken_out)


@test("ovs-reflect-first")
def reflect_first(bed):
    """A clone goes back to the wire, then the packet itself to the guest."""
    check_reflected(run_reflected(bed, "in_port,guest"), 0)


@test("ovs-reflect-first-steered")
def reflect_first_steered(bed):
    """The same with trust=0: clones are not the guest's memory, and may leave."""
    check_reflected(run_reflected(bed, "in_port,guest", **STEERED), 0)


@test("ovs-reflect-last")
def reflect_last(bed):
    """A clone goes to the guest, then the packet itself, in the guest's buffer, to the wire."""
    check_reflected(run_reflected(bed, "guest,in_port"), 0)


@test("ovs-reflect-last-steered")
def reflect_last_steered(bed):
    """The same with trust=0: what lies in the guest's buffers does not leave, and is counted."""
    pvp = run_reflected(bed, "guest,in_port", **STEERED)
    drops = isolation_drops(pvp)
    check_equal(drops, pvp.unicast(), "frames kept from leaving out of the guest's memory")
    check_reflected(pvp, drops)
