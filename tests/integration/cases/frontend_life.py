# SPDX-License-Identifier: BSD-3-Clause
"""What happens to a guest in operation, with the test front end as the guest, under traffic: nothing comes
back corrupt, twice or overtaken, nothing is written after the reply to GET_VRING_BASE, every buffer is
accounted for, and the path is zero-copy again afterwards."""
import os
import random
import threading

from cases.kill import Leaks
from harness import accounts, pcap
from harness.errors import Failure, Skip, check, check_equal
from harness.frontend import DIRECT, INDIRECT, FrontendPvp
from harness.process import wait_until
from harness.registry import SOAK, cycles, test

RATE = 100000
RING = {"split": 256, "packed": 255}
# As large as the NIC's buffers, header included: bound to it.
BOUND = {"len_min": 2100, "len_max": 3000}
ANY = {"len_min": 300, "len_max": 3000, "indirect": 1}
CYCLES = 60 * SOAK
GUESTS = 6 * SOAK


def layouts(bed, ring):
    """DPDK's back end follows a table only where a chain begins, and its batches take every descriptor of
    a packed ring for a buffer."""
    left_out = {"iovtee": (), "vhost": ("direct_indirect",) + ("chain",) * (ring == "packed")}
    return "+".join(name for name in DIRECT + INDIRECT if name not in left_out[bed.ports])


def start(bed, ring, queues=1, options=(), **switch):
    pvp = FrontendPvp(bed, queues=queues, retry=False, **{"rate": RATE, **switch})
    pvp.setup(format=ring, size=RING[ring], pairs=queues, **{**BOUND, **dict(options)})
    pvp.attach()
    pvp.guest.up()
    return pvp


def check_zero_copy(pvp):
    """From now on nearly all is delivered without a copy."""
    if pvp.bed.ports == "vhost":
        return
    before = pvp.counters()
    pvp.wait_frames(3000)
    grown = accounts.since(before, pvp.counters())
    accounts.share(grown, grown["zero_copy_packets"] + grown["copied_packets"])


def sent_by_guest(pvp):
    """Counters of the guest's transmit queues, summed."""
    total = {}
    for name, value in pvp.switch.xstats(pvp.vhost).items():
        if name.startswith("rx_q"):
            key = name.split("_", 2)[2]
            total[key] = total.get(key, 0) + value
    return total


def out_of_guest(pvp):
    """The guest's packets that the switch or the NIC has, or had when the guest got them back."""
    counters = sent_by_guest(pvp)
    return counters["borrowed"] - counters["returned"]


def finish(pvp, before, order=True, overdue=0):
    """The regular end: every buffer comes back, and memory stays as it is."""
    pvp.guest.stop()
    if pvp.bed.ports == "iovtee":
        check_equal(sent_by_guest(pvp)["overdue"], overdue, "packets that the guest got back while they were out")
    check_equal(pvp.guest.stats()["lost_wakeups"], 0, "lost wake-ups")
    pvp.check_nic(before, 0, lost=1 << 60, order=order)
    pvp.check_accounts()
    pvp.guest.cmd("frozen")
    pvp.guest.kill()
    pvp.switch.quit()


def each_ring(name):
    """A test for either ring format."""
    def register(function):
        for ring in RING:
            test(f"frontend-{name}-{ring}")(lambda bed, ring=ring: function(bed, ring))
        return function
    return register


@each_ring("recorded")
def recorded(bed, ring):
    """Real traffic of all sizes through all layouts, byte for byte."""
    pvp = FrontendPvp(bed, recorded=True)
    pvp.setup(format=ring, size=RING[ring], event_idx=1, sleep=1, layouts=layouts(bed, ring), **ANY)
    pvp.attach()
    pvp.guest.up()
    pvp.run_all()
    pvp.guest.wait_settled()
    pvp.guest.stop()
    pvp.check_no_faults()
    pvp.check_accounts()
    pvp.guest.kill()
    pcap.check_same(pvp.end(), pvp.expected())


SEND_RARP = 19


