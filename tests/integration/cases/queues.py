# SPDX-License-Identifier: BSD-3-Clause
"""Several queue pairs and several polling lcores: contents and the order within each flow."""
from harness import accounts, flows, pcap
from harness.errors import check, check_equal
from harness.pvp import NF_MAC, Pvp, mac_bytes
from harness.registry import test

FRAMES = 40000
FEW_QUEUES = 13  # map_reason


def traffic(count=FRAMES, many=256, mac=NF_MAC, seed=1):
    return flows.frames(count, many, mac_bytes(mac), seed)


def finish(pvp, most_lost=0):
    """End the guest and the switch; nothing is held, leaked or faulted, and the frames are right."""
    pvp.check_no_faults()
    pvp.nf.quit()
    accounts.check_ended(pvp)
    lost = pcap.check_flows_in_order(pvp.end(), pvp.expected())
    check(lost <= most_lost, f"{lost} of {len(pvp.sent)} frames lost")


def check_queues(pvp, queues, mapped=None):
    """The first queues are mapped and have their share, each with an account that adds up."""
    per_queue = pvp.queue_counters()
    for i, c in enumerate(per_queue):
        accounts.check_identity(c)
        if i < (queues if mapped is None else mapped):
            check(c["mapped"] == 1, f"queue {i} is not mapped, map_reason {c['map_reason']}")
            check(c["zero_copy_packets"] > 0, f"queue {i} got no packet in place")
        else:
            check(c["mapped"] == 0 and c["map_reason"] != 0, f"queue {i} is mapped")
    return per_queue


def all_zero_copy(bed, queues, trust):
    """Every guest queue is mapped, over 2 lcores of the switch and 2 of the NF; the first uplink queue is
    for what is not steered."""
    bed.need_iovtee()
    first = 0 if trust else 1
    pvp = Pvp(bed, queues=queues + first, guest_queues=queues, trust=trust, rxq=first,
              frames=traffic(), workers=2)
    pvp.start_nf(queues=queues, workers=2)
    pvp.run_all()
    check_queues(pvp, queues)
    accounts.check_running(pvp, len(pvp.sent))
    finish(pvp)


for number in (2, 4, 8):
    for trusted in (0, 1):
        test(f"queues-{number}-{'trusted' if trusted else 'steered'}")(
            lambda bed, n=number, t=trusted: all_zero_copy(bed, n, t))
