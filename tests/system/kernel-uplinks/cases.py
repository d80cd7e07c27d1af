# SPDX-License-Identifier: BSD-3-Clause
"""The cases: TCP between two kernels, through uplinks over each kind of kernel port."""
from suite import Suite, figure
from wire import carry

SUITE = Suite("uplinks over ports of the kernel: tap, packet socket, AF_XDP")


def run(bed, driver, mapped=True):
    figure(f"{bed.name}: {carry(bed, driver, mapped)}")


@SUITE.case("af-packet")
def af_packet(bed):
    """The driver copies out of the kernel's ring into the NF."""
    run(bed, "net_af_packet{n},iface={interface}")


@SUITE.case("tap")
def tap(bed):
    """The kernel writes into the NF: readv(2)."""
    run(bed, "net_tap{n},iface={interface}")


@SUITE.case("af-xdp")
def af_xdp(bed):
    """The kernel writes into the driver's own memory, beside the mbufs: never into the NF."""
    run(bed, "net_af_xdp{n},iface={interface}", mapped=False)
