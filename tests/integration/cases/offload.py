# SPDX-License-Identifier: BSD-3-Clause
"""What the switch asks a port for: checksums, VLAN tags, segmentation, to guests that do their part of it and to
guests that do not. A guest here is a testpmd that writes what it receives into a capture."""
from harness import accounts, pcap
from harness.errors import check, check_equal
from harness.packets import ACK, FIN, PSH, TCP, UDP, Packet, check_segments, make
from harness.process import wait_until
from harness.pvp import NF_MAC, Pvp, mac_bytes
from harness.registry import test
from harness.testpmd import Testpmd

MAC = mac_bytes(NF_MAC)
QUEUE_SIZE = 1024
MSS = 1000
TAG = 100


def payload(length):
    return bytes((i * 7 + (i >> 8) * 13 + length) & 0xFF for i in range(length))


def small_packets():
    return [make(MAC, proto, version, payload(length))
            for length in (18, 19, 100, 101, 700, 1401)
            for proto in (TCP, UDP) for version in (4, 6)]


def large_packets(*lengths):
    return [make(MAC, TCP, version, payload(length), seq=1000 * length, flags=ACK | PSH | FIN)
            for length in lengths for version in (4, 6)]


class Guest:
    """rx: Rx offloads it has enabled, which decide what it negotiates."""

    def __init__(self, bed, socket, rx=(), size=QUEUE_SIZE, packed=0):
        self.path = bed.path("guest.pcap")
        self.testpmd = Testpmd(
            bed, "guest", [f"net_virtio_user0,path={socket},queue_size={size},mac={NF_MAC},"
                           f"packed_vq={packed}",
                           f"net_pcap0,rx_pcap={empty(bed)},tx_pcap={self.path}"],
            eal=["--single-file-segments"], app=[f"--rxd={size}", f"--txd={size}"]).ready()
        configure(self.testpmd, 0, [f"port config 0 rx_offload {name} on" for name in rx])
        self.testpmd.cmd("set verbose 1")

    def start(self):
        self.testpmd.cmd("start")
        return self

    def received(self, frames):
        """Wait for these many frames and end; return all that have come."""
        wait_until(lambda: self.testpmd.stats("net_pcap0")["opackets"] >= frames, 20,
                   f"{frames} frames to reach the guest")
        self.testpmd.quit()
        return pcap.read(self.path)

    def merged(self):
        return self.testpmd.output().count("RTE_MBUF_F_RX_LRO")


def empty(bed):
    path = bed.path("empty.pcap")
    pcap.write(path, [])
    return path


def configure(testpmd, port, commands):
    """Commands that a port takes only while it is stopped."""
    for command in (f"port stop {port}", *commands, f"port start {port}"):
        said = testpmd.cmd(command)
        for error in ("fail", "rror", "annot", "not supported"):
            check(error not in said, f"{command}: {said}")


def checksum_commands(port):
    return [f"csum set {what} hw {port}" for what in ("ip", "tcp", "udp")]


def forward(switch, port, mode, commands):
    switch.cmd("stop")
    configure(switch, port, commands)
    switch.cmd(f"set fwd {mode} retry")
    if mode == "csum":
        switch.cmd(f"csum mac-swap off {port}")
    switch.cmd("start")


def through_nic(bed, frames, mode, commands, rx=(), packed=0):
    """Frames that a NIC has written into the guest's memory. Returns what the guest got, and the counters."""
    bed.need_iovtee()
    pvp = Pvp(bed, frames=frames, trust=1)
    port = pvp.switch.port(pvp.vhost)
    guest = Guest(bed, pvp.socket, rx, packed=packed).start()
    forward(pvp.switch, port, mode, commands(port))
    wait_until(lambda: pvp.counters()["mapped"] == 1, 10, "the queue to be mapped")
    pvp.start_source()
    received = guest.received(len(frames))
    counters = pvp.counters()
    pvp.check_no_faults()
    pvp.switch.quit()
    accounts.check_identity(counters)
    check_equal(counters["dropped_offload"], 0, "dropped_offload")
    check_equal(counters["zero_copy_packets"] + counters["copied_offload"], len(frames),
                "frames that were written into the guest's memory")
    return received, counters


def sum_in_place(bed, rx, check_sums, summed, packed=0):
    """Checksums change nothing else, and leave frames zero-copy; summed counts them."""
    frames = small_packets()
    received, counters = through_nic(bed, frames, "csum", checksum_commands, rx, packed)
    check_equal(len(received), len(frames), "frames")
    for before, after in zip(map(Packet, frames), map(Packet, received)):
        check_sums(after)
        check(before.without_sums() == after.without_sums(), "a frame has changed")
    check_equal(counters["zero_copy_packets"], len(frames), "zero_copy_packets")
    check_equal(counters[summed], len(frames), summed)
    check_equal(counters["csum_by_guest"] + counters["csum_in_software"], len(frames), "checksums")


