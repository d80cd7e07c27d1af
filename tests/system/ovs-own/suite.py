# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch's test suite, generated from its source, run against the installed binaries, in namespaces of its own."""
import functools
import glob
import os
import re
import shutil
import subprocess

import rewrite
from harness import hugepages
from harness.errors import Failure, Skip
from harness.ovs import VSWITCHD
from harness.process import Process
from harness.testpmd import BINARY, lcore_args

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
MOUNT = "/dev/hugepages"
# Twice what a case needs at most: packets of 9,000 bytes in ovs-vswitchd, and 512 MB in testpmd.
SWITCH_MB, HUGE_MB = 1024, 2048
SECONDS = 150
# What is logged where the kernel has no Open vSwitch; some cases allow it, not all that have it logged.
NO_MODULE = "failed to enumerate system datapaths: No such file or directory"
PACKAGE = {"NAME": "Open vSwitch", "TARNAME": "openvswitch", "VERSION": "", "STRING": "Open vSwitch", "BUGREPORT": "", "URL": ""}
# What configure would put into atlocal.
CONFIGURED = {"HAVE_OPENSSL": "no", "OPENSSL_SUPPORTS_SNI": "no", "HAVE_UNBOUND": "no", "EGREP": "grep -E",
              "PYTHON3": "python3", "CFLAGS": ""}
RESULT = re.compile(r"^ *\d+: .*?(ok|skipped|FAILED)(?: \((.*)\))?$", re.M)
# The cases make namespaces by name and kill by name; hugepage files that are left go with the mount.
INSIDE = f"""set -e
mount -t tmpfs none /run/netns
mount -t hugetlbfs -o pagesize=2M,size={HUGE_MB}M none {MOUNT}
ip link set lo up
cd "$0"
exec sh ./suite "$1"
"""


@functools.cache
def _get_source():
    return subprocess.run([os.path.join(ROOT, "tools/ovs-source.sh"), os.path.join(ROOT, "build/cache")],
                          capture_output=True, text=True, check=False)


def source():
    """The source's folder."""
    done = _get_source()
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        raise (Failure if os.environ.get("OVS_SOURCE") else Skip)(reason)
    return done.stdout.strip()


def needed():
    """What must be there."""
    for path, package in (("/usr/bin/autom4te", "autoconf"), (VSWITCHD, "openvswitch-switch-dpdk"), (BINARY, "dpdk"),
                          ("/usr/bin/ping", "iputils-ping"), ("/usr/sbin/ethtool", "ethtool")):
        if not os.path.exists(path):
            raise Skip(f"{path} is not installed (package {package})")
    if not os.path.isdir(MOUNT):
        raise Skip(f"there is no {MOUNT}")


def text(name):
    with open(os.path.join(source(), "tests", name), encoding="utf-8") as file:
        return file.read()


def _write(path, content, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)


class Suite:
    """A folder with the suite; cases: their text; eal: arguments for the switch's EAL."""

    def __init__(self, bed, name, cases, eal):
        self.bed, self.name, self.folder = bed, name, bed.path(name)
        for part in ("tests", "m4"):
            shutil.copytree(os.path.join(source(), part), os.path.join(self.folder, part))
        _write(self._path("tests/system-dpdk.at"), rewrite.allow(cases, NO_MODULE))
        _write(self._path("tests/system-dpdk-macros.at"), rewrite.macros(text("system-dpdk-macros.at"), eal, SWITCH_MB))
        self._configure()
        done = subprocess.run(["autom4te", "--language=autotest", "-I", ".", "-I", "tests", "-o", "suite",
                               "tests/system-dpdk-testsuite.at"], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failure(f"autom4te: {done.stderr.strip()}")

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _configure(self):
        """What Open vSwitch's build would: the suite's settings, and the programs that it runs."""
        _write(self._path("tests/package.m4"),
               "".join(f"m4_define([AT_PACKAGE_{key}],[{value}])\n" for key, value in PACKAGE.items()))
        top, tests = source(), self._path("tests")
        _write(self._path("atconfig"), f"at_testdir=.\nabs_builddir={self.folder}\nat_srcdir={tests}\nabs_srcdir={tests}\n"
               f"at_top_srcdir={top}\nabs_top_srcdir={top}\nat_top_build_prefix=\nabs_top_builddir={self.folder}\n"
               f"at_top_builddir={self.folder}\nAUTOTEST_PATH={self._path('bin')}\nSHELL=/bin/sh\n")
        _write(self._path("atlocal"), re.sub("@(.*?)@", lambda match: CONFIGURED[match[1]], text("atlocal.in")))
        os.mkdir(self._path("bin"))
        os.symlink(VSWITCHD, self._path("bin/ovs-vswitchd"))
        # A case has testpmd forward on two lcores, besides the main one.
        lcores = " ".join(f"'{word}'" for word in lcore_args(2))
        _write(self._path("bin/dpdk-testpmd"), f'#!/bin/sh\nexec {BINARY} {lcores} "$@"\n', 0o755)

    def run(self, number):
        """Run this case; returns its result as the suite says it: ok, skipped or FAILED, and where."""
        hugepages.ensure(HUGE_MB)
        os.makedirs("/run/netns", exist_ok=True)
        inside = Process(self.bed, f"{self.name}-suite",
                         ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", INSIDE,
                          self.folder, str(number)], {"RUNTIME_DIRECTORY": self.folder})
        inside.wait_exit(SECONDS)
        result = RESULT.search(inside.output())
        if not result:
            raise Failure(f"{self.name}: the suite has said no result")
        if result[1] == "FAILED":
            self._show_logs()
        return result[1], result[2]

    def _show_logs(self):
        """They are shown with those of the test; what the suite's has of the others once only."""
        logs = sorted(glob.glob(self._path("suite.dir/*/*.log")))
        for path in logs:
            if os.path.basename(path) == "suite.log":
                with open(path, errors="replace") as log:
                    lines = [line for line in log if not line.startswith("> ")]
                _write(path, "".join(lines))
        self.bed.logs.extend(logs)
