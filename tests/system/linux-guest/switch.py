# SPDX-License-Identifier: BSD-3-Clause
"""The switch: stock testpmd with the plugin's two ports, forwarding between them."""
import peer
from harness import accounts, capture
from harness.errors import Failure, check, check_equal
from harness.process import wait_until
from harness.testpmd import Testpmd
from vm.guest import MAC

UPLINK, VHOST = "net_iovtee_uplink0", "net_iovtee_vhost0"
START_SECONDS = 30
HEADROOM = 128
# An mbuf's data room is what the NIC may write, and a guest's buffer with less room is not posted.
# Linux's small ones hold 1518 bytes; net_af_packet wants room for a whole frame of its ring.
RING_FRAME = 16384
MULTI_SEGS = 0x8000  # of Tx offloads
# IPV4_CKSUM, UDP_CKSUM, TCP_CKSUM, TCP_TSO: an application that carries on what the guest asks for.
CARRIES = 0x2e
SMALL_MBUF, JUMBO_MBUF = HEADROOM + 1518, HEADROOM + RING_FRAME


class Nic:
    lends = False  # the driver can be told to let go of what was sent
    fragments = True  # arrive as such
    cuts = True  # large packets that it is given, if the driver has TCP_TSO

    def make(self, mtu):
        pass

    def connected(self):
        pass


class Tap(Nic):
    """net_tap makes the peer's interface, anew in each switch; its MTU is 1500 at most for DPDK 22.11. It refuses to
    cut where a piece with its Ethernet header is longer than the MTU, as full ones are."""
    cuts = False
    devargs = f"net_tap0,iface={peer.INTERFACE},mac={peer.MAC}"


class AfPacket(Nic):
    """net_af_packet on one end of a veth pair; the peer's interface is the other. It has the kernel join fragments
    (PACKET_FANOUT_FLAG_DEFRAG), to frames that are too long for a guest with an MTU."""
    END = "uplink0"
    devargs = f"net_af_packet0,iface={END},framesz={RING_FRAME},blocksz={RING_FRAME},framecnt=512"
    fragments = False

    def make(self, mtu):
        peer.ip("link", "add", peer.INTERFACE, "type", "veth", "peer", "name", self.END)
        # Checksums and segments as they would be on a wire.
        capture.offloads_off(peer.INTERFACE)
        peer.ip("link", "set", self.END, "mtu", str(mtu), "up")


class Wire(Nic):
    """net_vhost; the peer's interface is behind another testpmd, its front end. Unlike the drivers of kernel
    interfaces, it can be told to let go of what was sent: so packets are sent out of the guest's memory."""
    lends = True

    def __init__(self, bed):
        self.bed, self.path = bed, bed.path("wire.sock")
        self.devargs = f"net_vhost0,iface={self.path},client=1"
        self.testpmd = None

    def make(self, mtu):
        """It waits for the switch, and for the next one after it."""
        self.testpmd = Testpmd(self.bed, "wire", [Tap.devargs, f"net_virtio_user0,path={self.path},server=1,"
                                                  f"queue_size=1024,mac={peer.MAC}"],
                               eal=["--single-file-segments"], app=["--rxd=1024", "--txd=1024"])
        self.testpmd.send("start")

    def connected(self):
        self.testpmd.wait_output("io packet forwarding", START_SECONDS)


class Switch(Testpmd):
    """port: more devargs of the guest's port; pairs: its queue pairs."""

    def __init__(self, bed, name, iface, client, nic, mtu, port=(), pairs=1):
        mbuf = SMALL_MBUF if mtu <= 1500 else JUMBO_MBUF
        self.pairs = self.used = pairs
        super().__init__(
            bed, name,
            [f"{UPLINK},dev({nic.devargs})",
             ",".join([f"{VHOST},iface={iface},client={int(client)},uplink={UPLINK},trust=1,mac={MAC}",
                       f"queues={pairs}", f"state={bed.path('state')}", *port])],
            plugins=[bed.session.plugin("iovtee")], eal=["--iova-mode=va"],
            app=[f"--mbuf-size={mbuf}", "--total-num-mbufs=16384", f"--rxq={pairs}", f"--txq={pairs}",
                 f"--tx-offloads={MULTI_SEGS * nic.lends | CARRIES * ('tx-offload=tso' in port):#x}"])
        # Not the prompt, which a guest that connects just then may split: it is written by letters.
        self.wait_output("\nDone\n", START_SECONDS)
        if nic.lends:
            self.configure(VHOST, "rx_offload scatter on")  # what the guest sends has its payload in an mbuf of its own
        if not nic.cuts:
            self.configure(UPLINK, "tx_offload tcp_tso off")
        self.send("start")
        self.wait_output("io packet forwarding", START_SECONDS)
        nic.connected()

    def configure(self, name, what):
        port = self.port(name)
        for command in (f"port stop {port}", f"port config {port} {what}", f"port start {port}"):
            self.send(command)

    def queue(self, number, side):
        """Counters of one queue pair: side "tx" is what the guest receives, "rx" what it sends."""
        prefix = f"{side}_q{number}_"
        counters = self.telemetry.ask("/iovtee/queue", self.port(VHOST), number)
        return {name.removeprefix(prefix): value for name, value in counters.items() if name.startswith(prefix)}

    def counters(self, side="tx"):
        """Of all queue pairs together; mapped is 1 if all are that the guest uses."""
        queues = [self.queue(number, side) for number in range(self.pairs)]
        total = {name: sum(queue[name] for queue in queues) for name in queues[0]}
        if side == "tx":
            total["mapped"] = min(queue["mapped"] for queue in queues[:self.used])
            total["map_reason"] = max(queue["map_reason"] for queue in queues[:self.used])
        return total

    def sent_in_place(self):
        """Packets of the guest's, and how many of them left out of its memory."""
        counters = self.counters("rx")
        return counters["packets"], counters["borrowed"]

    def check_accounts(self):
        """Every buffer is accounted for, and none was late. When little is going on: the counters
        are not read all at once."""
        for tries_left in (3, 2, 1, 0):
            counters = self.counters()
            try:
                accounts.check_identity(counters)
                break
            except Failure:
                if not tries_left:
                    raise
        check_equal(counters["late"], 0, "buffers late")
        check_equal(counters["abandoned"], 0, "buffers abandoned")
        return counters

    def check_left(self):
        """The guest has gone: nothing is held of its memory."""
        wait_until(lambda: self.counters()["outstanding"] == 0, 5, "outstanding buffers to be 0")
        self.check_accounts()
        self.check_none_late()

    def check_none_late(self):
        """From the log, which outlives the switch."""
        check("still inside the switch" not in self.output(), "the switch's log tells of late buffers")
