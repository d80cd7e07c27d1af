# SPDX-License-Identifier: BSD-3-Clause
"""A guest whose front end sends what it should not: messages out of order, with wrong values, without file
descriptors, memory tables that cannot be. Whatever becomes of its connection, the switch goes on, the other
guest loses nothing, no file descriptor is left behind, and the next connection of the bad guest's is served."""
import struct

from cases.kill import Leaks

from harness import accounts
from harness.errors import Failure, check, check_equal
from harness.frontend import FrontendPvp, Refused
from harness.process import wait_until
from harness.registry import test

RATE = 20000
(GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_LOG_BASE, SET_LOG_FD, SET_VRING_NUM,
 SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR,
 GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE) = range(1, 19)
IOTLB_MSG, POSTCOPY_LISTEN, GET_INFLIGHT_FD, SET_INFLIGHT_FD = 22, 29, 31, 32
LOG_ALL = 1 << 26


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


def steps(*several):
    def all_of_them(guest):
        for step in several:
            step(guest)
    return all_of_them


def log_all(guest):
    """Every page that is written is logged from now on."""
    guest.cmd("raw", request=SET_FEATURES, payload=u64(guest.features | LOG_ALL))


def in_flight_payload(size, queues):
    return u64(size, 0) + struct.pack("<HHI", queues, 256, 0).hex()


def in_flight(size, queues):
    """SET_INFLIGHT_FD, with an empty file."""
    return raw(SET_INFLIGHT_FD, in_flight_payload(size, queues), fds=1, file=0)


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
    "a table that is cut": raw(SET_MEM_TABLE, u64(8), fds=8),
    "in-flight memory of no file": in_flight(4096, 1),
    "in-flight memory of 256 queues": in_flight(4096, 256),
    "in-flight memory, please": raw(GET_INFLIGHT_FD, in_flight_payload(0, 2)),
    "a region that moves in later": steps(raw(POSTCOPY_LISTEN), table("right")),
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
    "base twice": steps(raw(GET_VRING_BASE, state(0, 0)), raw(GET_VRING_BASE, state(0, 0))),
    "log without descriptor": raw(SET_LOG_BASE, u64(4096, 0)),
    "log of no size": raw(SET_LOG_BASE, u64(0, 0), fds=1),
    "log behind its file": raw(SET_LOG_BASE, u64(1 << 40, 1 << 40), fds=1),
    "log beyond its file": steps(raw(SET_LOG_BASE, u64(1 << 20, 0), fds=1, file=4096), log_all),
    "log not from the start": steps(raw(SET_LOG_BASE, u64(1 << 16, 1 << 20), fds=1, file=1 << 21), log_all),
    "an address nobody asked for": raw(IOTLB_MSG, u64(0x10000, 4096, 0x10000, 0x0203)),
    "log descriptor": raw(SET_LOG_FD, fds=1),
    "owner again": raw(SET_OWNER),
    **{f"running: {name}": EARLY[name] for name in (
        "no such request", "a table without descriptors", "a table with too few descriptors", "nine regions",
        "overlapping regions", "odd addresses", "a file that is too short", "an empty table",
        "in-flight memory of no file", "in-flight memory of 256 queues")},
}

# What the port refuses itself, and counts.
REFUSED = ("a file that is too short", "a file that ends in the rings", "overlapping regions", "nine regions",
           "an empty table", "a table that is cut", "in-flight memory of no file", "in-flight memory of 256 queues",
           "in-flight memory, please", "a region that moves in later", "log behind its file", "log beyond its file",
           "log not from the start", "an address nobody asked for")

# DPDK's own port dies of these, or they break its guest, or all guests.
DEADLY = ("a file that ends in the rings", "a file that is too short", "a base out of range", "another size",
          "in-flight memory of no file", "in-flight memory of 256 queues", "a region that moves in later",
          "log beyond its file", "log not from the start", "a table that is cut", "an address nobody asked for")

# From then on the guest reads its rings by another size than the back end: what it finds there is its own fault.
SELF_HARM = ("another size",)


