# SPDX-License-Identifier: BSD-3-Clause
"""A Debian kernel in QEMU, with one virtio-net device over vhost-user, and a shell on a virtio
console."""
import json
import re
import socket
import time

from harness.errors import Failure, check_equal
from harness.process import Process, wait_until

MAC = "52:54:00:00:00:aa"
ADDRESS = "10.9.0.2"
MEMORY = "256M"
BOOT_SECONDS = 60
COMMAND_SECONDS = 20


def _connect(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wait_until(lambda: not connection.connect_ex(path), 5, f"QEMU to open {path}")
    return connection


class Guest(Process):
    """`boot` gives qemu, kernel and initramfs; properties are those of the virtio-net device.

    QEMU serves the vhost-user socket, or connects to it and again after it was lost."""

    def __init__(self, bed, boot, iface, serves, mtu, properties):
        control, qmp = bed.path("control.sock"), bed.path("qmp.sock")
        backend = "server=on" if serves else "reconnect=1"
        super().__init__(bed, "guest", [
            str(boot.qemu), "-nodefaults", "-display", "none",
            "-machine", "q35,memory-backend=memory", "-accel", "tcg,thread=multi",
            "-cpu", "max", "-smp", "1", "-m", MEMORY,
            "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
            "-kernel", str(boot.kernel), "-initrd", str(boot.initramfs),
            # no_timer_check: on a busy host the timer seems broken, and the kernel panics.
            "-append", "console=ttyS0 quiet no_timer_check",
            "-serial", f"file:{bed.path('console.log')}",
            "-chardev", f"socket,id=control,path={control},server=on,wait=off",
            # Not a second serial line: its FIFO of 16 bytes overruns when the guest is busy.
            "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=control",
            "-qmp", f"unix:{qmp},server=on,wait=off",
            "-chardev", f"socket,id=vhost,path={iface},{backend}",
            "-netdev", "vhost-user,id=net,chardev=vhost",
            # vectors=0: QEMU 7.2 in TCG crashes with MSI-X when the driver starts.
            "-device", ",".join(["virtio-net-pci", "netdev=net", f"mac={MAC}", "romfile=",
                                 "vectors=0", f"host_mtu={mtu}", *properties]),
        ])
        bed.logs.append(bed.path("console.log"))
        self.qmp_path = qmp
        self.control = _connect(control)
        bed.cleanup.push(self.control.close)
        self.control.settimeout(0.1)
        self._heard = ""

    def _read_until(self, pattern, seconds, what):
        """What the console says up to a match of the pattern; and the match."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self._heard, re.M)
            if match:
                text, self._heard = self._heard[:match.start()], self._heard[match.end():]
                return text, match
            self.check_alive()
            if time.monotonic() > end:
                raise Failure(f"guest: {what}: not within {seconds:g} s; said {self._heard!r}")
            try:
                self._heard += self.control.recv(4096).decode(errors="replace")
            except TimeoutError:
                pass

    def wait_booted(self):
        """Wait for the shell; return the seconds that it took."""
        start = time.monotonic()
        self._read_until(r"^ready\n", BOOT_SECONDS, "to boot")
        return time.monotonic() - start

    def run(self, command, seconds=COMMAND_SECONDS):
        """Run one line of shell; its status must be 0. Returns what it printed."""
        self.control.sendall(command.encode() + b"\n")
        text, match = self._read_until(r"^status (\d+)\n", seconds, command)
        check_equal(match.group(1), "0", f"guest: status of {command!r} ({text.strip()})")
        return text

    def number(self, command):
        return int(self.run(command))

    def configure(self, mtu):
        self.run(f"ip link set eth0 mtu {mtu} && ip address add {ADDRESS}/24 dev eth0 && "
                 "ip link set eth0 up")

    def reset(self):
        """The machine's reset button."""
        with _connect(self.qmp_path) as qmp:
            qmp.settimeout(COMMAND_SECONDS)
            replies = qmp.makefile()
            for command in ("qmp_capabilities", "system_reset"):
                qmp.sendall(json.dumps({"execute": command}).encode())
                while "return" not in json.loads(replies.readline()):
                    pass
        self._heard = ""

    def counter(self, name):
        """A counter of the network device."""
        return self.number(f"cat /sys/class/net/eth0/statistics/{name}")

    def packets(self):
        return self.counter("rx_packets") + self.counter("tx_packets")

    def interrupts(self):
        return self.number("awk '/virtio/ { n += $2 } END { print n + 0 }' /proc/interrupts")