@test("offload-checksum-by-guest")
def checksum_by_guest(bed):
    """GUEST_CSUM: the pseudo header's part of the checksum."""
    sum_in_place(bed, ("tcp_cksum", "udp_cksum"), Packet.check_partial, "csum_by_guest")


@test("offload-checksum-in-software")
def checksum_in_software(bed):
    """A guest without GUEST_CSUM: whole checksums."""
    sum_in_place(bed, (), Packet.check_complete, "csum_in_software")


@test("offload-checksum-packed")
def checksum_packed(bed):
    """The same to a packed ring."""
    sum_in_place(bed, (), Packet.check_complete, "csum_in_software", packed=1)


@test("offload-vlan-insert")
def vlan_insert(bed):
    """The tag is put in while copying: a frame in guest memory has no room before it."""
    frames = small_packets()
    received, counters = through_nic(bed, frames, "macswap", lambda port: [f"tx_vlan set {port} {TAG}"])
    tag = b"\x81\0" + TAG.to_bytes(2, "big")
    pcap.check_same(received, [f[:12] + tag + f[12:] for f in map(pcap.swap_macs, frames)])
    check_equal(counters["copied_offload"], len(frames), "copied_offload")


def cutting_switch(bed, frames, name="switch"):
    """A switch that sends frames out of a capture, however long, as packets to be cut. Not started yet."""
    bed.need_iovtee()
    source, socket = bed.path(name + "-in.pcap"), bed.path(name + ".sock")
    pcap.write(source, frames)
    switch = Testpmd(bed, name, [f"net_pcap0,rx_pcap={source},tx_pcap={bed.path('ignored.pcap')}",
                                 f"net_iovtee_vhost0,iface={socket}"], bed.plugins()).ready()
    configure(switch, 1, [*checksum_commands(1), f"tso set {MSS} 1"])
    switch.cmd("set fwd csum retry")
    switch.cmd("csum mac-swap off 1")
    return switch, socket


def endless_switch(bed, frames, name="switch"):
    """The same without end: each packet is one mbuf, and what comes back is dropped. Started."""
    bed.need_iovtee()
    source, socket = bed.path(name + "-in.pcap"), bed.path(name + ".sock")
    pcap.write(source, frames)
    switch = Testpmd(bed, name, [f"net_pcap0,rx_pcap={source},infinite_rx=1",
                                 f"net_iovtee_vhost0,iface={socket}"], bed.plugins(),
                     eal=["--iova-mode=va"], app=["--mbuf-size=10240", "--total-num-mbufs=8192"]).ready()
    forward(switch, 1, "csum", [*checksum_commands(1), f"tso set {MSS} 1"])
    return switch, socket


def tx_counters(switch):
    return {name[6:]: value for name, value in switch.xstats("net_iovtee_vhost0").items()
            if name.startswith("tx_q0_")}


