# SPDX-License-Identifier: BSD-3-Clause
"""The integration tests' bed with its NF in a container, which connects to the switch's socket."""
import os

from harness.pvp import Pvp
from nf import Nf
from podman import Podman

RATE = 20000


class ContainerPvp(Pvp):
    def __init__(self, bed, **options):
        self.folder = bed.path("nf0.s")
        os.mkdir(self.folder)
        super().__init__(bed, **options)

    def _devargs(self):
        # The one folder that the container sees.
        self.socket = os.path.join(self.folder, "a")
        return super()._devargs()

    def start_nf(self):
        self.nf = Nf(Podman(self.bed), "nf0", ("a",), "macswap", as_root=True).start()
        return self.nf

    def _all_counts(self):
        return [self.switch.stats(port) for port in (self.uplink, self.vhost)]
