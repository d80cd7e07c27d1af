# SPDX-License-Identifier: BSD-3-Clause
"""Two network namespaces, joined by a switch and an NF, with ports of the kernel as uplinks:

    A - uplink 0 - switch - NF - switch - uplink 1 - B

The NF passes on what it receives, from either of its two ports to the other."""
import re

from endpoint import Endpoint
from harness import accounts, map_reasons
from harness.errors import check, check_equal
from harness.linux import enter_network
from harness.process import wait_until
from harness.testpmd import Testpmd

QUEUE_SIZE = 1024
SWITCH_ENDS = "iovt0", "iovt1"
ENDS = "enda", "endb"
BYTES = 8 << 20
TCP_SECONDS = 60


class Switch(Testpmd):
    """In a network namespace of its own, which the test holds."""

    def __init__(self, bed, namespace, vdevs):
        self.namespace = namespace
        super().__init__(bed, "switch", vdevs, bed.plugins(), eal=["--iova-mode=va"])

    def _in_child(self):
        super()._in_child()
        enter_network(self.namespace)


class Side:
    """One uplink and the NF's port that is mapped to it; what harness.accounts asks for."""

    def __init__(self, wire, number):
        self.bed, self.switch, self.nf = wire.bed, wire.switch, wire.nf
        self.uplink, self.vhost = f"net_iovtee_uplink{number}", f"net_iovtee_vhost{number}"

    def _queue(self, prefix):
        queue = self.switch.telemetry.ask("/iovtee/queue", self.switch.port(self.vhost), 0)
        return {name[6:]: value for name, value in queue.items() if name.startswith(prefix)}

    def counters(self):
        """Of what the NF receives."""
        return self._queue("tx_q0_")

    def sent(self):
        """Of what the NF sends."""
        return self._queue("rx_q0_")

    def check_no_faults(self, order=True):
        stats = self.switch.xstats(self.uplink)
        check_equal(stats["rx_errors"] + stats["rx_mbuf_allocation_errors"], 0, f"receive errors of {self.uplink}")


class Wire:
    def __init__(self, bed, driver, mapped):
        """driver: devargs of the kernel's port, for its interface {}; mapped: is the NF's memory in its ring?"""
        self.bed, self.mapped = bed, mapped
        self.middle = Endpoint(bed, "middle", None)
        self.ends = [Endpoint(bed, name, f"10.98.0.{n + 1}") for n, name in enumerate(("a", "b"))]
        taps = driver.startswith("net_tap")
        if not taps:
            self._lay_veth()
        vdevs = []
        self.sockets = [bed.path(f"nf{n}.sock") for n in range(2)]
        for n, interface in enumerate(SWITCH_ENDS):
            vdevs += [f"net_iovtee_uplink{n},dev({driver.format(n=n, interface=ENDS[n] if taps else interface)})",
                      f"net_iovtee_vhost{n},iface={self.sockets[n]},uplink=net_iovtee_uplink{n},trust=1,"
                      f"tx-zero-copy=whole,state={bed.path('state')}"]
        self.switch = Switch(bed, self.middle.pid, vdevs).ready()
        if taps:
            for end, interface in zip(self.ends, ENDS):
                self.middle.run("ip", "link", "set", interface, "netns", str(end.pid))
        for end, interface in zip(self.ends, ENDS):
            end.up(interface)
        self.switch.cmd("start")
        self.nf = self._start_nf()
        self.sides = [Side(self, n) for n in range(2)]

    def _lay_veth(self):
        for end, interface, other in zip(self.ends, SWITCH_ENDS, ENDS):
            self.middle.run("ip", "link", "add", interface, "type", "veth", "peer", "name", other,
                            "netns", str(end.pid))
            self.middle.run("sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1")
            self.middle.run("ip", "link", "set", interface, "up")

    def _start_nf(self):
        vdevs = [f"net_virtio_user{n},path={path},queue_size={QUEUE_SIZE}" for n, path in enumerate(self.sockets)]
        nf = Testpmd(self.bed, "nf", vdevs, eal=["--single-file-segments"],
                     app=[f"--rxd={QUEUE_SIZE}", f"--txd={QUEUE_SIZE}"]).ready()
        nf.cmd("start")
        return nf

    def wait_up(self):
        def settled(side):
            now = side.counters()
            return now["mapped"] == self.mapped and now["map_reason"] != map_reasons.NO_GUEST
        for side in self.sides:
            wait_until(lambda: settled(side), 20,
                       f"{side.vhost} to be {'mapped' if self.mapped else 'up'} ({side.counters()})")

    def tcp(self):
        """Both ways at once; returns what the two senders say."""
        jobs = []
        for n, (one, other) in enumerate((self.ends, self.ends[::-1])):
            server = other.program(f"serve{n}", "serve", other.address, 5000 + n)
            server.wait_output("listening", 10)
            jobs.append(one.program(f"send{n}", "send", other.address, 5000 + n, BYTES, n))
        for job in jobs:
            check_equal(job.wait_exit(TCP_SECONDS), 0, f"exit status of {job.name}: {job.output()[-200:]!r}")
        return [re.search(r"intact (.*)", job.output()).group(1) for job in jobs]

    def check_checksums(self):
        """No end has seen a segment with a wrong checksum."""
        for end in self.ends:
            snmp = end.run("cat", "/proc/net/snmp").splitlines()
            names, values = (line.split() for line in snmp if line.startswith("Tcp:"))
            check_equal(dict(zip(names, values))["InCsumErrors"], "0", f"checksum errors in {end.name}")

    def shares(self):
        """Of what came from the uplinks: zero-copy packets, all packets."""
        totals = [side.counters() for side in self.sides]
        for counters in totals:
            accounts.check_identity(counters)
        in_place = sum(c["zero_copy_packets"] for c in totals)
        return in_place, in_place + sum(c["copied_packets"] for c in totals)

    def lent(self):
        """Of what the NF has sent: packets in place, all packets."""
        totals = [side.sent() for side in self.sides]
        return sum(c["borrowed"] for c in totals), sum(c["packets"] for c in totals)

    def end(self):
        self.nf.quit()
        for side in self.sides:
            check(side.counters()["late"] == 0, f"{side.vhost}: buffers late")
            accounts.check_identity(side.counters())
        wait_until(lambda: self.nf.huge.clear() or self.nf.huge.used() == 0, 5, "the NF's memory to be released")
        self.switch.quit()


def carry(bed, driver, mapped=True):
    """TCP through uplinks over such a port, both ways; returns what there is to tell."""
    wire = Wire(bed, driver, mapped)
    wire.wait_up()
    said = wire.tcp()
    wire.check_checksums()
    in_place, total = wire.shares()
    if mapped:
        check(in_place >= accounts.ZERO_COPY_SHARE * total, f"{in_place} of {total} frames were zero-copy")
    else:
        check_equal(in_place, 0, "frames received in place")
    lent, sent = wire.lent()
    for side in wire.sides:
        side.check_no_faults()
    wire.end()
    return (f"{said[0]} and {said[1]}; of {total} frames {in_place} received in place, of {sent} {lent} sent in place")
