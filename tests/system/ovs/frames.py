# SPDX-License-Identifier: BSD-3-Clause
"""What a rule makes of a frame, byte for byte: the test's own idea of OpenFlow's actions."""
import struct

from harness.errors import check, check_equal
from harness.packets import TCP, UDP, fold, ones_sum

ETH, VLAN_TYPE, IPV4 = 14, b"\x81\x00", b"\x08\x00"
VXLAN_PORT, GENEVE_PORT = 4789, 6081
SUM_AT = {TCP: 16, UDP: 6}


def is_ipv4(frame):
    return frame[12:14] == IPV4


def protocol(frame):
    return frame[23] if is_ipv4(frame) else None


def set_source(frame, mac):
    return frame[:6] + mac + frame[12:]


def push_vlan(frame, vid, priority=0):
    return frame[:12] + VLAN_TYPE + struct.pack("!H", priority << 13 | vid) + frame[12:]


def pop_vlan(frame):
    check_equal(frame[12:14], VLAN_TYPE, "type of a frame with a tag")
    return frame[:12] + frame[16:]


def _updated(old_sum, old, new):
    """RFC 1624: the checksum of what had old in it and has new now, of as many bytes."""
    total = (~old_sum & 0xFFFF) + ones_sum(bytes(~b & 0xFF for b in old)) + ones_sum(new)
    return ~fold(total) & 0xFFFF


def _change(frame, at, new, sums):
    """New bytes at an even place of a header, and the checksums at these places that cover it."""
    frame = bytearray(frame)
    old = bytes(frame[at:at + len(new)])
    frame[at:at + len(new)] = new
    for place in sums:
        before, = struct.unpack_from("!H", frame, place)
        after = _updated(before, old, new)
        if after == 0 and place != ETH + 10 and protocol(frame) == UDP:
            after = 0xFFFF  # RFC 768: 0 is none
        struct.pack_into("!H", frame, place, after)
    return bytes(frame)


def _l4_sum(frame):
    """Where the checksum is that covers the addresses, if there is one."""
    at = ETH + 4 * (frame[ETH] & 15)
    fragment = struct.unpack_from("!H", frame, ETH + 6)[0] & 0x1FFF
    if fragment or protocol(frame) not in SUM_AT:
        return []
    place = at + SUM_AT[protocol(frame)]
    return [] if protocol(frame) == UDP and frame[place:place + 2] == b"\0\0" else [place]


def set_ip(frame, address, destination):
    """The source or destination address, of IPv4 only."""
    at = ETH + (16 if destination else 12)
    return _change(frame, at, address, [ETH + 10, *_l4_sum(frame)])


def set_ttl(frame, ttl):
    return _change(frame, ETH + 8, bytes([ttl, frame[ETH + 9]]), [ETH + 10])


class Tunnelled:
    """A frame in VXLAN (RFC 7348) or Geneve (RFC 8926) over UDP and IPv4, taken apart."""

    def __init__(self, frame):
        self.frame = frame
        check(is_ipv4(frame) and protocol(frame) == UDP, "an outer frame is not UDP over IPv4")
        check_equal(frame[ETH], 0x45, "version and length of the outer IP header")
        check_equal(ones_sum(frame[ETH:ETH + 20]), 0xFFFF, "sum over the outer IP header")
        check_equal(struct.unpack_from("!H", frame, ETH + 2)[0], len(frame) - ETH, "outer IP length")
        udp = ETH + 20
        self.source, self.destination = frame[ETH + 12:ETH + 16], frame[ETH + 16:udp]
        self.port, length = struct.unpack_from("!HH", frame, udp + 2)
        check_equal(length, len(frame) - udp, "outer UDP length")
        head = frame[udp + 8:udp + 16]
        if self.port == VXLAN_PORT:
            check_equal(head[:4], b"\x08\0\0\0", "VXLAN flags")
            options = 0
        else:
            check_equal(self.port, GENEVE_PORT, "outer destination port")
            check_equal(head[2:4], b"\x65\x58", "Geneve protocol type")
            options = 4 * (head[0] & 63)
        self.vni = int.from_bytes(head[4:7], "big")
        self.inner = frame[udp + 16 + options:]


def tunnelled(inner, port, vni, macs, addresses):
    """A frame in a tunnel, as the far end would send it."""
    head = b"\x08\0\0\0" if port == VXLAN_PORT else b"\0\0\x65\x58"
    payload = head + vni.to_bytes(3, "big") + b"\0" + inner
    udp = struct.pack("!HHHH", 50000, port, 8 + len(payload), 0)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, UDP, 0) + addresses
    ip = ip[:10] + struct.pack("!H", ~ones_sum(ip) & 0xFFFF) + ip[12:]
    return macs + IPV4 + ip + udp + payload
