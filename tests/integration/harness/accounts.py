# SPDX-License-Identifier: BSD-3-Clause
"""What the counters must say about a run (docs/interfaces.md)."""
import time

from .errors import check, check_equal
from .process import wait_until

ZERO_COPY_SHARE = 0.99
COPY_REASONS = ("copied_unbound", "copied_foreign", "copied_segments", "copied_moved",
                "copied_shared", "copied_offload")
SPENT = ("zero_copy_packets", "copied_reclaimed", "rewound", "flushed", "abandoned", "late",
         "outstanding")


def check_identity(counters):
    """Every buffer taken for the NIC is accounted for, every copy has a reason."""
    c = counters
    check_equal(sum(c[reason] for reason in COPY_REASONS), c["copied_packets"],
                "the sum of the reasons for copies")
    check_equal(sum(c[name] for name in SPENT), c["harvested"], " + ".join(SPENT))
    check_equal(c["ring_errors"], 0, "ring_errors")


def check_running(pvp, frames):
    """The guest still runs, and these many frames were to be delivered without a copy."""
    if pvp.bed.ports == "vhost":
        return {}
    counters = pvp.counters()
    check(counters["mapped"] >= 1, f"the queue is not mapped, map_reason {counters['map_reason']}")
    check_identity(counters)
    share(counters, frames)
    return counters


def share(counters, frames):
    """Of these many frames nearly all were delivered without a copy; else say why not."""
    zero_copy = counters["zero_copy_packets"]
    reasons = ", ".join(f"{k} {v}" for k, v in counters.items()
                        if v and k.startswith(("copied", "unbindable", "starved", "dropped")))
    check(zero_copy >= ZERO_COPY_SHARE * frames,
          f"{zero_copy} of {frames} frames were zero-copy, less than {ZERO_COPY_SHARE:.0%} "
          f"({reasons})")


def since(before, after):
    """What the counters grew by."""
    return {name: after[name] - before[name] for name in after}


def check_ended(pvp, order=True, pools=True):
    """The guest has gone: nothing of its memory is held any more, the tee pools are full (unless, with pools=False,
    their own buffers may still be with a NIC that has sent them)."""
    pvp.check_no_faults(order)
    if pvp.bed.ports == "vhost":
        return
    wait_until(lambda: pvp.counters()["outstanding"] == 0, 5, "outstanding buffers to be 0")
    counters, port = pvp.counters(), pvp.switch.stats(pvp.vhost)
    check_identity(counters)
    for queues, whole in (("packets", "opackets"), ("bytes", "obytes")):
        check_equal(counters[queues], port[whole], f"{queues} sent by all queues")
    wait_until(lambda: pvp.nf.huge.clear() or pvp.nf.huge.used() == 0, 5,
               "the guest's memory to be released")
    if pools:
        check_pools(pvp)


def check_pools(pvp):
    """What is not posted in the NIC is back in the tee pool."""
    def odd():
        posted = pvp.switch.xstats(pvp.uplink)
        pools = pvp.switch.telemetry.ask("/iovtee/uplink", pvp.switch.port(pvp.uplink))
        return [f"{name} has {p['tee_free']} of {p['tee_size']} free" for name, p in pools.items()
                if name.startswith("rxq")
                and p["tee_size"] - p["tee_free"] != posted[f"rx_q{name[3:]}_posted"]]
    end = time.monotonic() + 5
    while odd():
        check(time.monotonic() < end, f"tee pool of {', '.join(odd())}, the rest is not posted")
        time.sleep(0.05)
