# SPDX-License-Identifier: BSD-3-Clause
"""TCP and UDP packets, made and checked after the RFCs: what an offload has to arrive at."""
import struct

from .errors import check, check_equal

ETH, TCP, UDP = 14, 6, 17
SUM_AT = {TCP: 16, UDP: 6}  # of the checksum, in the header
L4_LEN = {TCP: 20, UDP: 8}
WRONG_SUM = 0xBEEF
FIN, PSH, ACK = 1, 8, 16


def fold(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ones_sum(data):
    data += b"\0" * (len(data) % 2)
    return fold(sum(struct.unpack(f"!{len(data) // 2}H", data)))


def make(dst, proto, version, payload, seq=1, flags=ACK | PSH, ident=7):
    """A packet with rubbish in place of its checksums."""
    length = L4_LEN[proto] + len(payload)
    if proto == TCP:
        l4 = struct.pack("!HHIIBBHHH", 4000, 80, seq, 99, 0x50, flags, 8192, WRONG_SUM, 0)
    else:
        l4 = struct.pack("!HHHH", 4000, 53, length, WRONG_SUM)
    if version == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, ident, 0x4000, 64, proto, WRONG_SUM)
        ip += bytes([10, 0, 0, 1, 10, 0, 0, 2])
    else:
        ip = struct.pack("!IHBB", 6 << 28, length, proto, 64) + bytes(range(1, 33))
    return dst + b"\x02\0\0\0\0\x77" + (b"\x08\0" if version == 4 else b"\x86\xdd") + ip + l4 + payload


class Packet:
    """A frame taken apart."""

    def __init__(self, frame):
        self.frame = frame
        self.version = {b"\x08\0": 4, b"\x86\xdd": 6}[frame[12:14]]
        self.ip_len = 20 if self.version == 4 else 40
        self.proto = frame[ETH + (9 if self.version == 4 else 6)]
        self.l4_at = ETH + self.ip_len
        self.sum_at = self.l4_at + SUM_AT[self.proto]
        self.payload = frame[self.l4_at + L4_LEN[self.proto]:]
        if self.proto == TCP:
            self.seq, = struct.unpack_from("!I", frame, self.l4_at + 4)
            self.flags = frame[self.l4_at + 13]

    def pseudo_header_sum(self):
        at = ETH + (12 if self.version == 4 else 8)
        addresses = self.frame[at:ETH + self.ip_len]
        return fold(ones_sum(addresses) + self.proto + len(self.frame) - self.l4_at)

    def checksum(self):
        return struct.unpack_from("!H", self.frame, self.sum_at)[0]

    def check_ip(self):
        """Length and, of IPv4, header checksum."""
        length, = struct.unpack_from("!H", self.frame, ETH + (2 if self.version == 4 else 4))
        check_equal(length, len(self.frame) - ETH - (0 if self.version == 4 else 40), "length in IP")
        if self.version == 4:
            check_equal(ones_sum(self.frame[ETH:self.l4_at]), 0xFFFF, "sum over the IP header")

    def check_complete(self):
        """The checksum is that of the packet."""
        self.check_ip()
        check(self.proto == TCP or self.checksum() != 0, "a datagram says that it has no checksum")
        total = fold(self.pseudo_header_sum() + ones_sum(self.frame[self.l4_at:]))
        check_equal(total, 0xFFFF, "sum over the packet")

    def check_partial(self):
        """The checksum is the part that a guest with GUEST_CSUM completes."""
        self.check_ip()
        check_equal(self.checksum(), self.pseudo_header_sum(), "the pseudo header's part of the sum")

    def without_sums(self):
        """All else, for comparison."""
        frame = bytearray(self.frame)
        frame[self.sum_at:self.sum_at + 2] = b"\0\0"
        if self.version == 4:
            frame[ETH + 10:ETH + 12] = b"\0\0"
        return bytes(frame)


def check_segments(segments, large, mss, check_sums=Packet.check_complete):
    """segments are what large, a TCP packet, has to become."""
    large, at, number = Packet(large), 0, 0
    ident, = struct.unpack_from("!H", large.frame, ETH + 4)
    for segment in map(Packet, segments):
        check_sums(segment)
        last = at + mss >= len(large.payload)
        check_equal(segment.payload, large.payload[at:at + mss], f"payload from {at} on")
        check_equal(segment.seq, large.seq + at, "sequence number")
        check_equal(segment.flags, large.flags if last else large.flags & ~(FIN | PSH), "TCP flags")
        if large.version == 4:
            check_equal(struct.unpack_from("!H", segment.frame, ETH + 4)[0], ident + number, "IP id")
        at += mss
        number += 1
    check(at >= len(large.payload), f"the segments end at {at} of {len(large.payload)} bytes")
