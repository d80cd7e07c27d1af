# SPDX-License-Identifier: BSD-3-Clause
"""A stock dpdk-testpmd, driven through its prompt and its telemetry socket."""
import os
import re

from . import hugepages
from .errors import Failure, Skip, check_equal
from .process import Process, wait_until
from .telemetry import DpdkPorts

# Lines of other threads may fall into it: then what is left of it begins a line.
PROMPT = re.compile(r"testpmd>|^(?:estpmd|stpmd|tpmd|pmd|md|d)?>", re.MULTILINE)
BINARY = "/usr/bin/dpdk-testpmd"


def prompted(output):
    return bool(PROMPT.search(output))


def cpu_set():
    return "(" + ",".join(map(str, sorted(os.sched_getaffinity(0)))) + ")"


def eal_args(name, plugins):
    """EAL's arguments for any application."""
    args = ["--no-pci", "--file-prefix", f"it{os.getpid()}{name}"]
    for plugin in plugins:
        args += ["-d", plugin]
    return args


def lcore_args(workers=1):
    """Lcores that float over the machine's CPUs: other work there delays, but never stalls."""
    return ["--lcores", ",".join(f"{i}@{cpu_set()}" for i in range(workers + 1))]


def memory_args(huge):
    return ["--huge-dir", huge.path] if huge else ["--no-huge", "-m", "256"]


def runtime_dir(bed, name):
    path = bed.path(name + ".run")
    os.makedirs(path, exist_ok=True)
    return path


class Testpmd(Process, DpdkPorts):
    def __init__(self, bed, name, vdevs, plugins=(), eal=(), app=(), env=None, huge_mb=512,
                 workers=1):
        if not os.path.exists(BINARY):
            raise Skip(f"{BINARY} is not installed (package dpdk)")
        self.huge = None
        if huge_mb:
            hugepages.ensure(huge_mb)
            self.huge = hugepages.HugeMount(bed.path(name + ".huge"), huge_mb)
            bed.cleanup.push(self.huge.close)
        self.runtime = runtime_dir(bed, name)
        self._seen = 0
        argv = [BINARY, *lcore_args(workers), *memory_args(self.huge), *eal_args(name, plugins), *eal]
        for vdev in vdevs:
            argv += ["--vdev", vdev]
        argv += ["--", "-i", "--total-num-mbufs=16384", "--no-flush-rx", "--disable-link-check",
                 f"--nb-cores={workers}", *app]
        if plugins:
            argv[1:1] = bed.session.sanitizer.eal_args
            env = {**bed.sanitizer_env(name), **(env or {})}
        super().__init__(bed, name, argv, {"RUNTIME_DIRECTORY": self.runtime, **(env or {})})

    def ready(self, seconds=30):
        output = self._to_prompt(seconds)
        if "Start ports failed" in output:
            raise Failure(f"{self.name} could not start its ports")
        return self

    def _to_prompt(self, seconds):
        def prompt():
            ended = not self.alive()
            output = self.output(self._seen)
            if prompted(output):
                return output
            if ended:
                raise Failure(f"{self.name} ended with status {self.returncode}")
            return None
        output = wait_until(prompt, seconds, f"{self.name} to prompt")
        self._seen += len(output.encode())
        return output

    def send(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def cmd(self, line, seconds=20):
        """Run one command; return what it printed."""
        self.check_alive()
        self._seen = os.path.getsize(self.log_path)
        self.send(line)
        return self._to_prompt(seconds)

    def quit(self, seconds=20):
        """End it the regular way; its exit status must be 0."""
        self.check_alive()
        self.hang_up()
        self.send("quit")
        check_equal(self.wait_exit(seconds), 0, f"exit status of {self.name}")

    def kill(self):
        self.hang_up()
        super().kill()
