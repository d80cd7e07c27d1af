# SPDX-License-Identifier: BSD-3-Clause
"""Real traffic through the whole path: all of it, byte for byte, in order, and without a copy."""
from harness import accounts, pcap
from harness.errors import check, check_equal
from harness.pvp import Pvp
from harness.registry import test


def check_by_kind(sent, returned):
    """Order holds among the frames of one NIC queue: unicast ones, and the others."""
    for want_unicast in (True, False):
        def kind(frames, at=0):
            return [f for f in frames if (not f[at] & 1) == want_unicast]
        # In `sent` the destination is first; the NF has swapped it to byte 6 in `returned`.
        pcap.check_same(kind(returned, 6), [pcap.swap_macs(f) for f in kind(sent)])


def run_trusted(bed, packed):
    pvp = Pvp(bed, trust=1)
    pvp.start_nf(packed=packed)
    pvp.run_all()
    pvp.check_no_faults()
    accounts.check_running(pvp, pvp.unicast())
    pvp.nf.quit()
    accounts.check_ended(pvp)
    pcap.check_same(pvp.end(), pvp.expected())


@test("pvp-trusted")
def trusted(bed):
    """trust=1, one queue: every frame may be zero-copy."""
    run_trusted(bed, packed=False)


@test("pvp-trusted-packed")
def trusted_packed(bed):
    """The same with a packed ring."""
    run_trusted(bed, packed=True)


def run_steered(bed, packed):
    pvp = Pvp(bed, queues=2, nic_queues=3, trust=0, **({"rxq": 1} if bed.ports == "iovtee" else {}))
    pvp.start_nf(queues=1 if bed.ports == "iovtee" else 2, packed=packed)
    pvp.run_all()
    pvp.check_no_faults()
    accounts.check_running(pvp, pvp.unicast())
    pvp.nf.quit()
    accounts.check_ended(pvp)
    check_by_kind(pvp.sent, pvp.end())


@test("pvp-steered")
def steered(bed):
    """trust=0, two queues in use, the guest's MAC steered to queue 1: unicast frames are zero-copy, the
    others are copied and still arrive. The guest has one queue pair, its port two, as testpmd gives
    all ports the same number."""
    run_steered(bed, packed=False)


@test("pvp-steered-packed")
def steered_packed(bed):
    """The same with a packed ring."""
    run_steered(bed, packed=True)


@test("pvp-starve-host")
def starve_host(bed):
    """starve=host: while the guest keeps up nothing is lost; most of it is zero-copy."""
    pvp = Pvp(bed, trust=1, starve="host", rate=20000, retry=bed.ports == "vhost")
    pvp.start_nf()
    pvp.run_all()
    pvp.check_no_faults()
    counters = accounts.check_running(pvp, 0)
    if bed.ports == "iovtee":
        check(counters["zero_copy_packets"] > 0, "no frame was zero-copy")
        check_equal(counters["zero_copy_packets"] + counters["copied_packets"]
                    + counters["dropped_no_buffer"], len(pvp.sent), "frames accounted for")
    pvp.nf.quit()
    accounts.check_ended(pvp)
    lost = pcap.check_in_order(pvp.end(), pvp.expected())
    check_equal(lost, counters.get("dropped_no_buffer", lost), "frames lost")
