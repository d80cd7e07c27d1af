# SPDX-License-Identifier: BSD-3-Clause
"""One configuration: peer -> uplink -> switch -> vhost-user -> guest, and what is done with it."""
import peer
from harness import accounts, map_reasons
from harness.errors import check, check_equal
from harness.process import wait_until
from harness.registry import figure
from switch import AfPacket, Switch, Tap, Wire
from vm.guest import Guest

BULK, SHORT_BULK = 16 << 20, 2 << 20
ETHERNET_MTU = 1500
IP_ICMP_HEADERS = 28
IDLE_SECONDS, IDLE_INTERRUPTS = 2, 20  # the control console shares the line
REBINDS = 3
UNPLUGS = 2
KILLS = 3
FLOWS_PER_PAIR = 8  # so that none is likely to go without
LENT_SHARE = 0.9  # at moments too many are out: those are copied


class Machine:
    """mergeable: the device offers VIRTIO_NET_F_MRG_RXBUF; client: the switch connects to a socket that
    QEMU serves; properties: more ones of the virtio-net device; lends: packets are sent out of its memory; pairs: of
    queues; name: for figures."""

    def __init__(self, name, bed, boot, mergeable, mtu, client, properties, lends, pairs, port=()):
        self.name, self.port, self.pairs = name, port, pairs
        self.bed, self.boot, self.mtu, self.client = bed, boot, mtu, client
        self.properties = [f"mrg_rxbuf={'on' if mergeable else 'off'}", *properties]
        self.nic = Wire(bed) if lends else Tap() if mtu <= ETHERNET_MTU else AfPacket()
        self.iface = bed.path("nf.sock")
        self.switches = 0
        self.switch = self.guest = None
        self.nic.make(mtu)

    # Whether the guest's buffers can take whatever the NIC may write. Linux has none that hold a jumbo
    # frame in one piece: pages for the driver to merge, or a chain of pages.
    @property
    def zero_copy(self):
        return self.mtu <= ETHERNET_MTU

    def start_switch(self):
        self.switch = Switch(self.bed, f"switch{self.switches}", self.iface, self.client, self.nic,
                             self.mtu, self.port, self.pairs)
        self.switches += 1
        peer.configure(self.mtu)

    def start(self):
        """Whoever serves the socket first."""
        if not self.client:
            self.start_switch()
        self.guest = Guest(self.bed, self.boot, self.iface, serves=self.client, mtu=self.mtu,
                           properties=self.properties, pairs=self.pairs)
        if self.client:
            self.start_switch()
        self.wait_up()

    def wait_up(self):
        self.tell(f"booted in {self.guest.wait_booted():.1f} s")
        self.configure()

    def configure(self):
        """A driver that has just been loaded; it begins with a queue pair for each CPU."""
        if self.pairs > 1:
            self.guest.use_pairs(self.pairs)
        self.guest.configure(self.mtu)
        self.wait_link()

    def use_pairs(self, pairs):
        self.guest.use_pairs(pairs)
        self.switch.used = pairs
        self.wait_link()

    def tell(self, text):
        figure(f"{self.name}: {text}")

    def wait_link(self):
        """Wait until the switch works on the guest's queue, and the guest has noticed."""
        reason = 0 if self.zero_copy else map_reasons.BUFFERS
        # The reason why not shows only when the switch has looked for a buffer.
        wait_until(lambda: self.switch.counters()["map_reason"] in (0, reason), 10,
                   "the guest's queue to run")
        wait_until(lambda: self.guest.number("cat /sys/class/net/eth0/carrier"), 5,
                   "the guest's link to be up")

    def ping_all_sizes(self):
        largest = self.mtu - IP_ICMP_HEADERS
        sizes = [0, 56, 1000, largest]
        if self.nic.fragments:
            sizes.append(largest + 1)
        for size in sizes:
            peer.ping(self.guest, size)
        self.tell(f"pings of {', '.join(map(str, sizes))} bytes answered")

    def exchange(self, size):
        """TCP both ways; returns the counters' growth on the way to the guest, and the speeds."""
        before = self.switch.counters()
        digest, to_guest = peer.send_bulk(self.guest, size)
        grown = accounts.since(before, self.switch.counters())
        from_guest = peer.receive_bulk(self.guest, size, digest)
        return grown, to_guest, from_guest

    def check_exchange(self, size):
        """TCP both ways, without a copy if the guest's buffers allow it."""
        packets, lent = self.switch.sent_in_place()
        grown, to_guest, from_guest = self.exchange(size)
        said = f"{to_guest:.1f} and {from_guest:.1f} MB/s, {self.check_share(grown)}"
        said += self.check_sent(size, packets, lent)
        self.check_checksums()
        self.switch.check_accounts()
        self.tell(said)

    def check_share(self, grown):
        zero_copy, copied = grown["zero_copy_packets"], grown["copied_packets"]
        why = ", ".join(f"{name} {grown[name]}" for name in grown
                        if grown[name] > 0 and name.startswith(("copied_", "unbind", "starved")))
        said = f"{zero_copy} of {zero_copy + copied} frames zero-copy ({why})"
        now = self.switch.counters()
        if self.zero_copy:
            check(now["mapped"] == 1, f"not mapped, map_reason {now['map_reason']}")
            check(zero_copy >= accounts.ZERO_COPY_SHARE * (zero_copy + copied), said)
        else:
            check_equal(now["map_reason"], map_reasons.BUFFERS, "map_reason")
            check_equal(zero_copy, 0, "jumbo frames delivered in place")
        return said

    def check_sent(self, size, packets, lent):
        """The guest's full frames left out of its memory, if the NIC is one for that."""
        now, lent_now = self.switch.sent_in_place()
        packets, lent = now - packets, lent_now - lent
        if not self.nic.lends or "tx-offload=tso" in self.port:  # large packets are in chains, which are copied
            check_equal(lent, 0, "frames sent out of the guest's memory")
            return ""
        full = size // self.mtu
        check(lent >= LENT_SHARE * full, f"{lent} of {full} full frames were sent out of the guest's memory")
        return f", {lent} of {packets} sent in place"

    def check_checksums(self):
        """Both network stacks have checked every segment in software, and found no error."""
        errors = {"peer": peer.own_checksum_errors(),
                  "guest": peer.checksum_errors(self.guest.run("cat /proc/net/snmp"))}
        for side, counts in errors.items():
            check("Tcp" in counts, f"{side}: no count of checksum errors")
            check(not any(counts.values()), f"{side}: checksum errors {counts}")
        check_equal(self.guest.counter("rx_errors"), 0, "rx_errors of the guest")


