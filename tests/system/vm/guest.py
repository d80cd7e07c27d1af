# SPDX-License-Identifier: BSD-3-Clause
"""A Debian kernel in QEMU, with one virtio-net device over vhost-user, and a shell on a virtio
console."""
import functools
import re
import time

from harness.errors import Failure, check_equal
from harness.process import Process
from vm.qmp import Qmp, connect

MAC = "52:54:00:00:00:aa"
ADDRESS = "10.9.0.2"
MEMORY = "256M"
BOOT_SECONDS = 60
COMMAND_SECONDS = 20
UNPLUG_SECONDS = 20


class Guest(Process):
    """`boot` gives qemu, kernel and initramfs; properties are those of the virtio-net device, pairs the most queue pairs
    that it can have.

    QEMU serves the vhost-user socket, or connects to it and again after it was lost. With incoming= it waits
    for another QEMU's guest, which is to have the same properties."""

    def __init__(self, bed, boot, iface, serves=False, mtu=1500, properties=(), name="guest", incoming=None,
                 pairs=1):
        control, qmp, console = (bed.path(f"{name}.{what}") for what in ("control", "qmp", "console"))
        backend = "server=on" if serves else "reconnect=1"
        # vectors=0: QEMU 7.2 in TCG crashes with MSI-X when the driver starts.
        self.device = ",".join(["virtio-net-pci", "id=nic", "bus=rp0", "netdev=net", f"mac={MAC}", "romfile=",
                                "vectors=0", f"mq={'on' if pairs > 1 else 'off'}", f"host_mtu={mtu}", *properties])
        super().__init__(bed, name, [
            str(boot.qemu), "-nodefaults", "-display", "none",
            "-machine", "q35,memory-backend=memory", "-accel", "tcg,thread=multi",
            "-cpu", "max", "-smp", str(min(pairs, 2)), "-m", MEMORY,
            "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
            "-kernel", str(boot.kernel), "-initrd", str(boot.initramfs),
            # no_timer_check: on a busy host the timer seems broken, and the kernel panics.
            "-append", "console=ttyS0 quiet no_timer_check",
            "-serial", f"file:{console}",
            "-chardev", f"socket,id=control,path={control},server=on,wait=off",
            # Not a second serial line: its FIFO of 16 bytes overruns when the guest is busy.
            "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=control",
            "-qmp", f"unix:{qmp},server=on,wait=off",
            "-chardev", f"socket,id=vhost,path={iface},{backend}",
            "-netdev", f"vhost-user,id=net,chardev=vhost,queues={pairs}",
            "-device", "pcie-root-port,id=rp0,chassis=1", "-device", self.device,
            *(["-incoming", incoming] if incoming else []),
        ])
        bed.logs.append(console)
        self.bed, self._qmp_path = bed, qmp
        self.control = connect(control)
        bed.cleanup.push(self.control.close)
        self.control.settimeout(0.1)
        self._heard = ""

    @functools.cached_property
    def qmp(self):
        """A QEMU that serves the vhost-user socket does not answer before the switch is there."""
        qmp = Qmp(self._qmp_path)
        self.bed.cleanup.push(qmp.close)
        return qmp

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

    def wait_listening(self, port):
        """For TCP connections; iperf3 and the like take a moment to start."""
        # In state LISTEN, 0A.
        self.run("until cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | "
                 f"grep -q ':{port:04X} 0*:0000 0A'; do sleep 0.1; done")

    def unplug(self):
        """The network device; the guest's driver lets go of it first."""
        self.qmp.ask("device_del", id="nic")
        self.qmp.wait_event("DEVICE_DELETED", UNPLUG_SECONDS, device="nic")

    def plug(self):
        said = self.qmp.ask("human-monitor-command", **{"command-line": f"device_add {self.device}"})
        check_equal(said, "", "what QEMU says to device_add")
        self.run("until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done")

    def use_pairs(self, pairs):
        self.run(f"ethtool -L eth0 combined {pairs}")

    def reset(self):
        """The machine's reset button."""
        self.qmp.ask("system_reset")
        self._heard = ""

    def counter(self, name):
        """A counter of the network device."""
        return self.number(f"cat /sys/class/net/eth0/statistics/{name}")

    def packets(self):
        return self.counter("rx_packets") + self.counter("tx_packets")

    def interrupts(self):
        """Of all CPUs, the columns in front of the controller's name."""
        return self.number("awk '/virtio/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' "
                           "/proc/interrupts")