def segments_of(frame):
    return -(-len(Packet(frame).payload) // MSS)


def check_stream(received, frames, check_sums=Packet.check_complete):
    at = 0
    for frame in frames:
        n = segments_of(frame)
        check_segments(received[at:at + n], frame, MSS, check_sums)
        at += n
    check_equal(len(received), at, "frames")


def cut_for_guest(bed, rx, check_sums, summed):
    """Each packet is cut, and is whole again if put together; summed counts the checksums of the segments."""
    frames = large_packets(1001, 3000, 9001, 60000)
    want = sum(map(segments_of, frames))
    switch, socket = cutting_switch(bed, frames)
    guest = Guest(bed, socket, rx).start()
    switch.cmd("start")
    received = guest.received(want)
    counters = tx_counters(switch)
    switch.quit()
    check_stream(received, frames, check_sums)
    check_equal(counters["segmented_packets"], len(frames), "segmented_packets")
    check_equal(counters[summed], want, summed)
    for name in ("gso_packets", "dropped_segments", "dropped_offload", "dropped_too_big"):
        check_equal(counters[name], 0, name)


@test("offload-segments-in-software")
def segments_in_software(bed):
    """A guest that does nothing of it."""
    cut_for_guest(bed, (), Packet.check_complete, "csum_in_software")


@test("offload-segments-csum")
def segments_with_checksums_by_guest(bed):
    """A guest with GUEST_CSUM, but without GUEST_TSO."""
    cut_for_guest(bed, ("tcp_cksum", "udp_cksum"), Packet.check_partial, "csum_by_guest")


@test("offload-segments-dropped")
def segments_dropped(bed):
    """A guest whose ring has no room for all segments of one packet: the rest is lost, and counted."""
    size = 32
    frame, = large_packets(60000)[:1]
    switch, socket = cutting_switch(bed, [frame])
    guest = Guest(bed, socket, size=size)
    switch.cmd("start")
    wait_until(lambda: tx_counters(switch)["segmented_packets"] == 1, 10, "the packet to be cut")
    counters = tx_counters(switch)
    guest.start()
    received = guest.received(size)
    switch.quit()
    check_equal(counters["dropped_segments"], segments_of(frame) - size, "dropped_segments")
    check_equal(counters["dropped_no_buffer"], 0, "dropped_no_buffer")
    check_equal(len(received), size, "frames")
    for segment in map(Packet, received):
        segment.check_complete()


@test("offload-segments-by-guest")
def segments_by_guest(bed):
    """GUEST_TSO: each packet arrives as it is, over several buffers, and the guest is told how to cut it."""
    frames = large_packets(1001, 3000, 9001, 16000)
    switch, socket = cutting_switch(bed, frames)
    guest = Guest(bed, socket, ("tcp_cksum", "udp_cksum", "tcp_lro")).start()
    switch.cmd("start")
    received = guest.received(len(frames))
    counters = tx_counters(switch)
    switch.quit()
    check_equal(len(received), len(frames), "frames")
    check_equal(guest.merged(), len(frames), "packets that the guest's driver calls merged")
    for before, after in zip(map(Packet, frames), map(Packet, received)):
        after.check_partial()
        check(before.without_sums() == after.without_sums(), "a frame has changed")
    check_equal(counters["gso_packets"], len(frames), "gso_packets")
    check_equal(counters["csum_by_guest"], len(frames), "csum_by_guest")
    for name in ("segmented_packets", "dropped_offload", "dropped_too_big"):
        check_equal(counters[name], 0, name)


@test("offload-merged-by-nic")
def merged_by_nic(bed):
    """Packets that another port has received merged (a virtio port, here): cut for a guest without GUEST_TSO."""
    frames = large_packets(1001, 3000, 9001, 60000)
    want = sum(map(segments_of, frames))
    first, first_socket = cutting_switch(bed, frames, "first")
    socket = bed.path("second.sock")
    second = Testpmd(bed, "second", [f"net_virtio_user0,path={first_socket},queue_size={QUEUE_SIZE}",
                                     f"net_iovtee_vhost0,iface={socket}"], bed.plugins(),
                     eal=["--single-file-segments"],
                     app=[f"--rxd={QUEUE_SIZE}", f"--txd={QUEUE_SIZE}"]).ready()
    configure(second, 0, [f"port config 0 rx_offload {name} on"
                          for name in ("tcp_cksum", "udp_cksum", "tcp_lro")])
    guest = Guest(bed, socket).start()
    second.cmd("set fwd io retry")
    second.cmd("start")
    first.cmd("start")
    received = guest.received(want)
    between, counters = tx_counters(first), tx_counters(second)
    second.quit()
    first.quit()
    check_equal(between["gso_packets"], len(frames), "gso_packets of the first switch")
    check_stream(received, frames)
    check_equal(counters["segmented_packets"], len(frames), "segmented_packets")


@test("offload-vlan-strip")
def vlan_strip(bed):
    """The port takes the tag off what the guest sends, if asked to."""
    bed.need_iovtee()
    plain = small_packets()
    tagged = [f[:12] + b"\x81\0\0\x64" + f[12:] for f in plain]
    source, out, socket = bed.path("in.pcap"), bed.path("out.pcap"), bed.path("switch.sock")
    pcap.write(source, tagged)
    switch = Testpmd(bed, "switch", [f"net_pcap0,rx_pcap={empty(bed)},tx_pcap={out}",
                                     f"net_iovtee_vhost0,iface={socket}"], bed.plugins()).ready()
    configure(switch, 1, ["port config 1 rx_offload vlan_strip on"])
    switch.cmd("start")
    guest = Testpmd(bed, "guest", [f"net_pcap0,rx_pcap={source},tx_pcap={bed.path('ignored.pcap')}",
                                   f"net_virtio_user0,path={socket}"],
                    eal=["--single-file-segments"]).ready()
    guest.cmd("start")
    wait_until(lambda: switch.stats("net_pcap0")["opackets"] >= len(plain), 20, "all frames")
    guest.quit()
    switch.quit()
    pcap.check_same(pcap.read(out), plain)
