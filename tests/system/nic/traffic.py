# SPDX-License-Identifier: BSD-3-Clause
"""Frames into the emulated NIC and back, each returned one compared byte for byte."""
import random
import select
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

# Names in the working folder, so that they stay short enough for AF_UNIX (107 bytes).
NIC_SOCKET, PEER_SOCKET = "nic.sock", "peer.sock"
MAGIC = b"IOVT"
SHORTEST, LONGEST = 64, 1514
HEADERS = 14 + 20 + 8
IN_FLIGHT = 32
# A frame that is not back after this long is lost, and a NIC that takes no frame for this long is
# stuck; emulation takes milliseconds.
LOST_SECONDS = 5.0
SOURCE_MAC = "02:00:00:00:00:01"


@dataclass
class Result:
    sent: int = 0
    intact: int = 0
    corrupt: int = 0
    lost: int = 0
    unexpected: int = 0
    seconds: float = 0.0


def _mac(text):
    return bytes.fromhex(text.replace(":", ""))


def _checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def _frame(number, length, random_bytes, destination):
    """An IPv4/UDP frame; its number stands right behind the headers."""
    ip_length = length - 14
    payload = MAGIC + struct.pack("!I", number) + random_bytes(length - HEADERS - 8)
    udp = struct.pack("!HHHH", 1024 + number % 1000, 9, ip_length - 20, 0)
    fields = (0x45, 0, ip_length, number & 0xffff, 0, 64, 17)
    addresses = bytes((10, 0, 0, 1, 10, 0, 0, 2))
    check = _checksum(struct.pack("!BBHHHBBH", *fields, 0) + addresses)
    ip = struct.pack("!BBHHHBBH", *fields, check) + addresses
    return _mac(destination) + _mac(SOURCE_MAC) + b"\x08\x00" + ip + udp + payload


def _frames(count, destination):
    """The same frames in every run: the shortest, the longest, then random lengths."""
    source = random.Random(1)
    for number in range(count):
        length = (SHORTEST, LONGEST)[number] if number < 2 else source.randint(SHORTEST, LONGEST)
        yield _frame(number, length, source.randbytes, destination)


def _number(frame):
    """A returned frame's number, None if it is none of ours."""
    if frame[HEADERS:HEADERS + 4] != MAGIC or len(frame) < HEADERS + 8:
        return None
    return struct.unpack_from("!I", frame, HEADERS + 4)[0]


def _socket():
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.setblocking(False)
    return datagrams


def _send(sender, frame):
    """False if the NIC takes no frame now, or never again: the caller asks the machine why."""
    try:
        sender.sendto(frame, NIC_SOCKET)
    except (BlockingIOError, ConnectionRefusedError):
        return False
    return True


def _receive(peer, waiting, result):
    while True:
        try:
            frame = peer.recv(65536)
        except BlockingIOError:
            return
        expected, _ = waiting.pop(_number(frame), (None, None))
        if expected is None:
            result.unexpected += 1
        elif frame == expected:
            result.intact += 1
        else:
            result.corrupt += 1


def _drop_lost(waiting, result):
    oldest = time.monotonic() - LOST_SECONDS
    for number in [n for n, (_, sent) in waiting.items() if sent < oldest]:
        del waiting[number]
        result.lost += 1


def exchange(count, destination, deadline):
    """Send frames to the NIC's socket, expect them back with their MAC addresses swapped."""
    result = Result()
    started = last_sent = time.monotonic()
    frames = list(_frames(count, destination))
    waiting = {}
    with _socket() as peer:
        Path(PEER_SOCKET).unlink(missing_ok=True)
        peer.bind(PEER_SOCKET)
        while result.sent < count or waiting:
            now = time.monotonic()
            stuck = not waiting and now > last_sent + LOST_SECONDS
            if stuck or now > deadline:
                break
            for frame in frames[result.sent:result.sent + IN_FLIGHT - len(waiting)]:
                if not _send(peer, frame):
                    break
                waiting[result.sent] = (frame[6:12] + frame[0:6] + frame[12:], now)
                result.sent += 1
                last_sent = now
            select.select([peer], [], [], 0.01)
            _receive(peer, waiting, result)
            _drop_lost(waiting, result)
    result.lost += count - result.sent + len(waiting)
    result.seconds = time.monotonic() - started
    return result


def flood(destination, until):
    """Send frames that nobody waits for until `until()` holds; returns their number."""
    sent = 0
    frames = list(_frames(64, destination))
    with _socket() as sender:
        while not until():
            for frame in frames:
                if not _send(sender, frame):
                    break
                sent += 1
            time.sleep(0.001)
    return sent
