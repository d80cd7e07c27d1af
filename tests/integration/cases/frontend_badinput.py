# SPDX-License-Identifier: BSD-3-Clause
"""A guest whose front end sends what it should not: messages out of order, with wrong values, without file
descriptors, memory tables that cannot be. Whatever becomes of its connection, the switch goes on, the other
guest loses nothing, and the next connection of the bad guest's is served."""
import struct

from harness.errors import Failure, check, check_equal
from harness.frontend import FrontendPvp, Refused
from harness.process import wait_until
from harness.registry import test

RATE = 20000
(GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_LOG_BASE, SET_LOG_FD, SET_VRING_NUM,
 SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR,
 GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE) = range(1, 19)


def u64(*values):
    return struct.pack(f"<{len(values)}Q", *values).hex()


def state(index, num):
    return struct.pack("<II", index, num).hex()


def addr(index, where):
    return struct.pack("<IIQQQQ", index, 0, where, where, where, 0).hex()


def raw(request, payload="", **more):
    return lambda guest: guest.cmd("raw", request=request, payload=payload, **more)


def table(kind):
    return lambda guest: guest.cmd("table", kind=kind)


def twice(step):
    def both(guest):
        step(guest)
        step(guest)
    return both


# On a connection that is fresh.
EARLY = {
    "enable before all else": raw(SET_VRING_ENABLE, state(0, 1)),
    "kick before memory": raw(SET_VRING_KICK, u64(0), fds=1),
    "base before memory": raw(GET_VRING_BASE, state(0, 0)),
    "rings before memory": raw(SET_VRING_ADDR, addr(0, 0x1000)),
    "log before memory": raw(SET_LOG_BASE, u64(4096, 0), fds=1),
    "features nobody offered": raw(SET_FEATURES, u64((1 << 64) - 1)),
    "no such request": raw(999),
    "request 0": raw(0),
    "wrong version": raw(SET_OWNER, flags=2),
    "a reply": raw(SET_OWNER, flags=5),
    "payload that does not come": raw(SET_FEATURES, "00", size=8),
    "payload of 4 GiB": raw(SET_FEATURES, u64(0), size=0xFFFFFFFF),
    "payload of 5,000 bytes": raw(SET_FEATURES, u64(0), size=5000),
    "ring of no entries": raw(SET_VRING_NUM, state(0, 0)),
    "ring of 65,535 entries": raw(SET_VRING_NUM, state(0, 65535)),
    "queue 255": raw(SET_VRING_NUM, state(255, 256)),
    "queue 4 billion": raw(SET_VRING_NUM, state(0xFFFFFFFF, 256)),
    "eight file descriptors for nothing": raw(SET_OWNER, fds=8),
    "a table without descriptors": table("no_fds"),
    "a table with too few descriptors": table("few_fds"),
    "nine regions": table("nine"),
    "overlapping regions": table("overlap"),
    "odd addresses": table("unaligned"),
    "a file that is too short": table("truncated"),
    "an empty table": table("empty"),
}

# While its queues run.
RUNNING = {
    "other features": raw(SET_FEATURES, u64(1 << 30 | 1 << 32)),
    "reset": raw(RESET_OWNER),
    "another size": raw(SET_VRING_NUM, state(0, 128)),
    "rings outside memory": raw(SET_VRING_ADDR, addr(0, 0xDEAD000)),
    "rings of another queue": raw(SET_VRING_ADDR, addr(0, 0)),
    "a base out of range": raw(SET_VRING_BASE, state(0, 0x7FFF)),
    "a file that ends in the rings": table("short_rings"),
    "a call without descriptor": raw(SET_VRING_CALL, u64(0)),
    "a kick without descriptor": raw(SET_VRING_KICK, u64(0)),
    "base twice": twice(raw(GET_VRING_BASE, state(0, 0))),
    "log without descriptor": raw(SET_LOG_BASE, u64(4096, 0)),
    "log of no size": raw(SET_LOG_BASE, u64(0, 0), fds=1),
    "log behind its file": raw(SET_LOG_BASE, u64(1 << 40, 1 << 40), fds=1),
    "log descriptor": raw(SET_LOG_FD, fds=1),
    "owner again": raw(SET_OWNER),
    **{f"running: {name}": EARLY[name] for name in (
        "no such request", "a table without descriptors", "a table with too few descriptors", "nine regions",
        "overlapping regions", "odd addresses", "a file that is too short", "an empty table")},
}