@each_ring("announced")
def announced(bed, ring):
    """A guest that was migrated here and cannot tell the network itself is spoken for: one RARP request, from its
    address, and to all."""
    bed.need_iovtee()
    pvp = FrontendPvp(bed, recorded=True)
    pvp.setup(format=ring, size=RING[ring], **BOUND)
    pvp.attach()
    pvp.guest.up()
    mac = bytes.fromhex("52540a0b0c0d")
    pvp.guest.cmd("raw", request=SEND_RARP, payload=(mac + bytes(2)).hex())
    wait_until(lambda: pvp.returned() >= 1, 5, "the announcement to be sent")
    pvp.run_all()
    pvp.guest.wait_settled()
    pvp.guest.stop()
    pvp.check_accounts()
    pvp.guest.kill()
    first, *others = pvp.end()
    # RFC 903: Ethernet, IPv4, lengths 6 and 4, reverse request; sender and target are the guest.
    check_equal(first[:28], b"\xff" * 6 + mac + bytes.fromhex("8035000108000604") + bytes.fromhex("0003") + mac,
                "the announcement")
    check_equal(first[32:38], mac, "the address that is asked for")
    pcap.check_same(others, pvp.expected())


@each_ring("zero-copy")
def zero_copy(bed, ring):
    """A guest whose buffers can all be bound, woken by flags, not by event index."""
    pvp = start(bed, ring, options={"sleep": 1})
    before = pvp.nic()
    pvp.start_source()
    pvp.wait_frames(3000)
    check_zero_copy(pvp)
    check(pvp.guest.stats()["notified"] > 0, "the guest was never notified")
    finish(pvp, before)


@each_ring("sizes")
def sizes(bed, ring):
    """Small and large rings, with 10 bytes of header where the ring allows it."""
    pvp, before = FrontendPvp(bed, rate=RATE, retry=False), None
    pvp.start_source()
    for size in {"split": (4, 64, 1024), "packed": (7, 96, 1000)}[ring]:
        before = before or pvp.nic()
        pvp.setup(format=ring, size=size, layouts="one+hdr_followed", mergeable=size & 1,
                  version_1=int(ring == "packed"), **BOUND)
        pvp.attach()
        pvp.guest.up()
        pvp.wait_frames(1000)
        pvp.guest.stop()
        pvp.check_accounts()
        pvp.guest.cmd("frozen")
        pvp.guest.cmd("close")
    pvp.check_nic(before, 3000, lost=1 << 60)
    pvp.guest.kill()
    pvp.switch.quit()


@each_ring("queue-restart")
def queue_restart(bed, ring):
    """GET_VRING_BASE and SET_VRING_*: of one queue, or a pair; going on where it was, or from the start."""
    pvp, rng = start(bed, ring), random.Random(1)
    guest, before = pvp.guest, pvp.nic()
    pvp.start_source()
    pvp.wait_frames(1000)
    for cycle in cycles(f"queues restarted, {ring} ring", CYCLES):
        # DPDK's port does not go on if one queue alone comes back.
        vrings = rng.choice(([0, 1], [1, 0]) if bed.ports == "vhost" else ([0], [1], [0, 1], [1, 0]))
        try:
            for v in vrings:
                guest.stop(vring=v)
            pvp.wait_frames(0)
            for v in vrings:
                guest.cmd("frozen", vring=v)
            for v in vrings:
                guest.cmd("start", vring=v, resume=rng.randrange(2))
            pvp.wait_frames(100)
        except Failure as failure:
            raise Failure(f"cycle {cycle}, vrings {vrings}: {failure}") from None
        if cycle % 20 == 0:
            check_zero_copy(pvp)
    check_zero_copy(pvp)
    finish(pvp, before)