class Pair(FrontendPvp):
    """Two guests of one switch: a good one with traffic from the NIC, and a bad one, whose port is fed by
    net_null."""

    def __init__(self, bed):
        self.bad_socket = bed.path("bad.sock")
        self.bad_port = "net_vhost1" if bed.ports == "vhost" else "net_iovtee_vhost1"
        super().__init__(bed, rate=RATE, retry=False,
                         extra=[f"{self.bad_port},iface={self.bad_socket},queues=1", "net_null0,size=200"])
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
        self.bad.features = self.bad.up()["features"]
        wait_until(lambda: self.bad.stats()["received"] > 50, 5, "the bad guest to be served again")

    def replace_bad(self):
        self.bad.kill()
        self.bad = self.new_guest()

    def refused(self):
        """How many messages the bad guest's port has refused."""
        return self.switch.xstats(self.bad_port)["refused_messages"] if self.bed.ports == "iovtee" else 0

    def check_refused(self, name, before):
        if self.bed.ports == "iovtee":
            check_equal(self.refused() - before, int(name.removeprefix("running: ") in REFUSED), "messages refused")

    def run(self, name, step, running):
        before = self.refused()
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
        self.check_refused(name, before)
        self.bad_works()
        self.bad.stop()
        self.bad.cmd("close")


def run_all(bed, cases, running):
    """A failure names the cases that failed."""
    pair, wrong = Pair(bed), []
    pair.wait_frames(500)
    before, leaks = pair.nic(), Leaks(pair.switch)
    for name, step in cases.items():
        if bed.ports == "vhost" and name.removeprefix("running: ") in DEADLY:
            continue
        try:
            pair.run(name, step, running)
            if bed.ports == "iovtee":
                leaks.check()
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


# Of a guest that runs, with acknowledgements: what librte_vhost refuses, which ends the connection, ...
NEED_REPLY = 9  # flags
HANGS_UP = {
    "a ring of 65,536 entries": {"request": SET_VRING_NUM, "payload": state(0, 65536)},
    "a ring of 65,536 entries for the other queue": {"request": SET_VRING_NUM, "payload": state(1, 65536)},
    "features nobody offered": {"request": SET_FEATURES, "payload": u64((1 << 64) - 1)},
    "a kick without descriptor": {"request": SET_VRING_KICK, "payload": u64(0)},
    "a call without descriptor": {"request": SET_VRING_CALL, "payload": u64(0)},
    "rings with a descriptor": {"request": SET_VRING_ADDR, "payload": addr(0, 0), "fds": 1},
    "a ring that ends, with a descriptor": {"request": SET_VRING_ENABLE, "payload": state(0, 0), "fds": 1},
}
# ... and what the port refuses before anything has changed: the guest hears of it, and goes on.
GOES_ON = {
    "a log beyond its file": {"request": SET_LOG_BASE, "payload": u64(1 << 20, 0), "fds": 1, "file": 4096},
    "in-flight memory of no file": {"request": SET_INFLIGHT_FD, "payload": in_flight_payload(4096, 1), "fds": 1, "file": 0},
}


@test("frontend-refused")
def refused(bed):
    """A message that is refused with an acknowledgement leaves nothing stopped: the guest goes on, or is told by
    the end of its connection to come back."""
    bed.need_iovtee()
    pvp = FrontendPvp(bed, rate=RATE, retry=False)
    pvp.start_source()

    def works():
        pvp.setup(len_min=2100, len_max=3000, sleep=1)
        pvp.attach()
        pvp.guest.up()
        pvp.wait_frames(500)
    works()
    for name, message in HANGS_UP.items():
        before = pvp.nic()
        pvp.guest.cmd("raw", flags=NEED_REPLY, **message)
        wait_until(lambda: not pvp.guest.alive_link(), 5, f"{name}: the connection to end")
        pvp.guest.cmd("close")
        works()
        pvp.check_nic(before, 500, lost=1 << 60)
    for name, message in GOES_ON.items():
        before, counters = pvp.nic(), pvp.counters()
        pvp.guest.cmd("raw", flags=NEED_REPLY, **message)
        check_equal(pvp.guest.cmd("reply")["payload"], u64(1), f"{name}: the acknowledgement")
        pvp.wait_frames(500)
        pvp.check_nic(before, 500)
        check_equal(accounts.since(counters, pvp.counters())["rewound"], 0, f"{name}: buffers given back")
    for kind in ("truncated", "short_rings"):
        before = pvp.nic()
        check("refused by the back end" in pvp.guest.refused("table", kind=kind), f"table {kind}: refused how?")
        pvp.wait_frames(500)
        pvp.check_nic(before, 500)
    pvp.guest.stop()
    pvp.check_accounts()
    pvp.switch.quit()


@test("frontend-bad-early")
def bad_early(bed):
    """Before the guest is set up."""
    run_all(bed, EARLY, False)


@test("frontend-bad-running")
def bad_running(bed):
    """While it runs."""
    run_all(bed, RUNNING, True)
