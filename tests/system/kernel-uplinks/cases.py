# SPDX-License-Identifier: BSD-3-Clause
"""The cases: TCP between two kernels, through uplinks over each kind of kernel port."""
from harness.registry import figure, test
from wire import carry


def run(bed, driver, mapped=True):
    figure(f"{bed.name}: {carry(bed, driver, mapped)}")


@test("af-packet")
def af_packet(bed):
    """The driver copies out of the kernel's ring into the NF."""
    run(bed, "net_af_packet{n},iface={interface}")


@test("tap")
def tap(bed):
    """The kernel writes into the NF: readv(2)."""
    run(bed, "net_tap{n},iface={interface}")


@test("af-xdp")
def af_xdp(bed):
    """The kernel writes into the driver's own memory, beside the mbufs: never into the NF."""
    run(bed, "net_af_xdp{n},iface={interface}", mapped=False)
