# SPDX-License-Identifier: BSD-3-Clause
"""One end of a wire: a network namespace with one interface, and what runs in it. Run as a program it is the inside.

Usage: endpoint.py up INTERFACE ADDRESS | serve ADDRESS PORT | send ADDRESS PORT BYTES SEED"""
import hashlib
import os
import random
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.append(os.path.join(HERE, "../../integration"))

from harness.capture import offloads_off  # noqa: E402
from harness.errors import Failure  # noqa: E402
from harness.linux import CLONE_NEWNET, die_with_parent, unshare  # noqa: E402
from harness.process import Process, wait_until  # noqa: E402

CHUNK = 1 << 18


class _Namespace(Process):
    @staticmethod
    def _in_child():
        die_with_parent()
        unshare(CLONE_NEWNET)


class Endpoint:
    """Holds the namespace; it ends with the test."""

    def __init__(self, bed, name, address):
        self.bed, self.name, self.address = bed, name, address
        self.holder = _Namespace(bed, name, ["sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, 5, f"the namespace of {name}")

    @property
    def pid(self):
        return self.holder.pid

    def _argv(self, *command):
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *command]

    def run(self, *command):
        done = subprocess.run(self._argv(*command), capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise Failure(f"{self.name}: {' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def start(self, name, *command):
        return Process(self.bed, f"{self.name}-{name}", self._argv(*command))

    def program(self, name, *args):
        return self.start(name, sys.executable, "-B", __file__, *map(str, args))

    def up(self, interface):
        self.run(sys.executable, "-B", __file__, "up", interface, self.address)


def _up(interface, address):
    for argument in ("all", "default"):
        with open(f"/proc/sys/net/ipv6/conf/{argument}/disable_ipv6", "w", encoding="ascii") as setting:
            setting.write("1")
    offloads_off(interface, strict=False)
    for command in (["address", "replace", f"{address}/24", "dev", interface], ["link", "set", interface, "up"],
                    ["link", "set", "lo", "up"]):
        subprocess.run(["ip", *command], check=True)


def _serve(address, port):
    """One connection: take all of it, answer with its digest."""
    with socket.create_server((address, int(port))) as listener:
        print("listening", flush=True)
        connection, _ = listener.accept()
    with connection:
        digest = hashlib.sha256()
        while chunk := connection.recv(CHUNK):
            digest.update(chunk)
        connection.sendall(digest.digest())


def _send(address, port, size, seed):
    """Send so many random bytes; those that answer must have had the same."""
    data = random.Random(seed).randbytes(int(size))
    start = time.monotonic()
    with socket.create_connection((address, int(port)), timeout=60) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(64), b""))
    if answer != hashlib.sha256(data).digest():
        sys.exit("what arrived is not what was sent")
    print(f"intact {len(data) / (time.monotonic() - start) / 1e6:.1f} MB/s")


if __name__ == "__main__":
    {"up": _up, "serve": _serve, "send": _send}[sys.argv[1]](*sys.argv[2:])
