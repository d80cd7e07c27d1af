# SPDX-License-Identifier: BSD-3-Clause
"""What one test runs in: a folder of its own, its log files, its cleanup, the things under test."""
import os
import shutil
import subprocess
import tempfile

from . import capture
from .cleanup import Cleanup
from .errors import Failure, Skip
from .sanitizer import Sanitizer

STAGE = os.path.join(os.path.dirname(__file__), "../../../tools/stage.sh")


class Session:
    """What all tests of one run share."""

    def __init__(self, build, ports):
        self.build = os.path.realpath(build)
        self.ports = ports
        self.sanitizer = Sanitizer(self.build)
        self.cleanup = Cleanup()
        self.dir = tempfile.mkdtemp(prefix="iovtee-it-", dir="/run")
        os.chmod(self.dir, 0o755)
        self.cleanup.push(shutil.rmtree, self.dir)
        self._frames = self._staged = None

    def plugin(self, name):
        """Path of a plugin that EAL accepts."""
        if self._staged is None:
            done = subprocess.run([STAGE, self.build], capture_output=True, text=True)
            if done.returncode:
                raise Failure(done.stderr.strip())
            self._staged = done.stdout.strip()
        return os.path.join(self._staged, f"librte_net_{name}.so")

    def frames(self):
        """Real traffic, recorded once a run."""
        if self._frames is None:
            self._frames = capture.record(os.path.join(self.dir, "recorded.pcap"))
        return self._frames


class Bed:
    def __init__(self, session, name):
        self.session = session
        self.ports, self.name = session.ports, name
        self.logs = []
        self.cleanup = Cleanup()
        self.dir = os.path.join(session.dir, name)
        os.mkdir(self.dir)

    def path(self, name):
        path = os.path.join(self.dir, name)
        if len(path) > 107:
            raise Failure(f"{path}: too long for a socket")
        return path

    def plugins(self):
        """The plugins that a switch needs with the ports under test."""
        names = ["emunic"] if self.ports == "vhost" else ["emunic", "iovtee"]
        return [self.session.plugin(name) for name in names]

    def sanitizer_env(self, name):
        """For a process of this name that loads them."""
        return self.session.sanitizer.env(self.path(name))

    def need_iovtee(self):
        if self.ports == "vhost":
            raise Skip("about net_iovtee ports only")

    def not_under_tsan(self, why):
        if self.session.sanitizer.suffix == "-tsan":
            raise Skip(f"the thread sanitizer {why}")

    def close(self):
        self.cleanup.run()

    def reports(self):
        """What the sanitizers of the build have found so far, if any."""
        return self.session.sanitizer.reports(self.dir)
