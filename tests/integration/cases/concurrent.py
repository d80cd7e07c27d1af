# SPDX-License-Identifier: BSD-3-Clause
"""Everything at once: two lcores forward, the device thread feeds them, a guest changes its queues, its memory and
its mind, telemetry reads all there is, ports come and go. What comes back must be intact all the same. These are
what the build with the thread sanitizer is run with first of all."""
import threading

from cases.frontend_life import BOUND, RING
from harness.errors import Failure, check
from harness.frontend import Frontend, FrontendPvp
from harness.pvp import VHOST
from harness.registry import SOAK, test

QUEUES = 4
ROUNDS = SOAK
OTHER = "net_iovtee_vhost1"


class Meanwhile:
    """Do something again and again on a thread of its own, until the block ends."""

    def __init__(self, action):
        self._action, self._end, self._error, self._done = action, threading.Event(), None, 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            while not self._end.is_set():
                self._action()
                self._done += 1
        except Failure as failure:
            self._error = failure

    def __enter__(self):
        self._thread.start()

    def __exit__(self, kind, *_):
        self._end.set()
        self._thread.join()
        if kind is None and self._error:
            raise self._error
        check(kind or self._done, "nothing was done meanwhile")


class Reader:
    """Reads all counters that there are. Ours alone are read while ports go: DPDK's own commands are not safe
    against that."""

    def __init__(self, pvp, ours):
        self.telemetry = pvp.switch.telemetry
        vhost, uplink = pvp.switch.port(pvp.vhost), pvp.switch.port(pvp.uplink)
        nic, = self.telemetry.ask("/emunic/list")
        self.requests = [("/iovtee/list",), ("/iovtee/vhost", vhost), ("/iovtee/uplink", uplink),
                         ("/emunic/stats", nic), *(("/iovtee/queue", vhost, i) for i in range(QUEUES))]
        if not ours:
            self.requests += [(f"/ethdev/{what}", port) for what in ("stats", "xstats", "link_status")
                              for port in (vhost, uplink)]

    def __call__(self):
        for request in self.requests:
            self.telemetry.ask(*request)


def restart_queues(pvp):
    for vrings in ((0,), (3,), (2, 1)):
        for v in vrings:
            pvp.guest.stop(vring=v)
        for v in vrings:
            pvp.guest.cmd("start", vring=v, resume=v % 2)


def enable_queues(pvp):
    for on in (0, 1):
        for v in (1, 4, 6):
            pvp.guest.cmd("enable", vring=v, on=on)


def change_memory(pvp):
    for kind in ("reversed", "right"):
        pvp.guest.cmd("table", kind=kind)


def log_writes(pvp):
    pvp.guest.cmd("log")
    pvp.wait_frames(100)
    pvp.guest.cmd("log", on=0)


def connect(pvp, ring):
    pvp.setup(format=ring, size=RING[ring], pairs=QUEUES, regions=3, sleep=1, **BOUND)
    pvp.attach()
    pvp.guest.up()


def hang_up(pvp, ring):
    pvp.guest.cmd("close")
    connect(pvp, ring)


def kill(pvp, ring):
    pvp.guest.kill()
    pvp.new_guest()
    connect(pvp, ring)


def restart_ports(pvp):
    for command in ("stop", "port stop all", "port start all", "start"):
        pvp.switch.cmd(command)


def unplug(pvp, name):
    port = pvp.switch.port(name)
    for command in ("stop", "detach"):
        pvp.switch.cmd(f"port {command} {port}")
    check(name not in pvp.switch.telemetry.ports(), f"{name} is there still")


def other_port(pvp, ring):
    """One more port is plugged in, gets a guest, and is unplugged under it."""
    path = pvp.bed.path("other.sock")
    both = f"{pvp.switch.port(pvp.uplink)},{pvp.switch.port(pvp.vhost)}"
    pvp.switch.cmd(f"port attach {OTHER},iface={path}")
    pvp.switch.cmd(f"port start {pvp.switch.port(OTHER)}")
    for command in ("stop", f"set portlist {both}", "start"):  # ports that forward cannot be unplugged
        pvp.switch.cmd(command)
    guest = Frontend(pvp.bed, "other")
    guest.cmd("setup", format=ring, size=RING[ring])
    guest.attach(path)
    guest.up()
    unplug(pvp, OTHER)
    guest.kill()


def everything(bed, ring):
    bed.need_iovtee()
    pvp = FrontendPvp(bed, queues=QUEUES, workers=2, retry=False, rate=50000)
    connect(pvp, ring)
    before = pvp.nic()
    pvp.start_source()
    steps = [restart_queues, enable_queues, change_memory, log_writes, restart_ports,
             lambda pvp: pvp.switch.cmd("clear port xstats all"),
             lambda pvp: hang_up(pvp, ring), lambda pvp: kill(pvp, ring)]
    with Meanwhile(Reader(pvp, ours=False)):
        for _ in range(ROUNDS):
            for step in steps:
                step(pvp)
                pvp.wait_frames(500)
    with Meanwhile(Reader(pvp, ours=True)), Meanwhile(lambda: restart_queues(pvp)):
        for _ in range(ROUNDS):
            other_port(pvp, ring)
            restart_ports(pvp)
            pvp.wait_frames(500)
    # Queues that stop hand their flows to others: frames may overtake each other.
    pvp.check_nic(before, 0, lost=1 << 60, order=False)
    with Meanwhile(Reader(pvp, ours=True)):
        pvp.switch.cmd("stop")
        for name in (pvp.uplink, VHOST):
            unplug(pvp, name)
    pvp.guest.kill()
    pvp.switch.quit()


for _ring in RING:
    test(f"concurrent-{_ring}")(lambda bed, ring=_ring: everything(bed, ring))
