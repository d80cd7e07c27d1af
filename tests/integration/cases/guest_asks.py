# SPDX-License-Identifier: BSD-3-Clause
"""What a guest asks for with the packets that it sends: checksums and segmentation, made by the NIC, by the uplink, by
the guest's port, or by another guest. The guest is a testpmd whose virtio driver is told to leave them to the device."""
import struct

from harness import accounts, pcap
from harness.errors import check, check_equal
from harness.frontend import FrontendPvp
from harness.packets import TCP, UDP, Packet, make, ones_sum
from harness.process import wait_until
from harness.pvp import QUEUE_SIZE, Pvp
from harness.registry import test
from harness.testpmd import Testpmd

from . import offload
from .transmit import check_returned, sent_by_guest

MSS = offload.MSS
# IPV4_CKSUM, UDP_CKSUM, TCP_CKSUM, TCP_TSO, MULTI_SEGS
CARRIES = ["--tx-offloads=0x802e"]
# Longer than this, packets of an untrusted guest are sent in two pieces.
WORTH_IT = 640


def start_guest(bed, socket, frames, large, packed=0, mbuf_size=2176):
    """It sends these frames once. large: it leaves segmentation to the device, too."""
    source = bed.path("guest.pcap")
    pcap.write(source, frames)
    guest = Testpmd(
        bed, "sender", [f"net_pcap0,rx_pcap={source},tx_pcap={bed.path('ignored.pcap')}",
                        f"net_virtio_user0,path={socket},queue_size={QUEUE_SIZE},packed_vq={packed}"],
        eal=["--single-file-segments"],
        app=[f"--txd={QUEUE_SIZE}", f"--rxd={QUEUE_SIZE}", f"--mbuf-size={mbuf_size}"]).ready()
    commands = [f"csum set {what} hw 1" for what in ("tcp", "udp")]
    offload.configure(guest, 1, commands + ([f"tso set {MSS} 1"] if large else []))
    guest.cmd("set fwd csum retry")
    guest.cmd("set burst tx delay 10 retry 100000")
    guest.cmd("csum mac-swap off 1")
    guest.cmd("start")
    return guest


def send(bed, frames, nic="", app=CARRIES, packed=0, mbuf_size=2176, **vhost):
    """Send them out of the NIC. Returns what it sent, the counters of the guest's queue and those of the uplink."""
    bed.need_iovtee()
    large = vhost["tx-offload"] == "tso"
    want = sum(map(offload.segments_of, frames)) if large else len(frames)
    out = bed.path("wire.pcap")
    pvp = Pvp(bed, generator=f"count=1,max_frame=9728,tx_pcap={out}{nic}",
              switch_app=app, **vhost)
    guest = start_guest(bed, pvp.socket, frames, large, packed, mbuf_size)
    wait_until(lambda: pvp.emunic("stats")["tx_device_frames"] >= want, 30, f"{want} frames to leave the NIC")
    check_returned(pvp)
    pvp.check_no_faults()
    counters, uplink = sent_by_guest(pvp), pvp.switch.xstats(pvp.uplink)
    guest.quit()
    accounts.check_pools(pvp)
    pvp.switch.quit()
    check_equal(counters["dropped_request"], 0, "dropped_request")
    check_equal(counters["packets"], len(frames), "packets")
    for name in ("iovtee_tx_q0_dropped_offload", "iovtee_tx_q0_dropped_segments", "tx_device_drops"):
        check_equal(uplink[name], 0, name)
    return pcap.read(out), counters, uplink


def check_frames(received, frames):
    """Each is as the guest sent it, with right checksums."""
    check_equal(len(received), len(frames), "frames")
    for before, after in zip(map(Packet, frames), map(Packet, received)):
        after.check_complete()
        check(before.without_sums() == after.without_sums(), "a frame has changed")


def check_counts(frames, counters, uplink, nic=0, here=0, there=0, cut_by_nic=0, cut_here=0):
    """Checksums made by the NIC, in the guest's port, and in the uplink."""
    check_equal(counters["csum_requests"], len(frames), "csum_requests")
    check_equal(counters["csum_in_software"], here, "csum_in_software of the guest's port")
    check_equal(uplink["iovtee_tx_q0_csum_in_software"], there, "csum_in_software of the uplink")
    check_equal(uplink["tx_checksums"], nic, "checksums made by the NIC")
    check_equal(uplink["tx_cut_packets"], cut_by_nic, "packets cut by the NIC")
    check_equal(uplink["iovtee_tx_q0_segmented_packets"], cut_here, "packets cut by the uplink")


def in_place(frames):
    return sum(len(frame) >= WORTH_IT for frame in frames)


