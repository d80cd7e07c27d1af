# SPDX-License-Identifier: BSD-3-Clause
"""Plugins built with the address and undefined-behaviour sanitizers, in applications that are not."""
import glob
import os
import re
import subprocess

from .errors import Failure

OURS = ("drivers/net/iovtee/", "drivers/net/emunic/", "librte_net_iovtee", "librte_net_emunic")


class Sanitizer:
    def __init__(self, build):
        plugins = glob.glob(os.path.join(build, "**", "librte_net_*.so"), recursive=True)
        libraries = subprocess.run(["ldd", *plugins], capture_output=True, text=True, check=False).stdout
        self._preload = sorted(set(re.findall(r"=> (\S+lib[au]+san\.so\S*)", libraries)))
        self.suffix = "-asan" if self._preload else ""
        # EAL's usual place for memory is the sanitizer's own.
        self.eal_args = ["--base-virtaddr=0x200000000000"] if self._preload else []

    def env(self, log):
        """Environment of a process that loads the plugins; reports go to files that begin with log."""
        if not self._preload:
            return {}
        return {"LD_PRELOAD": ":".join(self._preload),
                "ASAN_OPTIONS": f"detect_leaks=1:abort_on_error=1:log_path={log}.report",
                "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:log_path={log}.report",
                "LSAN_OPTIONS": "exitcode=0"}

    @staticmethod
    def check(folder):
        """Errors of any kind, and leaks of memory that the plugins allocated, are failures."""
        for path in glob.glob(os.path.join(folder, "*.report.*")):
            with open(path, encoding="utf-8", errors="replace") as report:
                text = report.read()
            blocks = [block for block in text.split("\n\n")
                      if "leak of" not in block or any(name in block for name in OURS)]
            wrong = [block for block in blocks if "leak of" in block or "ERROR: AddressS" in block
                     or "runtime error" in block]
            if wrong:
                raise Failure(f"sanitizer report: {wrong[0][:1500]}")
