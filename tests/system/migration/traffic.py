# SPDX-License-Identifier: BSD-3-Clause
"""What goes on between the peer (this process) and the guest while it is migrated: TCP both ways, each byte
checked, and pings at short intervals, which see for how long the guest was away."""
import hashlib
import random
import socket
import struct
import threading
import time

from harness.errors import Failure, check, check_equal
from harness.process import wait_until
from switch import PEER_ADDRESS
from vm.guest import ADDRESS

TO_GUEST_PORT, FROM_GUEST_PORT = 5001, 5002
BLOCK = 1 << 16
PATTERN_BYTES = 1 << 18
STALL_SECONDS = 30
PING_SECONDS = 0.005


class Transfer:
    """A connection on a thread of its own; `total` is how many bytes have passed."""

    def __init__(self):
        self.total, self.error = 0, None
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self.transfer()
        except Exception as error:  # told by join()
            self.error = error

    def join(self):
        self._thread.join(STALL_SECONDS)
        if self._thread.is_alive() or self.error:
            raise Failure(f"{type(self).__name__}: {self.error or 'does not end'}, after {self.total} bytes")


class ToGuest(Transfer):
    """Records of a number and a random pattern until stopped; the guest compares each byte, and keeps where they differ."""

    def __init__(self, guest):
        self.guest, self.records, self.pattern = guest, 0, random.Random(1).randbytes(PATTERN_BYTES)
        guest.run("rm -f /tmp/received; : > /tmp/differs; "
                  f"nc -l -p {TO_GUEST_PORT} | {{ {self.RECEIVER}; }} 2> /dev/null &")
        guest.wait_listening(TO_GUEST_PORT)
        super().__init__()

    # The pattern itself comes first. cmp, which is slow, prints a line for each difference: the byte from 1, its two values.
    RECEIVER = (f"dd bs={PATTERN_BYTES} count=1 iflag=fullblock of=/tmp/sent; digest=$(sha256sum < /tmp/sent); n=0; "
                f"while dd bs={8 + PATTERN_BYTES} count=1 iflag=fullblock of=/tmp/record; [ -s /tmp/record ]; do "
                "[ $(head -c 8 /tmp/record) = $(printf %08d $n) ] && "
                '[ "$(tail -c +9 /tmp/record | sha256sum)" = "$digest" ] || '
                "{ printf %08d $n; cat /tmp/sent; } | cmp -l - /tmp/record >> /tmp/differs; "
                "n=$((n + 1)); done; echo $n > /tmp/received")

    def transfer(self):
        with socket.create_connection((ADDRESS, TO_GUEST_PORT), STALL_SECONDS) as connection:
            connection.sendall(self.pattern)
            while not self.stop.is_set():
                connection.sendall(b"%08d" % self.records + self.pattern)
                self.records += 1
                self.total = self.records * (8 + PATTERN_BYTES)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(BLOCK):
                pass

    def finish(self, guest):
        """guest: where it is now."""
        self.stop.set()
        self.join()
        wait_until(lambda: guest.run("cat /tmp/received 2> /dev/null || true"), 60, "the guest's count of records")
        differs = guest.run("head -n 64 /tmp/differs; wc -l < /tmp/differs").split("\n")
        check_equal(guest.run("sha256sum /tmp/sent").split()[0], hashlib.sha256(self.pattern).hexdigest(),
                    "SHA-256 of the pattern that was sent to the guest")
        check_equal(differs[:-2], [], "bytes that differ, of records sent to the guest")
        check_equal(guest.number("cat /tmp/received"), self.records, "records sent to the guest")


class FromGuest(Transfer):
    """Records of a number and a random pattern until the guest finds /tmp/stop; each byte is compared, and what differs is
    kept: whether a later record has it, too, says if it is the guest's memory that is wrong."""

    def __init__(self, guest):
        self.records = 0
        guest.run(f"rm -f /tmp/stop; dd if=/dev/urandom of=/tmp/pattern bs={PATTERN_BYTES} count=1")
        self.pattern_digest, self.pattern, self.differs = guest.run("sha256sum /tmp/pattern").split()[0], None, []
        self.server = socket.create_server((PEER_ADDRESS, FROM_GUEST_PORT))
        self.server.settimeout(STALL_SECONDS)
        super().__init__()
        guest.run("{ n=0; while [ ! -e /tmp/stop ]; do printf %08d $n; cat /tmp/pattern; n=$((n + 1)); done; "
                  f"echo $n > /tmp/records; }} | nc {PEER_ADDRESS} {FROM_GUEST_PORT} > /dev/null 2> /tmp/nc.error &")

    def transfer(self):
        with self.server:
            connection, _ = self.server.accept()
        with connection:
            connection.settimeout(STALL_SECONDS)
            while record := self._read(connection, 8 + PATTERN_BYTES):
                check_equal(record[:8], b"%08d" % self.records, "number of a record")
                self._compare(record[8:])
                self.records += 1

    def _compare(self, record):
        """The first one that is as the guest says is what the others are compared with."""
        if self.pattern is None:
            check_equal(hashlib.sha256(record).hexdigest(), self.pattern_digest, "SHA-256 of the first record")
            self.pattern = record
        if record != self.pattern:
            wrong = [(at, *pair) for at, pair in enumerate(zip(record, self.pattern)) if len(set(pair)) > 1]
            self.differs.append(f"record {self.records}: {len(wrong)} bytes, from {wrong[0][0]} to {wrong[-1][0]}; "
                                f"(where, is, was) {wrong[:64]}")

    def _read(self, connection, size):
        data = bytearray()
        while len(data) < size:
            block = connection.recv(size - len(data))
            if not block:
                check_equal(len(data), 0, "bytes after the last whole record")
                return None
            data += block
            self.total += len(block)
        return bytes(data)

    def finish(self, guest):
        guest.run("touch /tmp/stop")
        self.join()
        wait_until(lambda: guest.run("cat /tmp/records 2> /dev/null || true"), 60, "the guest's count of records")
        check_equal(self.differs[:3], [], "bytes that differ, of records from the guest")
        check_equal(guest.number("cat /tmp/records"), self.records, "records of the guest's")


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


class Pings:
    """Use with `with`: echo requests at short intervals, and when their answers came."""

    def __enter__(self):
        self.answers = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.settimeout(0.1)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _send(self):
        number = 0
        while not self._stop.wait(PING_SECONDS):
            body = struct.pack("!HH", 0x494f, number) + bytes(24)
            request = struct.pack("!BBH", 8, 0, _checksum(b"\x08\x00\x00\x00" + body)) + body
            try:
                self._socket.sendto(request, (ADDRESS, 0))
            except OSError:
                pass  # no room, or no answer to ARP
            number = (number + 1) & 0xffff

    def _receive(self):
        while not self._stop.is_set():
            try:
                reply = self._socket.recv(256)
            except TimeoutError:
                continue
            if reply[20] == 0 and reply[24:26] == b"IO":
                self.answers.append(time.monotonic())

    def longest_gap(self, begin, end):
        """Seconds without an answer, between two moments."""
        times = [begin, *(t for t in self.answers if begin < t < end), end]
        check(len(times) > 2, "no ping was answered")
        return max(b - a for a, b in zip(times, times[1:]))
