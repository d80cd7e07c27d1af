# SPDX-License-Identifier: BSD-3-Clause
"""A guest that comes late or cannot keep up: with starve=nic and a NIC that pauses the sender,
nothing is lost, copied or reordered."""
import signal
import time

from harness import accounts, pcap
from harness.errors import Skip, check, check_equal
from harness.pvp import QUEUE_SIZE, Pvp
from harness.registry import test

NO_WAITING = "net_vhost drops what the guest does not take"


@test("nf-late")
def late(bed):
    """Traffic starts before the guest: it waits in front of the NIC's empty ring, and all of it gets
    into the guest's. DPDK's virtio driver empties its receive ring once when it starts
    (virtqueue_rxvq_flush), so the frames that were there by then, and only those, do not return."""
    if bed.ports == "vhost":
        raise Skip(NO_WAITING)
    pvp = Pvp(bed)
    pvp.start_source()
    time.sleep(0.5)
    check(pvp.returned() == 0, f"{pvp.returned()} frames came back without a guest")
    pvp.start_nf()
    pvp.wait_settled()
    counters = accounts.check_running(pvp, pvp.unicast())
    check_equal(counters["zero_copy_packets"] + counters["copied_packets"], len(pvp.sent),
                "frames delivered to the guest")
    pvp.nf.quit()
    accounts.check_ended(pvp)
    returned, expected = pvp.end(), pvp.expected()
    flushed = len(expected) - len(returned)
    check(0 <= flushed <= QUEUE_SIZE, f"{flushed} frames did not return")
    pcap.check_same(returned, expected[flushed:])


@test("nf-paused")
def paused(bed):
    """The NF's process is stopped and continued again and again while traffic flows."""
    if bed.ports == "vhost":
        raise Skip(NO_WAITING)
    pvp = Pvp(bed, rate=20000)
    nf = pvp.start_nf()
    pvp.start_source()
    for i in range(8):
        pvp.wait_returned(i * len(pvp.sent) // 10)
        nf.signal(signal.SIGSTOP)
        time.sleep(0.15)
        nf.signal(signal.SIGCONT)
    pvp.wait_settled()
    accounts.check_running(pvp, pvp.unicast())
    nf.quit()
    accounts.check_ended(pvp)
    pcap.check_same(pvp.end(), pvp.expected())


@test("nf-slow")
def slow(bed):
    """Input as fast as it comes, an NF that takes one frame at a time."""
    pvp = Pvp(bed)
    pvp.start_nf(app=["--burst=1"])
    pvp.run_all()
    accounts.check_running(pvp, pvp.unicast())
    pvp.nf.quit()
    accounts.check_ended(pvp)
    pcap.check_same(pvp.end(), pvp.expected())
