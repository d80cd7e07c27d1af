# SPDX-License-Identifier: BSD-3-Clause
"""A network function in a container: stock testpmd on virtio-user ports. It has a network and a PID namespace of its
own, and of the machine only a folder of sockets and a mount of hugepages, both for it alone."""
import os
import subprocess

import rootfs
from harness import hugepages
from harness.errors import check, check_equal
from harness.process import wait_until
from harness.testpmd import cpu_set

HUGE_MB = 128
QUEUE_SIZE = 1024
USER = 1000
MEMORY = "96m"
# Seconds in which a front end that comes up enables its queues once more: what the NIC has received by then is lost.
SETTLE = 0.5
# Sockets that a killed NF has left behind would be in the way.
FRESH = "rm -f /run/nf/*; "
# On SIGUSR1 the first process takes memory until it is killed, and all others with it.
LEAKING = 'trap "x=0123456789abcdef; while :; do x=\\$x\\$x; done" USR1; "$@" & while :; do wait; done'


class Nf:
    """Ports are names of sockets; the NF serves them, and a switch connects to it. as_root: it connects to sockets that a
    switch serves, which are root's."""

    def __init__(self, podman, name, ports, mode, as_root=False, leaking=False):
        bed = podman.bed
        self.podman, self.name = podman, name
        self.user = 0 if as_root else USER
        self.sockets = os.path.join(bed.dir, f"{name}.s")
        os.makedirs(self.sockets, exist_ok=True)
        os.chown(self.sockets, self.user, self.user)
        hugepages.ensure(HUGE_MB)
        self.huge = hugepages.HugeMount(bed.path(f"{name}.huge"), HUGE_MB)
        os.chown(self.huge.path, self.user, self.user)
        bed.cleanup.push(self.huge.close)
        bed.cleanup.push(lambda: podman("rm", "--force", "--time", "0", "--ignore", name))
        log = bed.path(f"{name}.log")
        bed.logs.append(log)
        self._argv = [
            "run", "--detach", "--name", name, "--network", "none", "--user", f"{self.user}:{self.user}",
            "--cap-drop", "all", "--security-opt", "no-new-privileges", "--read-only", "--tmpfs", "/tmp",
            "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--memory", MEMORY,
            "--volume", f"{self.sockets}:/run/nf", "--volume", f"{self.huge.path}:/dev/hugepages",
            "--env", "RUNTIME_DIRECTORY=/tmp", "--log-driver", "k8s-file", "--log-opt", f"path={log}",
            "--rootfs", self._root(bed), "/bin/sh", "-c", ("" if as_root else FRESH) + (LEAKING if leaking else 'exec "$@"'), "sh",
            *self._testpmd(ports, mode, not as_root)]

    @staticmethod
    def _root(bed):
        path = os.path.join(bed.session.dir, "rootfs")
        return path if os.path.exists(path) else rootfs.make(path)

    @staticmethod
    def _testpmd(ports, mode, server):
        cpus = cpu_set()
        argv = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", f"0@{cpus},1@{cpus}", "--no-pci", "--single-file-segments"]
        for number, port in enumerate(ports):
            argv += ["--vdev", f"net_virtio_user{number},path=/run/nf/{port},server={int(server)},"
                               f"queue_size={QUEUE_SIZE},mac=52:54:00:00:01:{number:02x}"]
        return [*argv, "--", "--auto-start", f"--forward-mode={mode}", f"--rxd={QUEUE_SIZE}", f"--txd={QUEUE_SIZE}",
                "--total-num-mbufs=16384", "--no-flush-rx", "--disable-link-check", "--stats-period=1"]

    def socket(self, port):
        return os.path.join(self.sockets, port)

    def start(self):
        self.podman(*self._argv)
        return self

    def restart(self):
        """Once more, after it has ended."""
        self.podman("start", self.name)

    def state(self):
        return self.podman.state(self.name)

    def pid(self):
        """Of its first process, on the machine."""
        return self.state()["Pid"]

    def alive(self):
        return self.state()["Running"]

    def kill(self):
        self.podman("kill", "--signal", "KILL", self.name)
        self.wait_dead()

    def leak(self):
        self.podman("kill", "--signal", "USR1", self.name)

    def killed_for_memory(self):
        """By the kernel's word: where cgroups v1 and v2 are mixed podman does not know."""
        container = self.podman("inspect", "--format", "{{.Id}}", self.name).strip()
        log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
        return any("oom-kill:" in line and f"libpod-{container}," in line for line in log.splitlines())

    def wait_dead(self, seconds=10):
        wait_until(lambda: not self.alive(), seconds, f"{self.name} to end")
        wait_until(lambda: self.huge.clear() or self.huge.used() == 0, 5, f"the memory of {self.name} to be released")

    def quit(self):
        """End it the regular way."""
        self.podman("stop", "--time", "10", self.name)
        check_equal(self.state()["ExitCode"], 0, f"exit status of {self.name}")

    def check_confined(self):
        """It is in namespaces of its own, is who it should be, may do nothing special, and is limited."""
        pid = self.pid()
        for kind in ("net", "pid", "mnt", "ipc", "uts"):
            check(os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"),
                  f"{self.name} shares the machine's {kind} namespace")
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
        check_equal(status["Uid"].split()[1], str(self.user), f"user of {self.name}")
        check_equal(int(status["CapEff"], 16), 0, f"capabilities of {self.name}")
        seen = self.podman("exec", self.name, "sh", "-c", "echo /run/nf/* /dev/hugepages/* /proc/[0-9]*").split()
        check(all(path.startswith(("/run/nf/", "/dev/hugepages/rtemap_", "/proc/")) for path in seen), f"it sees {seen}")
