# SPDX-License-Identifier: BSD-3-Clause
"""Guests killed at random moments under traffic: the switch goes on, leaks nothing, and the next
guest gets zero-copy again."""
import random
import time

from harness import accounts
from harness.errors import Failure, check
from harness.process import wait_until
from harness.pvp import Pvp
from harness.registry import SOAK, test

CYCLES = 10 * SOAK
SECONDS = 60 * SOAK
RATE = 100000


class Leaks:
    """What the switch holds while no guest is there; the first guests may leave lasting things."""

    def __init__(self, switch):
        self.switch = switch
        self.base = None

    def now(self):
        return {"file descriptors": self.switch.fd_count(), "mappings": self.switch.map_count(),
                "bytes of hugepages": self.switch.huge.used()}

    def check(self):
        if self.base is None:
            self.base = self.now()
            return
        over = {}

        def none_over():
            now = self.now()
            over.clear()
            over.update({k: (self.base[k], now[k]) for k in now if now[k] > self.base[k]})
            return not over
        try:
            wait_until(none_over, 3, "")
        except Failure:
            text = ", ".join(f"{k} grew from {a} to {b}" for k, (a, b) in over.items())
            raise Failure(f"without a guest, {text}") from None


def kill_one(pvp, rng):
    nf = pvp.start_nf()
    before = pvp.returned()
    wait_until(lambda: pvp.returned() >= before + 500, 30, f"500 frames to pass {nf.name}")
    start = pvp.counters()
    time.sleep(rng.random() * 0.3)
    if pvp.bed.ports == "iovtee":
        now = pvp.counters()
        grown = accounts.since(start, now)
        accounts.share(grown, grown["zero_copy_packets"] + grown["copied_packets"])
        check(now["mapped"] == 1, f"{nf.name} is not mapped, map_reason {now['map_reason']}")
    nf.kill()
    pvp.switch.check_alive()
    wait_until(lambda: nf.huge.clear() or nf.huge.used() == 0, 5,
               f"the memory of the killed {nf.name} to be released")
    accounts.check_ended(pvp)


@test("nf-killed")
def killed(bed):
    seed = random.randrange(1 << 32)
    rng, end = random.Random(seed), time.monotonic() + SECONDS
    pvp = Pvp(bed, rate=RATE, generator="frame=200,flows=16", retry=False)
    pvp.start_source()
    leaks, cycle = Leaks(pvp.switch), 0
    try:
        while cycle < CYCLES and time.monotonic() < end:
            kill_one(pvp, rng)
            cycle += 1
            if cycle >= 3:
                leaks.check()
    except Failure as failure:
        raise Failure(f"cycle {cycle}, seed {seed}: {failure}") from None
    check(cycle == CYCLES, f"only {cycle} of {CYCLES} cycles in {SECONDS} s")
    pvp.switch.quit()
