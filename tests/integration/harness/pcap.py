# SPDX-License-Identifier: BSD-3-Clause
"""Classic pcap files (EN10MB), and the comparison of what went in with what came out."""
import struct
from collections import Counter

from .errors import Failure

MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D
EN10MB = 1


def write(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", MICRO, 2, 4, 0, 0, 65535, EN10MB))
        for i, frame in enumerate(frames):
            f.write(struct.pack("<IIII", i // 1000000, i % 1000000, len(frame), len(frame)))
            f.write(frame)


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    if len(data) < 24:
        raise Failure(f"{path}: {len(data)} bytes are no capture")
    for order in "<>":
        magic, *_, link = struct.unpack_from(order + "IHHiIII", data)
        if magic in (MICRO, NANO):
            break
    else:
        raise Failure(f"{path}: not a pcap file")
    if link != EN10MB:
        raise Failure(f"{path}: link type {link} is not Ethernet")
    frames, at = [], 24
    while at < len(data):
        if at + 16 > len(data):
            raise Failure(f"{path}: cut inside a record header")
        _, _, captured, length = struct.unpack_from(order + "IIII", data, at)
        at += 16
        if captured != length or at + captured > len(data):
            raise Failure(f"{path}: frame {len(frames)} is cut: {captured} of {length} bytes")
        frames.append(data[at:at + captured])
        at += captured
    return frames


def swap_macs(frame):
    """What testpmd's macswap mode does to a frame."""
    return frame[6:12] + frame[:6] + frame[12:]


def is_unicast(frame):
    return not frame[0] & 1


def _flow(frame):
    """Addresses, tags, protocol and ports: what no switch may reorder."""
    at = 14
    while frame[at - 2:at] == b"\x81\x00":
        at += 4
    if frame[at - 2:at] != b"\x08\x00":
        return frame[:at]
    return frame[:at] + frame[at + 9:at + 10] + frame[at + 12:at + 24]


def by_flow(frames):
    flows = {}
    for frame in frames:
        flows.setdefault(_flow(frame), []).append(frame)
    return flows


def first_difference(got, want):
    """Why got is not want, byte for byte and in order; None when it is."""
    for i, (a, b) in enumerate(zip(got, want)):
        if a == b:
            continue
        if len(a) != len(b):
            return f"frame {i} has {len(a)} bytes, not {len(b)}"
        at = next(k for k in range(len(a)) if a[k] != b[k])
        return f"frame {i} ({len(a)} bytes) differs from byte {at}: {a[at]:02x}, not {b[at]:02x}"
    if len(got) != len(want):
        return f"{len(got)} frames came back of {len(want)}"
    return None


def check_same(got, want):
    reason = first_difference(got, want)
    if reason is None:
        return
    missing = sum((Counter(want) - Counter(got)).values())
    strange = sum((Counter(got) - Counter(want)).values())
    raise Failure(f"{reason} ({len(got)} of {len(want)} frames, {missing} missing, "
                  f"{strange} corrupt or twice)")


def check_in_any_order(got, want):
    """got is want with frames left out: nothing corrupt or twice. Returns the loss."""
    strange = Counter(got) - Counter(want)
    if strange:
        frame = next(iter(strange))
        raise Failure(f"{strange.total()} frames of {len(got)} came back corrupt or twice, the first is "
                      f"{frame[:64].hex()} ({len(frame)} bytes)")
    return len(want) - len(got)


def check_in_order(got, want):
    """got is want with frames left out: nothing corrupt, twice or overtaken. Returns the loss."""
    at = 0
    index = {}
    for i, frame in enumerate(want):
        index.setdefault(frame, []).append(i)
    for i, frame in enumerate(got):
        places = index.get(frame)
        if places is None:
            raise Failure(f"frame {i} of {len(got)} came back corrupt ({len(frame)} bytes)")
        place = next((p for p in places if p >= at), None)
        if place is None:
            raise Failure(f"frame {i} of {len(got)} came back twice or overtaken: it is frame "
                          f"{places[-1]} of the input, after frame {at - 1}")
        at = place + 1
    return len(want) - len(got)


def check_flows_in_order(got, want):
    """As check_in_order, but within each flow only: a switch may batch by flow."""
    got_flows, want_flows = by_flow(got), by_flow(want)
    for flow, frames in got_flows.items():
        if flow not in want_flows:
            raise Failure(f"{len(frames)} frames of a flow that was not sent came back, the first is "
                          f"{frames[0][:64].hex()}")
        check_in_order(frames, want_flows[flow])
    return len(want) - len(got)
