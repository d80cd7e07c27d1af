# SPDX-License-Identifier: BSD-3-Clause
"""The other end: this process's own network stack, in a private namespace, behind the uplink."""
import hashlib
import json
import random
import re
import socket
import subprocess
import threading
import time

from harness.errors import Failure, check, check_equal
from harness.linux import CLONE_NEWNET, unshare
from harness.process import wait_until
from vm.guest import ADDRESS as GUEST_ADDRESS, MAC as GUEST_MAC

ADDRESS = "10.9.0.1"
MAC = "02:00:00:00:00:02"
INTERFACE = "peer0"
TO_GUEST_PORT, FROM_GUEST_PORT = 5001, 5002
TRANSFER_SECONDS = 30
IPERF3_PORT, IPERF3_SECONDS = 5201, 3
ETHERTYPE_EXPERIMENTAL = "88b5"
NOISE_FRAMES, NOISE_PAUSE = 8, 0.004


def ip(*args):
    subprocess.run(["ip", *args], check=True)


def start():
    """A fresh network: it ends with the last process in it."""
    unshare(CLONE_NEWNET)
    with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as setting:
        setting.write("1")


def configure(mtu):
    """The interface was made by the uplink's driver, or for it."""
    ip("link", "set", INTERFACE, "mtu", str(mtu))
    ip("address", "replace", f"{ADDRESS}/24", "dev", INTERFACE)
    ip("link", "set", INTERFACE, "up")


def checksum_errors(snmp):
    """All InCsumErrors in the text of /proc/net/snmp, {protocol: number}."""
    rows = re.findall(r"^(\w+): (.*)\n\1: (.*)$", snmp, re.M)
    tables = {protocol: dict(zip(names.split(), values.split()))
              for protocol, names, values in rows}
    return {protocol: int(table["InCsumErrors"]) for protocol, table in tables.items()
            if "InCsumErrors" in table}


def own_checksum_errors():
    with open("/proc/net/snmp") as snmp:
        return checksum_errors(snmp.read())


def _receive_all(connection):
    digest, total = hashlib.sha256(), 0
    while chunk := connection.recv(1 << 18):
        digest.update(chunk)
        total += len(chunk)
    return total, digest.hexdigest()


def send_bulk(guest, size):
    """TCP to the guest, which keeps it in /tmp/bulk; what arrived has the right digest. Returns
    digest and megabytes a second."""
    payload = random.Random(size).randbytes(size)
    digest = hashlib.sha256(payload).hexdigest()
    guest.run(f"nc -l -p {TO_GUEST_PORT} > /tmp/bulk 2> /tmp/nc.error &")
    guest.wait_listening(TO_GUEST_PORT)
    start = time.monotonic()
    with socket.create_connection((GUEST_ADDRESS, TO_GUEST_PORT), TRANSFER_SECONDS) as connection:
        connection.sendall(payload)
        connection.shutdown(socket.SHUT_WR)
        _receive_all(connection)
    guest.run("wait", TRANSFER_SECONDS)
    seconds = time.monotonic() - start
    check_equal(guest.run("sha256sum /tmp/bulk").split()[0], digest,
                f"SHA-256 of {size} bytes sent to the guest")
    return digest, size / seconds / 1e6


def receive_bulk(guest, size, digest):
    """TCP from the guest: what it keeps in /tmp/bulk. Returns megabytes a second."""
    with socket.create_server((ADDRESS, FROM_GUEST_PORT)) as server:
        server.settimeout(TRANSFER_SECONDS)
        guest.run(f"nc {ADDRESS} {FROM_GUEST_PORT} < /tmp/bulk > /dev/null 2> /tmp/nc.error &")
        connection, _ = server.accept()
        with connection:
            connection.settimeout(TRANSFER_SECONDS)
            start = time.monotonic()
            received = _receive_all(connection)
    check_equal(received, (size, digest), "length and SHA-256 of what the guest sent")
    return size / (time.monotonic() - start) / 1e6


def iperf3(guest, connections, reverse):
    """Returns bits a second sent and received, and retransmits; reverse: from the guest."""
    guest.run("iperf3 --server --one-off > /tmp/iperf3.log 2>&1 &")
    guest.wait_listening(IPERF3_PORT)
    done = subprocess.run(["iperf3", "--client", GUEST_ADDRESS, "--time", str(IPERF3_SECONDS), "--json",
                           "--parallel", str(connections), *(["--reverse"] if reverse else [])],
                          capture_output=True, text=True, timeout=TRANSFER_SECONDS)
    result = json.loads(done.stdout)
    if "error" in result:
        raise Failure(f"iperf3: {result['error']}")
    end = result["end"]
    return end["sum_sent"]["bits_per_second"], end["sum_received"]["bits_per_second"], end["sum_sent"]["retransmits"]


class Noise:
    """Use with `with`: frames for the guest all the while, whatever state it or the link is in.

    Not by the network stack, which would send nothing before the guest answers ARP."""

    def __init__(self):
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _send(self):
        frame = bytes.fromhex((GUEST_MAC + MAC).replace(":", "") + ETHERTYPE_EXPERIMENTAL) + bytes(500)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            while not self._stop.wait(NOISE_PAUSE):
                try:
                    for _ in range(NOISE_FRAMES):
                        wire.sendto(frame, (INTERFACE, 0))
                        self.sent += 1
                except OSError:
                    pass  # the link is down, or not there

    def check_flows(self, seconds=5):
        before = self.sent
        wait_until(lambda: self.sent > before + 100, seconds, "noise to flow")


def ping(guest, size, count=3):
    """Echo requests with so many bytes of data from the guest; each must be answered."""
    said = guest.run(f"ping -q -c {count} -i 0.1 -w 10 -s {size} {ADDRESS}")
    check(f"{count} packets received" in said, f"ping of {size} bytes: {' '.join(said.split())}")