def check_borrowed(counters, least):
    """The first packet is always copied."""
    check(counters["borrowed"] >= least - 1, f"{counters['borrowed']} packets were sent in place, not {least}")


def checksums_by_nic(bed, packed=0, **vhost):
    frames = offload.small_packets()
    received, counters, uplink = send(bed, frames, packed=packed, **{"tx-offload": "csum", **vhost})
    check_frames(received, frames)
    check_counts(frames, counters, uplink, nic=len(frames))
    return frames, counters


@test("asks-checksum-nic")
def checksum_nic(bed):
    """The switch passes the requests on, and the NIC makes them. Such packets are copied, not changed in the guest."""
    _, counters = checksums_by_nic(bed)
    check_equal(counters["borrowed"], 0, "packets sent in place")


SCATTER = ["port stop 2", "port config 2 rx_offload scatter on", "port start 2"]


@test("asks-checksum-nic-payload")
def checksum_nic_payload(bed):
    """The same with payloads in place: requests are fulfilled in copied headers."""
    frames, counters = checksums_by_nic(bed, before_start=SCATTER, **{"tx-zero-copy": "payload"})
    check_borrowed(counters, in_place(frames))


@test("asks-checksum-nic-packed")
def checksum_nic_packed(bed):
    """The same with a packed ring."""
    frames, counters = checksums_by_nic(bed, packed=1, before_start=SCATTER, **{"tx-zero-copy": "payload"})
    check_borrowed(counters, in_place(frames))


@test("asks-checksum-nic-copied")
def checksum_nic_copied(bed):
    """The same with tx-zero-copy=off."""
    checksums_by_nic(bed, **{"tx-zero-copy": "off"})


@test("asks-checksum-uplink")
def checksum_uplink(bed):
    """The NIC has no such offload: the uplink makes them, payloads in place."""
    frames = offload.small_packets()
    received, counters, uplink = send(bed, frames, nic=",tx_offload=0", before_start=SCATTER,
                                      **{"tx-offload": "csum", "tx-zero-copy": "payload"})
    check_frames(received, frames)
    check_counts(frames, counters, uplink, there=len(frames))
    check_borrowed(counters, in_place(frames))


@test("asks-checksum-port")
def checksum_port(bed):
    """A switch that takes no packets without a checksum: the guest's port makes them."""
    frames = offload.small_packets()
    received, counters, uplink = send(bed, frames, app=[], **{"tx-offload": "csum"})
    check_frames(received, frames)
    check_counts(frames, counters, uplink, here=len(frames))


@test("asks-checksum-port-payload")
def checksum_port_payload(bed):
    """The same, of payloads in place, which are read but not changed; packed."""
    frames = offload.small_packets()
    received, counters, uplink = send(bed, frames, app=["--tx-offloads=0x8000"], packed=1,
                                      before_start=SCATTER, **{"tx-offload": "csum", "tx-zero-copy": "payload"})
    check_frames(received, frames)
    check_counts(frames, counters, uplink, here=len(frames))
    check_borrowed(counters, in_place(frames))


def check_stream(received, frames):
    offload.check_stream(received, frames)


def segments(frames):
    return sum(map(offload.segments_of, frames))


@test("asks-segments-nic")
def segments_nic(bed):
    """The NIC cuts, and makes the checksums."""
    frames = offload.large_packets(1001, 3000, 9001, 60000)
    received, counters, uplink = send(bed, frames, **{"tx-offload": "tso"})
    check_stream(received, frames)
    check_counts(frames, counters, uplink, nic=segments(frames), cut_by_nic=len(frames))
    check_equal(counters["gso_requests"], len(frames), "gso_requests")


@test("asks-segments-nic-payload")
def segments_nic_payload(bed):
    """The same, of one descriptor each, payloads in place; packed. What is longer than the guest's mbufs is copied."""
    frames = offload.large_packets(1001, 3000, 9001)
    received, counters, uplink = send(bed, frames, packed=1, before_start=SCATTER, mbuf_size=10240,
                                      **{"tx-offload": "tso", "tx-zero-copy": "payload"})
    check_stream(received, frames)
    check_counts(frames, counters, uplink, nic=segments(frames), cut_by_nic=len(frames))


@test("asks-segments-uplink")
def segments_uplink(bed):
    """The NIC has no such offload: the uplink cuts."""
    frames = offload.large_packets(1001, 3000, 9001, 60000)
    received, counters, uplink = send(bed, frames, nic=",tx_offload=0", **{"tx-offload": "tso"})
    check_stream(received, frames)
    check_counts(frames, counters, uplink, there=segments(frames), cut_here=len(frames))