def give_cpu(pvp):
    """The switch's polling thread has a CPU for itself; all others share the rest."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Skip("needs 2 CPUs")
    for task in os.listdir(f"/proc/{pvp.switch.pid}/task"):
        with open(f"/proc/{pvp.switch.pid}/task/{task}/comm", encoding="ascii") as comm:
            os.sched_setaffinity(int(task), cpus[-1:] if "worker" in comm.read() else cpus[:-1])
    os.sched_setaffinity(pvp.guest.pid, cpus[:-1])


def say_times(ring, waited, told):
    """As the guest has waited, and as the switch's telemetry has it: that ends when the switch's thread has the CPU
    again after it has sent the reply."""
    waited = sorted(waited)
    seen = {"p50": waited[(len(waited) - 1) // 2], "p99": waited[(len(waited) - 1) * 99 // 100], "max": waited[-1]}
    for who, times in ("guest", seen), ("telemetry", {name: told[name + "_ns"] for name in seen}):
        print(f"{len(waited)} replies to GET_VRING_BASE, {ring} ring, microseconds by {who}: " +
              ", ".join(f"{name} {ns / 1000:.0f}" for name, ns in times.items()))


@each_ring("reply-time")
def reply_time(bed, ring):
    """How long a guest waits for the reply to GET_VRING_BASE, with its buffers posted and under traffic. Said,
    not judged: that is the scheduler's time as soon as the polling thread shares its CPU."""
    bed.need_iovtee()
    pvp = start(bed, ring, options={"sleep": 1}, rate=10000)
    before = pvp.nic()
    give_cpu(pvp)
    pvp.start_source()
    waited = []
    for cycle in cycles(f"replies, {ring} ring", 20 * SOAK):
        pvp.wait_frames(100)
        pvp.guest.stop(vring=0)
        waited.append(pvp.guest.stats()["waited_ns"])
        pvp.guest.cmd("frozen", vring=0)
        pvp.guest.cmd("start", vring=0, resume=cycle % 2)
    check_zero_copy(pvp)
    told = pvp.switch.telemetry.ask("/iovtee/vhost", pvp.switch.port(pvp.vhost))["revocation"]
    check_equal(told["count"], 20 * SOAK, "replies measured")
    say_times(ring, waited, told)
    finish(pvp, before)


