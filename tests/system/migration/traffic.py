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
    """Random bytes until stopped; the guest takes the digest."""

    def __init__(self, guest):
        self.guest, self.digest = guest, hashlib.sha256()
        guest.run(f"nc -l -p {TO_GUEST_PORT} | sha256sum > /tmp/digest 2>&1 &")
        guest.wait_listening(TO_GUEST_PORT)
        super().__init__()

    def transfer(self):
        source = random.Random(1)
        with socket.create_connection((ADDRESS, TO_GUEST_PORT), STALL_SECONDS) as connection:
            while not self.stop.is_set():
                block = source.randbytes(BLOCK)
                connection.sendall(block)
                self.digest.update(block)
                self.total += len(block)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(BLOCK):
                pass

    def finish(self, guest):
        """guest: where it is now."""
        self.stop.set()
        self.join()
        wait_until(lambda: guest.run("cat /tmp/digest"), 10, "the guest's digest")
        check_equal(guest.run("cat /tmp/digest").split()[0], self.digest.hexdigest(),
                    f"SHA-256 of {self.total} bytes sent to the guest")


class FromGuest(Transfer):
    """Records of a number and a random pattern until the guest finds /tmp/stop; each byte is compared."""

    def __init__(self, guest):
        self.records = 0
        guest.run(f"rm -f /tmp/stop; dd if=/dev/urandom of=/tmp/pattern bs={PATTERN_BYTES} count=1")
        self.pattern_digest = guest.run("sha256sum /tmp/pattern").split()[0]
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
                check_equal(hashlib.sha256(record[8:]).hexdigest(), self.pattern_digest,
                            f"SHA-256 of record {self.records}")
                self.records += 1

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
        wait_until(lambda: guest.run("cat /tmp/records 2> /dev/null || true"), 10, "the guest's count of records")
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