@test("asks-segments-uplink-payload")
def segments_uplink_payload(bed):
    """The same out of the guest's memory."""
    frames = offload.large_packets(1001, 1900)
    received, counters, uplink = send(bed, frames, nic=",tx_offload=0", before_start=SCATTER, mbuf_size=10240,
                                      **{"tx-offload": "tso", "tx-zero-copy": "payload"})
    check_stream(received, frames)
    check_counts(frames, counters, uplink, there=segments(frames), cut_here=len(frames))
    check_borrowed(counters, len(frames))


@test("asks-tso-not-taken")
def tso_not_taken(bed):
    """tx-offload=tso and an application that takes no large packets: the port is not configured, and says why."""
    bed.need_iovtee()
    switch = Testpmd(bed, "switch", [f"net_iovtee_vhost0,iface={bed.path('s.sock')},tx-offload=tso"], bed.plugins())
    wait_until(lambda: "takes no large packets" in switch.output() and "Start ports failed" in switch.output(), 20,
               "the port to be refused, and the reason to be said")


def to_guest(bed, frames, rx, check_sums, large):
    """From one guest to another, through a switch that does nothing with them. Returns what the second got, and the
    counters of its port."""
    bed.need_iovtee()
    offer = "tso" if large else "csum"
    first, second = bed.path("first.sock"), bed.path("second.sock")
    switch = Testpmd(bed, "switch", [f"net_iovtee_vhost0,iface={second}",
                                     f"net_iovtee_vhost1,iface={first},tx-offload={offer}"],
                     bed.plugins(), app=CARRIES).ready()
    switch.cmd("set fwd io retry")
    switch.cmd("start")
    receiver = offload.Guest(bed, second, rx).start()
    cut = large and "tcp_lro" not in rx
    want = segments(frames) if cut else len(frames)
    guest = start_guest(bed, first, frames, large)
    received = receiver.received(want)
    counters = offload.tx_counters(switch)
    guest.quit()
    switch.quit()
    if cut:
        offload.check_stream(received, frames, check_sums)
    else:
        check_equal(len(received), len(frames), "frames")
        for before, after in zip(map(Packet, frames), map(Packet, received)):
            check_sums(after)
            check(before.without_sums() == after.without_sums(), "a frame has changed")
    check_equal(counters["dropped_offload"], 0, "dropped_offload")
    return counters, want


@test("asks-checksum-guest")
def checksum_guest(bed):
    """Nobody makes the checksum: the second guest knows that there is none."""
    counters, n = to_guest(bed, offload.small_packets(), ("tcp_cksum", "udp_cksum"), Packet.check_partial, False)
    check_equal(counters["csum_by_guest"], n, "csum_by_guest")


@test("asks-checksum-for-guest")
def checksum_for_guest(bed):
    """A second guest that takes only whole ones."""
    counters, n = to_guest(bed, offload.small_packets(), (), Packet.check_complete, False)
    check_equal(counters["csum_in_software"], n, "csum_in_software")


@test("asks-segments-guest")
def segments_guest(bed):
    """Large packets from guest to guest."""
    frames = offload.large_packets(1001, 3000, 9001, 16000)
    counters, n = to_guest(bed, frames, ("tcp_cksum", "udp_cksum", "tcp_lro"), Packet.check_partial, True)
    check_equal(counters["gso_packets"], n, "gso_packets")


@test("asks-segments-for-guest")
def segments_for_guest(bed):
    """A second guest that takes none of it."""
    frames = offload.large_packets(1001, 3000, 9001, 60000)
    counters, _ = to_guest(bed, frames, (), Packet.check_complete, True)
    check_equal(counters["segmented_packets"], len(frames), "segmented_packets")


# ---- headers that no driver would send ----

NEEDS_CSUM, TCPV4, TCPV6, ECN = 1, 1, 4, 0x80
DST = b"\x02\0\0\0\0\x99"


def header(flags=NEEDS_CSUM, gso=0, size=0, start=34, offset=16, hint=0):
    """A virtio-net header with num_buffers."""
    return struct.pack("<BBHHHHH", flags, gso, hint, size, start, offset, 0)


def packet(proto=TCP, version=4, length=1200, at=None, byte=0):
    """A packet with the pseudo header's sum in it; at: this byte is another."""
    frame = bytearray(make(DST, proto, version, offload.payload(length)))
    p = Packet(bytes(frame))
    frame[p.sum_at:p.sum_at + 2] = p.pseudo_header_sum().to_bytes(2, "big")
    if version == 4:
        frame[24:26] = b"\0\0"
        frame[24:26] = (0xFFFF ^ ones_sum(bytes(frame[14:34]))).to_bytes(2, "big")
    if at is not None:
        frame[at] = byte
    return bytes(frame)


