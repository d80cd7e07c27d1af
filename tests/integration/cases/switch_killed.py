# SPDX-License-Identifier: BSD-3-Clause
"""The switch is killed under traffic, both ways, or ends in order, and another one takes its place: the guest goes on
with the rings that it has. No buffer is lost or comes back twice, which the guest checks one by one; contents are intact; the path
is zero-copy again."""
import os
import random
import time

from cases.frontend_life import check_zero_copy, finish, start
from harness.errors import Failure, check, check_equal
from harness.process import wait_until
from harness.registry import SOAK, cycles, test

KILLS = 4 * SOAK
# Half of the kills find the guest not running, and all that it had offered used up: nothing is in hand then.
MORE_KILLS = 20
ENDS = 2
# As fast as it goes, and a driver that keeps what it has sent: buffers of both directions are in hand.
FLOOD = {"rate": 0, "switch_app": ["--txd=4096"]}


def kill_switch(pvp, rng):
    """At any moment; the guest goes on with what it was shown."""
    pvp.wait_frames(500)
    time.sleep(rng.random() * 0.05)
    pvp.switch.kill()
    pvp.guest.cmd("close", lost=1)


def resumed(pvp):
    """Buffers that the switch before had, of either direction."""
    counters = pvp.switch.telemetry.ask("/iovtee/queue", pvp.switch.port(pvp.vhost), 0)
    return counters["tx_q0_resumed"], counters["rx_q0_resumed"]


def take_over(pvp):
    """The front end does what QEMU does: it tells the used index, and nothing else. What the guest still has of the
    time before is sent first."""
    pvp.next_switch()
    pvp.attach()
    pvp.guest.up(resume=1)
    pvp.guest.wait_settled()
    return pvp.nic()


def check_rings_whole(pvp):
    """All that the guest has ever posted can come back: every buffer of its receive ring is filled, at once."""
    pvp.guest.cmd("post", on=0)
    wait_until(lambda: pvp.guest.stats()["posted"] == 0, 10, "every buffer of the guest's to be used")
    pvp.guest.cmd("post", on=1)


def killed(bed, ring):
    bed.need_iovtee()
    seed = random.randrange(1 << 32)
    rng, pvp = random.Random(seed), start(bed, ring, options={"sleep": 1}, **FLOOD)
    before, back = pvp.nic(), [0, 0]
    pvp.start_source()
    try:
        for kill in cycles(f"switches killed, {ring} ring", KILLS + MORE_KILLS):
            if kill >= KILLS and min(back) > 0:
                break
            check_zero_copy(pvp)
            pvp.check_nic(before, 0, lost=1 << 60)
            kill_switch(pvp, rng)
            before = take_over(pvp)
            back = [a + b for a, b in zip(back, resumed(pvp))]
            pvp.start_source()
            check_rings_whole(pvp)
        check(min(back) > 0, f"no buffers were in hand when the switch was killed: {back}")
        check_zero_copy(pvp)
        finish(pvp, before)
        check_equal(os.listdir(bed.path("state")), [], "records left behind")
    except Failure as failure:
        raise Failure(f"seed {seed}: {failure}") from None


@test("switch-ended-packed")
def ended(bed):
    """Nothing is in hand then, but the front end was not told where its rings are, and a packed one does not say."""
    bed.need_iovtee()
    pvp = start(bed, "packed", options={"sleep": 1}, **FLOOD)
    before = pvp.nic()
    pvp.start_source()
    for _ in range(ENDS):
        check_zero_copy(pvp)
        pvp.check_nic(before, 0, lost=1 << 60)
        pvp.switch.quit()
        pvp.guest.cmd("close", lost=1)
        before = take_over(pvp)
        check_equal(resumed(pvp), (0, 0), "buffers that were in hand")
        pvp.start_source()
        check_rings_whole(pvp)
    check_zero_copy(pvp)
    finish(pvp, before)
    check_equal(os.listdir(bed.path("state")), [], "records left behind")


@test("switch-without-records")
def without_records(bed):
    """A folder that cannot be made: the guest is served nevertheless, and one warning says what that means."""
    bed.need_iovtee()
    pvp = start(bed, "split", state="/dev/null")
    before = pvp.nic()
    pvp.start_source()
    check_zero_copy(pvp)
    finish(pvp, before)
    check_equal(pvp.switch.output().count("no record of the guest's buffers"), 1, "warnings")


for _ring in ("split", "packed"):
    test(f"switch-killed-{_ring}")(lambda bed, ring=_ring: killed(bed, ring))
