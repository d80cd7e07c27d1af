# SPDX-License-Identifier: BSD-3-Clause
"""What applications need to run the plugins in tests, built with sanitizers (address and undefined behaviour, or
threads) or not; the applications are not."""
import glob
import os
import re
import subprocess

from .linux import fixed_addresses

OURS = ("drivers/net/iovtee/", "drivers/net/emunic/", "librte_net_iovtee", "librte_net_emunic")
HERE = os.path.dirname(os.path.realpath(__file__))
SUPPRESSIONS = os.path.join(HERE, "../tsan/suppressions.txt")


class Sanitizer:
    """Of one build folder."""

    def __init__(self, build):
        plugins = glob.glob(os.path.join(build, "**", "librte_net_*.so"), recursive=True)
        libraries = subprocess.run(["ldd", *plugins], capture_output=True, text=True, check=False).stdout
        self._preload = sorted(set(re.findall(r"=> (\S+lib[aut]+san\.so\S*)", libraries)))
        self.suffix, self.eal_args = "", []
        self.patience = 1  # how many times as long a test may take
        if any("libtsan" in path for path in self._preload):
            self.suffix, self.patience = "-tsan", 3
            self._preload += glob.glob(os.path.join(build, "**", "libiovtee_order.so"), recursive=True)
            fixed_addresses()
        elif self._preload:
            self.suffix = "-asan"
            # EAL's usual place for memory is the sanitizer's own.
            self.eal_args = ["--base-virtaddr=0x200000000000"]
        self._preload += glob.glob(os.path.join(build, "**", "libiovtee_eager.so"), recursive=True)

    def env(self, log):
        """Environment of a process that loads the plugins; reports go to files that begin with log."""
        return {"LD_PRELOAD": ":".join(self._preload),
                "ASAN_OPTIONS": f"detect_leaks=1:abort_on_error=1:log_path={log}.report",
                "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:log_path={log}.report",
                "LSAN_OPTIONS": "exitcode=0",
                # History: how far back it can tell where the other thread was.
                "TSAN_OPTIONS": f"exitcode=0:history_size=7:suppressions={SUPPRESSIONS}:log_path={log}.report"}

    @staticmethod
    def reports(folder):
        """Errors of any kind, leaks of memory that the plugins allocated, and races that they take part in."""
        found = []
        for path in sorted(glob.glob(os.path.join(folder, "**", "*.report.*"), recursive=True)):
            with open(path, encoding="utf-8", errors="replace") as report:
                text = report.read()
            found += _races(text) if "ThreadSanitizer" in text else _errors(text)
        return found


def _ours(text):
    return any(name in text for name in OURS)


def _errors(text):
    return [block for block in text.split("\n\n")
            if "ERROR: AddressS" in block or "runtime error" in block or ("leak of" in block and _ours(block))]


def _races(text):
    """What both sides did comes first in a report, where memory, locks and threads come from after that."""
    blocks = [block for block in text.split("=" * 18 + "\n") if "ThreadSanitizer:" in block]
    return [block for block in blocks if "reported" not in block.split("\n")[0]
            and _ours(re.split(r"\n  (?:Location|Mutex|Thread) ", block)[0])]