BAD = {
    "checksum from behind the packet on": (header(start=5000), packet()),
    "field behind the packet": (header(offset=1220), packet()),
    "offsets that do not add up to 16 bits": (header(start=0xFFFF, offset=0xFFFF), packet()),
    "segments without a checksum": (header(flags=0, gso=TCPV4, size=500), packet()),
    "segments of no bytes": (header(gso=TCPV4, size=0), packet()),
    "segments of one byte": (header(gso=TCPV4, size=1), packet()),
    "fragments": (header(gso=3, size=500), packet()),
    "segments of UDP": (header(gso=TCPV4, size=500, offset=6), packet(UDP)),
    "datagrams": (header(gso=5, size=500, offset=6), packet(UDP)),
    "no such type": (header(gso=0x7F, size=500), packet()),
    "ECN, which was not negotiated": (header(gso=TCPV4 | ECN, size=500), packet()),
    "IPv6 segments of IPv4": (header(gso=TCPV6, size=500), packet()),
    "IPv4 segments of IPv6": (header(gso=TCPV4, size=500, start=54), packet(version=6)),
    "segments of a packet without IP": (header(gso=TCPV4, size=500), packet(at=12, byte=0x88)),
    "IP header of 4 bytes": (header(gso=TCPV4, size=500, start=18), packet(at=14, byte=0x41)),
    "TCP header of no bytes": (header(gso=TCPV4, size=500), packet(at=46, byte=0)),
    "TCP header behind the packet": (header(gso=TCPV4, size=500), packet(length=20, at=46, byte=0xF0)),
    "IP length beyond the packet": (header(), packet(at=16, byte=0xFF)),
}
# Odd, but right: bits and hints that a device does not know; a segment size that is larger than the packet.
GOOD = {
    "unknown flags": (header(flags=0xFF), packet()),
    "a wrong hint": (header(hint=0xFFFF), packet()),
    "one segment": (header(gso=TCPV4, size=0xFFFF), packet()),
    "nothing": (header(flags=0, start=0xFFFF, offset=0xFFFF), packet()),
}


def hostile(bed, fmt, loans, before_start=()):
    """Each bad one is dropped and counted, and the good ones around it get through."""
    bed.need_iovtee()
    out = bed.path("wire.pcap")
    pvp = FrontendPvp(bed, nic=f",tx_pcap={out}", switch_app=CARRIES, before_start=before_start,
                      **{"tx-offload": "tso", "tx-zero-copy": loans})
    pvp.setup(format=fmt, csum=1, tso=1, indirect=1, layouts="one+hdr_apart+chain+indirect_chain")
    pvp.attach()
    pvp.guest.up()
    good = []
    # Twice: in place once the first has shown where the guest's packets are.
    for i, (hdr, frame) in enumerate(2 * [kind for pair in zip(list(BAD.values()), 5 * list(GOOD.values()))
                                          for kind in pair]):
        pvp.guest.cmd("send", data=(hdr + frame).hex())
        good += [(hdr, frame)] if i % 2 else []
    bad = 2 * len(BAD)
    wait_until(lambda: sent_by_guest(pvp)["packets"] >= len(good), 10, f"{len(good)} packets to get through")
    wait_until(lambda: pvp.nic()["tx_device_frames"] >= len(good), 10, f"{len(good)} packets to leave the NIC")
    counters = sent_by_guest(pvp)
    check_equal(counters["dropped_request"], bad, "dropped_request")
    check_equal(counters["packets"], len(good), "packets")
    check_equal(counters["ring_errors"], 0, "ring_errors")
    check_returned(pvp)
    pvp.guest.stop()
    pvp.check_no_faults()
    pvp.check_accounts()
    pvp.switch.quit()
    received = pcap.read(out)
    check_equal(len(received), len(good), "frames")
    for (hdr, before), after in zip(good, map(Packet, received)):
        if hdr[0]:
            after.check_complete()
        check(Packet(before).without_sums() == after.without_sums(), "a frame has changed")


@test("asks-hostile")
def hostile_split(bed):
    """Virtio-net headers with values that do not fit the packet, from a guest whose other packets stay in place."""
    hostile(bed, "split", "whole")


@test("asks-hostile-packed")
def hostile_packed(bed):
    """The same with a packed ring, and copied headers."""
    hostile(bed, "packed", "payload", SCATTER)


@test("asks-hostile-copied")
def hostile_copied(bed):
    """The same where all is copied."""
    hostile(bed, "packed", "off")