@each_ring("stop-waits")
def stop_waits(bed, ring):
    """A transmit queue that stops while the NIC has its packets: they are the guest's again when they are sent."""
    bed.need_iovtee()
    pvp = start(bed, ring)
    before = pvp.nic()
    pvp.emunic("tx_stall")
    pvp.start_source()
    wait_until(lambda: out_of_guest(pvp) > RING[ring] // 2, 5, "the guest's packets to be out")
    resume = threading.Timer(0.3, pvp.emunic, ["tx_resume"])
    resume.start()
    pvp.guest.stop(vring=1)
    check_equal(out_of_guest(pvp), 0, "packets that are out when the queue has stopped")
    resume.join()
    pvp.guest.cmd("start", vring=1, resume=1)
    check_zero_copy(pvp)
    finish(pvp, before)


@each_ring("stop-notifies")
def stop_notifies(bed, ring):
    """A transmit queue that stops while a stalled NIC has its packets, and its guest sleeps until there is room: the
    guest has all back with the reply, and is notified. What the NIC sends of them then is no packet any more."""
    bed.need_iovtee()
    pvp = start(bed, ring, options={"sleep": 1})
    pvp.emunic("tx_stall")
    pvp.start_source()
    wait_until(lambda: out_of_guest(pvp) > RING[ring] // 2, 5, "the guest's packets to be out")
    pvp.guest.cmd("run", on=0)
    wait_until(lambda: sent_by_guest(pvp)["packets"] == pvp.guest.stats()["sent"], 5, "all packets to be taken")
    pvp.guest.stop(vring=1)
    overdue = sent_by_guest(pvp)["overdue"]
    check(overdue > RING[ring] // 2, f"only {overdue} packets came back")
    pvp.emunic("tx_resume")
    wait_until(lambda: pvp.nic()["tx_device_frames"] == pvp.returned(), 5, "the NIC to send what it has")
    before = pvp.nic()
    pvp.guest.cmd("start", vring=1, resume=1)
    pvp.guest.cmd("run")
    check_zero_copy(pvp)
    finish(pvp, before, overdue=overdue)


@each_ring("enable")
def enable(bed, ring):
    """Queues of a guest with four pairs, disabled and enabled. Flows move to other queues meanwhile, so
    their frames may overtake each other."""
    pvp, rng = start(bed, ring, queues=4), random.Random(2)
    guest, before = pvp.guest, pvp.nic()
    pvp.start_source()
    for _ in range(CYCLES):
        off = rng.sample(range(8), 3)
        for v in off:
            guest.cmd("enable", vring=v, on=0)
        for v in off:
            guest.cmd("enable", vring=v, on=1)
        pvp.wait_frames(100)
    check_zero_copy(pvp)
    finish(pvp, before, order=False)


@each_ring("memory-table")
def memory_table(bed, ring):
    """A new memory table while buffers are posted."""
    pvp = start(bed, ring, options={"regions": 6, "layouts": "one+chain+page_cross+region_cross"})
    before = pvp.nic()
    pvp.start_source()
    for cycle in range(CYCLES // 3):
        pvp.guest.cmd("table", kind=("reversed", "right")[cycle % 2])
        pvp.wait_frames(200)
    finish(pvp, before)


def guest_memory_mapped(pvp):
    with open(f"/proc/{pvp.switch.pid}/maps", encoding="ascii") as maps:
        return "memfd:guest" in maps.read()


def gone(pvp, what):
    wait_until(lambda: not guest_memory_mapped(pvp), 5, f"the memory of a guest that {what} to be unmapped")
    pvp.check_accounts()


def come_and_go(bed, ring, client):
    pvp = start(bed, ring, client=client)
    before = pvp.nic()
    pvp.start_source()
    for cycle in range(GUESTS):
        check_zero_copy(pvp)
        if cycle % 2:
            pvp.guest.cmd("close")
            gone(pvp, "hung up")
        else:
            pvp.guest.kill()
            gone(pvp, "was killed")
            pvp.new_guest()
        pvp.setup(format=ring, size=RING[ring], **BOUND)
        pvp.attach()
        pvp.guest.up()
    check_zero_copy(pvp)
    finish(pvp, before)


@each_ring("killed")
def killed(bed, ring):
    """Guests killed under traffic, again and again: nothing is left of them, and the next one is served as
    the first."""
    pvp = start(bed, ring)
    before, leaks = pvp.nic(), Leaks(pvp.switch)
    pvp.start_source()
    for cycle in cycles(f"guests killed, {ring} ring", 3 * GUESTS):
        try:
            check_zero_copy(pvp)
            pvp.guest.kill()
            gone(pvp, "was killed")
            if cycle >= 3:
                leaks.check()
            pvp.new_guest()
            pvp.setup(format=ring, size=RING[ring], **BOUND)
            pvp.attach()
            pvp.guest.up()
        except Failure as failure:
            raise Failure(f"cycle {cycle}: {failure}") from None
    check_zero_copy(pvp)
    finish(pvp, before)


@each_ring("reconnect")
def reconnect(bed, ring):
    """Connections cut and guests killed, all under traffic: the next one is served as the first."""
    come_and_go(bed, ring, False)


@each_ring("reconnect-client")
def reconnect_client(bed, ring):
    """The same with a switch that connects to the guest."""
    come_and_go(bed, ring, True)


@each_ring("dirty-log")
def dirty_log(bed, ring):
    """Logging switched on and off under traffic: each page that was written is marked when the guest sees
    the buffer."""
    pvp = start(bed, ring, options={**ANY, "layouts": layouts(bed, ring)})
    guest, before = pvp.guest, pvp.nic()
    pvp.start_source()
    for _ in range(3):
        pvp.wait_frames(500)
        guest.cmd("log")
        pvp.wait_frames(3000)
        # DPDK's packed ring shows some buffers first.
        guest.check_marked(6000, late=0 if bed.ports == "iovtee" else 1 << 60)
        guest.cmd("log", on=0)
    finish(pvp, before)