# The cases, each with a machine that is up; they print figures, or raise Failure.

def ping(machine):
    machine.ping_all_sizes()


def tcp(machine):
    machine.check_exchange(BULK)


def iperf3(machine):
    """The usual measure, in each direction, with a connection for each queue pair at least; figures only of what an
    emulated CPU does."""
    for reverse in (False, True):
        sent, received, retransmits = peer.iperf3(machine.guest, max(2, machine.pairs), reverse)
        check(received > 0, "iperf3 has received nothing")
        direction = "from" if reverse else "to"
        machine.tell(f"iperf3 {direction} the guest: {received / 1e6:.0f} of {sent / 1e6:.0f} Mbit/s, "
                     f"{retransmits} retransmits")
    machine.check_checksums()
    machine.switch.check_accounts()


def queues(machine):
    """The guest uses fewer queue pairs and more again, under traffic; each one in use receives and sends."""
    with peer.Noise() as noise:
        for pairs in (1, machine.pairs // 2, machine.pairs):
            noise.check_flows()
            machine.use_pairs(pairs)
    sides = ("tx", "rx")
    before = {side: [machine.switch.queue(n, side) for n in range(machine.pairs)] for side in sides}
    peer.iperf3(machine.guest, FLOWS_PER_PAIR * machine.pairs, False)
    peer.iperf3(machine.guest, FLOWS_PER_PAIR * machine.pairs, True)
    for side, name in zip(sides, ("zero_copy_packets", "packets")):
        grown = [machine.switch.queue(n, side)[name] - before[side][n][name] for n in range(machine.pairs)]
        machine.tell(f"{side} {name} by queue: {grown}")
        check(min(grown) > 0, f"a queue has not been used: {side} {name} {grown}")
    after(machine)


def interrupts(machine):
    """The guest is woken, not for every packet, and not when there is none."""
    guest = machine.guest
    packets, raised = guest.packets(), guest.interrupts()
    machine.exchange(SHORT_BULK)
    packets, raised = guest.packets() - packets, guest.interrupts() - raised
    check(0 < raised < packets, f"{raised} interrupts for {packets} packets")
    idle = guest.interrupts()
    guest.run(f"sleep {IDLE_SECONDS}")
    idle = guest.interrupts() - idle
    machine.tell(f"{raised} interrupts for {packets} packets, {idle} in {IDLE_SECONDS} idle seconds")
    check(idle <= IDLE_INTERRUPTS, f"{idle} interrupts in {IDLE_SECONDS} idle seconds")


def rebind_once(machine, meanwhile=lambda: None):
    guest, driver = machine.guest, "/sys/bus/virtio/drivers/virtio_net"
    device = guest.run(f"basename {driver}/virtio*").strip()
    guest.run(f"echo {device} > {driver}/unbind")
    meanwhile()
    machine.switch.check_left()
    guest.run(f"echo {device} > {driver}/bind")
    machine.configure()


def rebind(machine):
    """The driver lets go of the device and takes it again, under traffic."""
    with peer.Noise() as noise:
        for _ in range(REBINDS):
            noise.check_flows()
            rebind_once(machine, noise.check_flows)
        noise.check_flows()
    machine.tell(f"{REBINDS} times among {noise.sent} frames")
    after(machine)


def unplug(machine):
    """The device is pulled and plugged in again, under traffic."""
    with peer.Noise() as noise:
        for _ in range(UNPLUGS):
            noise.check_flows()
            machine.guest.unplug()
            machine.switch.check_left()
            noise.check_flows()
            machine.guest.plug()
            machine.configure()
        noise.check_flows()
    machine.tell(f"{UNPLUGS} times among {noise.sent} frames")
    after(machine)


def reboot(machine):
    """The machine's reset button, under traffic."""
    with peer.Noise() as noise:
        noise.check_flows()
        machine.guest.reset()
        machine.wait_up()
        noise.check_flows()
    after(machine)


def restart_switch(machine):
    """The switch ends in order and comes back, the guest waits. QEMU has no idea of a packed ring's state once its
    back end has gone without being asked; the records have."""
    machine.switch.quit()
    machine.switch.check_none_late()
    machine.start_switch()
    after(machine)
    check_ring_whole(machine)


def kill_switch(machine):
    """The switch is killed under traffic, having used buffers out of order, of which QEMU knows nothing. Its
    successor knows from the records; the guest's driver notices nothing."""
    for _ in range(KILLS):
        with peer.Noise() as noise:
            noise.check_flows()
            machine.switch.kill()
        machine.start_switch()
        after(machine)
        check_ring_whole(machine)


def check_ring_whole(machine):
    """Linux's driver says what it does not like."""
    check("is not a head" not in machine.guest.run("dmesg"), "the guest's ring is broken")


def after(machine):
    """The link works as before, zero-copy included."""
    machine.wait_link()
    peer.ping(machine.guest, 56)
    machine.check_exchange(SHORT_BULK)


def power_off(machine):
    """The guest goes, under traffic; then nothing is held of it, and the switch ends in order."""
    with peer.Noise() as noise:
        noise.check_flows()
        machine.guest.kill()
        machine.switch.check_left()
        noise.check_flows()
    machine.switch.quit()


CASES = {"boot": Machine.start, "ping": ping, "tcp": tcp, "iperf3": iperf3, "queues": queues,
         "interrupts": interrupts, "rebind": rebind, "unplug": unplug, "reboot": reboot,
         "switch-restart": restart_switch, "switch-kill": kill_switch, "power-off": power_off}
