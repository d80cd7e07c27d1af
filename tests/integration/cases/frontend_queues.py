# SPDX-License-Identifier: BSD-3-Clause
"""Sixteen queue pairs at once, the most that a port has (virtio-user has eight): the test front end as the
guest, an uplink that spreads the guest's frames by one RSS rule, two polling lcores."""
import random

from harness import accounts, map_reasons
from harness.errors import check, check_equal
from harness.frontend import FrontendPvp
from harness.process import wait_until
from harness.registry import SOAK, test

PAIRS = 16
FLOWS = 512
RING = {"split": 256, "packed": 255}


def start(bed, ring):
    """A guest with all its queues mapped; uplink queue 0 is for what is not steered."""
    bed.need_iovtee()
    # The NIC's Tx rings hold packets until they are full: all of them together must not hold all of the switch's.
    pvp = FrontendPvp(bed, frame=200, flows=FLOWS, queues=PAIRS + 1, guest_queues=PAIRS, trust=0, rxq=1, workers=2,
                      rate=60000, switch_app=["--txd=256"])
    pvp.setup(format=ring, size=RING[ring], pairs=PAIRS, len_min=2100, len_max=3000)
    pvp.attach()
    pvp.guest.up()
    wait_mapped(pvp, range(PAIRS))
    return pvp


def wait_mapped(pvp, on):
    """Just these queues are mapped."""
    want = [0 if i in on else map_reasons.NO_GUEST for i in range(PAIRS)]
    reasons = []

    def mapped():
        reasons[:] = [c["map_reason"] for c in pvp.queue_counters()]
        return reasons == want
    wait_until(mapped, 5, f"map_reason of {PAIRS} queues to be {want}")


def sent_by_guest(pvp):
    """Packets taken from each transmit queue of the guest."""
    port = pvp.switch.port(pvp.vhost)
    return [pvp.switch.telemetry.ask("/iovtee/queue", port, i)[f"rx_q{i}_packets"] for i in range(PAIRS)]


def check_spread(pvp, counters, sent, on=range(PAIRS)):
    """Each queue that is on was used in both directions, the others in none; no copies, exact accounts."""
    for i, (c, n) in enumerate(zip(counters, sent)):
        delivered = c["zero_copy_packets"] + c["copied_packets"]
        check((delivered > 0) == (i in on), f"queue {i}: {delivered} frames to the guest")
        check((n > 0) == (i in on), f"queue {i}: {n} frames from the guest")
    for c in pvp.queue_counters():
        accounts.check_identity(c)
    total = {name: sum(c[name] for c in counters) for name in counters[0]}
    accounts.share(total, total["zero_copy_packets"] + total["copied_packets"])


def settled(pvp, before):
    """The source stops: all that the NIC has received since the guest came has been there and back, once."""
    pvp.emunic("stop")
    received = pvp.guest.wait_settled()["received"]
    wait_until(lambda: pvp.nic()["tx_device_frames"] - before["tx_device_frames"] == received, 5,
               f"{received} frames to return")
    check_equal(pvp.nic()["rx_device_frames"] - before["rx_device_frames"], received, "frames of the NIC's")
    counters = pvp.counters()
    check_equal(counters["zero_copy_packets"] + counters["copied_packets"], received, "frames delivered")
    check_equal(sum(sent_by_guest(pvp)), received, "frames sent by the guest")
    check_spread(pvp, pvp.queue_counters(), sent_by_guest(pvp))
    pvp.check_nic(before, received)


def steady(pvp, on):
    """While nothing changes: all comes back, intact and in order, through the queues that are on."""
    pvp.emunic("stop")  # frames of a flow that has moved may wait in two of the guest's queues
    pvp.guest.wait_settled()
    pvp.start_source()
    pvp.wait_frames(4 * FLOWS)
    before, counters, sent = pvp.nic(), pvp.queue_counters(), sent_by_guest(pvp)
    pvp.wait_frames(4000)
    check_spread(pvp, [accounts.since(*pair) for pair in zip(counters, pvp.queue_counters())],
                 [new - old for old, new in zip(sent, sent_by_guest(pvp))], on)
    pvp.check_nic(before, 4000)


def switch_pairs(pvp, pairs, on):
    for pair in pairs:
        for v in (2 * pair, 2 * pair + 1):
            pvp.guest.cmd("enable", vring=v, on=on)


def end(pvp, before):
    """The source, the guest and the switch go; flows have changed queues, so that order is no longer known."""
    pvp.emunic("stop")
    pvp.guest.wait_settled()
    pvp.guest.stop()
    pvp.check_nic(before, 0, lost=1 << 60, order=False)
    pvp.check_accounts()
    pvp.guest.cmd("frozen")
    pvp.guest.kill()
    pvp.switch.quit()


def sixteen(bed, ring):
    """All pairs at once; then some are disabled and enabled under traffic, and the others take over. Flows move to
    other queues with that, so that frames may overtake each other until it is over."""
    pvp, rng = start(bed, ring), random.Random(3)
    before = pvp.nic()
    pvp.start_source()
    pvp.wait_frames(8000)
    settled(pvp, before)
    pvp.start_source()
    for _ in range(2 * SOAK):
        off = rng.sample(range(PAIRS), rng.randrange(1, PAIRS))
        on = set(range(PAIRS)) - set(off)
        switch_pairs(pvp, off, 0)
        wait_mapped(pvp, on)
        steady(pvp, on)
        switch_pairs(pvp, rng.sample(off, len(off)), 1)
        wait_mapped(pvp, range(PAIRS))
        steady(pvp, range(PAIRS))
    end(pvp, before)


TOGGLED = 5  # a pair, in the middle
REVOKED = ("rewound", "flushed", "late", "abandoned")


def one_ring(bed, ring):
    """The rings of one pair are stopped, set up and started again, many times: the others keep what they have posted,
    and lose nothing."""
    pvp = start(bed, ring)
    before = pvp.nic()
    pvp.start_source()
    steady(pvp, range(PAIRS))
    counters = pvp.queue_counters()
    for cycle in range(100 * SOAK // bed.session.sanitizer.patience):
        v = 2 * TOGGLED + cycle % 2
        pvp.guest.cmd("enable", vring=v, on=0)
        pvp.guest.cmd("start", vring=v, resume=1)
        pvp.wait_frames(100)
    for i, grown in enumerate(map(accounts.since, counters, pvp.queue_counters())):
        revoked = sum(grown[name] for name in REVOKED)
        check((revoked > 0) == (i == TOGGLED), f"queue {i}: {revoked} buffers were given back")
        check(i == TOGGLED or grown["zero_copy_packets"] > 100, f"queue {i}: {grown['zero_copy_packets']} frames")
    steady(pvp, range(PAIRS))
    end(pvp, before)


for _ring in RING:
    test(f"frontend-16-pairs-{_ring}")(lambda bed, ring=_ring: sixteen(bed, ring))
    test(f"frontend-one-ring-{_ring}")(lambda bed, ring=_ring: one_ring(bed, ring))