# librte_vhost itself dies of it (SIGBUS, in its handler of the message), whatever the port.
DEADLY = {"iovtee": ("a file that ends in the rings",),
          # DPDK's own port dies of a short file, and breaks its guest by the others.
          "vhost": ("a file that ends in the rings", "a file that is too short", "a base out of range",
                    "another size")}

# From then on the guest reads its rings by another size than the back end: what it finds there is its own fault.
SELF_HARM = ("another size",)


class Pair(FrontendPvp):
    """Two guests of one switch: a good one with traffic from the NIC, and a bad one, whose port is fed by
    net_null."""

    def __init__(self, bed):
        self.bad_socket = bed.path("bad.sock")
        kind = "net_vhost1" if bed.ports == "vhost" else "net_iovtee_vhost1"
        super().__init__(bed, rate=RATE, retry=False,
                         extra=[f"{kind},iface={self.bad_socket},queues=1", "net_null0,size=200"])
        self.good, self.bad = self.guest, self.new_guest()
        for guest in (self.good, self.bad):
            guest.cmd("setup", any_num_buffers=int(bed.ports == "vhost"), len_min=2100, len_max=3000)
        self.good.attach(self.socket)
        self.good.up()
        self.start_source()

    def bad_works(self):
        """The bad guest behaves, and is served."""
        self.bad.cmd("setup", any_num_buffers=int(self.bed.ports == "vhost"), swap=0)
        self.bad.attach(self.bad_socket)
        self.bad.up()
        wait_until(lambda: self.bad.stats()["received"] > 50, 5, "the bad guest to be served again")

    def replace_bad(self):
        self.bad.kill()
        self.bad = self.new_guest()

    def run(self, name, step, running):
        if running:
            self.bad_works()
        else:
            self.bad.cmd("setup", any_num_buffers=1)
            self.bad.attach(self.bad_socket)
        try:
            step(self.bad)
            self.bad.cmd("reply", timeout=50)
        except Refused:
            pass  # hung up, no reply, refused: all the same to the others
        if name in SELF_HARM:
            self.replace_bad()
        else:
            self.bad.cmd("run", on=0)
            self.bad.cmd("close")
        self.wait_frames(50)
        self.switch.check_alive()
        self.bad_works()
        self.bad.stop()
        self.bad.cmd("close")


def run_all(bed, cases, running):
    """A failure names the cases that failed."""
    pair, wrong = Pair(bed), []
    pair.wait_frames(500)
    before = pair.nic()
    for name, step in cases.items():
        if name.removeprefix("running: ") in DEADLY[bed.ports]:
            continue
        try:
            pair.run(name, step, running)
        except Failure as failure:
            wrong.append(f"{name}: {failure}")
            pair.switch.check_alive()
            pair.replace_bad()
    check(not wrong, f"{len(wrong)} of {len(cases)} cases: " + "; ".join(wrong))
    # DPDK's port drops what it cannot copy at once.
    pair.check_nic(before, 50 * len(cases), lost=0 if bed.ports == "iovtee" else 1 << 60)
    pair.good.stop()
    check_equal(pair.good.stats()["flushed"], 0, "buffers that the good guest got back empty")
    pair.switch.quit()


@test("frontend-bad-early")
def bad_early(bed):
    """Before the guest is set up."""
    run_all(bed, EARLY, False)


@test("frontend-bad-running")
def bad_running(bed):
    """While it runs."""
    run_all(bed, RUNNING, True)
