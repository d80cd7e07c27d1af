# SPDX-License-Identifier: BSD-3-Clause
"""Frames of many flows, for a NIC to spread over its queues."""
import random
import struct

SOURCE = bytes.fromhex("020000000099")
DISCARD = 9
SHORTEST, LONGEST = 60, 1514
IP_UDP_HEADERS = 28


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _headers(rng):
    """Addresses and ports of one flow: none that the NIC's generator uses."""
    source = struct.pack("!BBH", 10, 1, rng.randrange(1 << 16))
    return source + bytes([10, 2, 0, 1]), struct.pack("!HH", rng.randrange(1024, 1 << 16), DISCARD)


def frame(rng, flow, mac, size):
    """One UDP frame of a flow, its payload random."""
    addresses, ports = flow
    length = size - 14
    ip = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, 64, 17, 0) + addresses
    ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
    udp = ports + struct.pack("!HH", length - 20, 0)
    return mac + SOURCE + b"\x08\x00" + ip + udp + rng.randbytes(length - IP_UDP_HEADERS)


def frames(count, flows, mac, seed=1):
    """Count frames of all sizes, of so many flows in turn; the same ones for the same seed."""
    rng = random.Random(seed)
    flow = [_headers(rng) for _ in range(flows)]
    return [frame(rng, flow[i % flows], mac, rng.randint(SHORTEST, LONGEST)) for i in range(count)]
