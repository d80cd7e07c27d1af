# SPDX-License-Identifier: BSD-3-Clause
"""podman with storage of its own, so that the machine's containers are neither seen nor touched."""
import json
import os
import shutil
import subprocess

from harness.errors import Failure, Skip

# crun fails where cgroups v1 and v2 are mixed; the cgroupfs manager needs no systemd.
OPTIONS = ["--cgroup-manager", "cgroupfs", "--runtime", "runc", "--events-backend", "none", "--storage-driver", "vfs"]
SECONDS = 30


class Podman:
    def __init__(self, bed):
        for program in ("podman", "runc"):
            if not shutil.which(program):
                raise Skip(f"{program} is not installed (tools/setup.sh system)")
        self.bed = bed
        # Paths that podman takes: no more than 50 bytes.
        self.options = [*OPTIONS]
        for option in ("root", "runroot", "tmpdir"):
            path = os.path.join(bed.session.dir, f"podman.{option}")
            os.makedirs(path, exist_ok=True)
            self.options += [f"--{option}", path]
        bed.cleanup.push(self._remove_all)

    def __call__(self, *args):
        done = subprocess.run(["podman", *self.options, *args], capture_output=True, text=True, timeout=SECONDS, cwd=self.bed.dir,
                              check=False)
        if done.returncode:
            raise Failure(f"podman {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def state(self, name):
        return json.loads(self("inspect", "--format", "{{json .State}}", name))

    def _remove_all(self):
        self("rm", "--force", "--all", "--time", "0")
