# SPDX-License-Identifier: BSD-3-Clause
"""Taking a guest's buffers back from NICs that make it difficult: by a restart of the port that does harm."""
import re

from harness import accounts, map_reasons
from harness.errors import check, check_equal
from harness.frontend import FrontendPvp
from harness.process import wait_until
from harness.registry import test

BOUND = {"len_min": 2100, "len_max": 3000}
HOLDER = "net_emunic1"  # its device is not run: what is sent there stays in its Tx ring
RETA_SIZE = 128


def set_table(pvp):
    """All that comes goes to queue 0, until a restart of the port spreads it again."""
    port = pvp.switch.port(pvp.uplink)
    for first in range(0, RETA_SIZE, 8):
        entries = ",".join(f"({i},0)" for i in range(first, first + 8))
        pvp.switch.cmd(f"port config {port} rss reta {entries}")
    check(not was_restarted(pvp), "the table cannot be set")


def was_restarted(pvp):
    said = pvp.switch.cmd(f"show port {pvp.switch.port(pvp.uplink)} rss reta {RETA_SIZE} "
                          "(0xffffffffffffffff,0xffffffffffffffff)")
    queues = re.findall(r"hash index=\d+, queue=(\d+)", said)
    check_equal(len(queues), RETA_SIZE, "entries of the table")
    return set(queues) != {"0"}


def send_to(pvp, port):
    """Frames go from the uplink to this port from now on."""
    for command in ("stop", f"set portlist {pvp.switch.port(pvp.uplink)},{pvp.switch.port(port)}", "start"):
        pvp.switch.cmd(command)


def stop_and_start(pvp):
    """Returns how many buffers were late, that is, inside the switch."""
    before = pvp.counters()["late"]
    pvp.guest.stop(vring=0)
    late = pvp.counters()["late"] - before
    pvp.guest.cmd("frozen", vring=0)
    pvp.guest.cmd("start", vring=0, resume=1)
    wait_until(lambda: pvp.counters()["mapped"] == 1, 5, "the queue to be mapped again")
    return late


def stop_while_held(pvp):
    """The guest stops while a third port holds its packets, which are then given up."""
    send_to(pvp, HOLDER)
    before = pvp.nic()["rx_device_frames"]
    pvp.start_source()
    wait_until(lambda: pvp.nic()["rx_device_frames"] - before >= 64, 5, "64 frames to arrive")
    pvp.emunic("stop")
    late = stop_and_start(pvp)
    check(late > 0, "no packet was inside the switch")
    holder = pvp.switch.port(HOLDER)
    for command in ("stop", f"port stop {holder}", f"port start {holder}"):
        pvp.switch.cmd(command)


@test("flush-known-driver")
def known_driver(bed):
    """What is missing after a queue stop is with the driver or with the switch. A driver that has once given back all
    that was posted is not suspected again: the port is not restarted for what the switch has."""
    bed.need_iovtee()
    pvp = FrontendPvp(bed, queues=2, guest_queues=1, nic=",reta_keep=0", retry=False, rate=20000,
                      extra=[f"{HOLDER},engine=step,rxq=2,txq=2"])
    pvp.setup(format="split", size=256, **BOUND)
    pvp.attach()
    pvp.guest.up()
    wait_until(lambda: pvp.counters()["mapped"] == 1, 5, "the queue to be mapped")
    set_table(pvp)
    stop_while_held(pvp)  # not known yet
    set_table(pvp)
    send_to(pvp, pvp.vhost)
    pvp.start_source()
    pvp.wait_frames(1000)
    pvp.emunic("stop")
    pvp.guest.wait_settled()
    check_equal(stop_and_start(pvp), 0, "buffers late, of a guest that rests")
    check(not was_restarted(pvp), "the port was restarted, though its driver had given back all")
    stop_while_held(pvp)
    check(not was_restarted(pvp), "the port was restarted for packets inside the switch")
    pvp.guest.stop()
    pvp.check_no_faults()
    pvp.check_accounts()
    pvp.guest.kill()
    pvp.switch.quit()


@test("flush-lost-table")
def lost_table(bed):
    """trust=0, and a NIC that must restart for each flush and then cannot be asked any more how it spreads frames:
    nothing is lent, the guest's frames are copied, it is said why, and the guest may come and go."""
    bed.need_iovtee()
    pvp = FrontendPvp(bed, queues=2, guest_queues=1, trust=0, rxq=1, nic=",rxq_stop=0,reta_fail=1", rate=20000)
    before = pvp.nic()
    pvp.setup(format="packed", size=255, **BOUND)
    pvp.attach()
    pvp.guest.up()
    pvp.start_source()
    for resume in (1, 0):
        pvp.wait_frames(500)
        check_equal(pvp.counters()["map_reason"], map_reasons.SHARED_QUEUE, "map_reason")
        pvp.guest.stop()
        pvp.check_accounts()
        pvp.guest.cmd("frozen")
        pvp.guest.cmd("start", resume=resume)
    pvp.wait_frames(500)
    # The guest's frames change queues, with its flow rule, when it comes: order is known again after that.
    pvp.emunic("stop")
    pvp.guest.wait_settled()
    pvp.check_nic(before, 1500, lost=1 << 60, order=False)
    before = pvp.nic()
    pvp.start_source()
    pvp.wait_frames(500)
    counters = pvp.counters()
    accounts.check_identity(counters)
    check_equal(counters["harvested"], 0, "buffers that were lent")
    pvp.guest.stop()
    pvp.check_nic(before, 500, lost=1 << 60)
    pvp.guest.kill()
    pvp.switch.quit()


def running(bed, ring):
    pvp = FrontendPvp(bed, rate=20000, retry=False)
    pvp.setup(format=ring, size={"split": 256, "packed": 255}[ring], **BOUND)
    pvp.attach()
    pvp.guest.up()
    wait_until(lambda: pvp.counters()["mapped"] == 1, 5, "the queue to be mapped")
    pvp.start_source()
    pvp.wait_frames(1000)
    return pvp


def flush_jammed_queue(bed, ring):
    """A NIC queue that does not stop: the port is restarted instead."""
    bed.need_iovtee()
    pvp = running(bed, ring)
    pvp.emunic("jam_queues")
    before = pvp.nic()
    for _ in range(3):
        check_equal(stop_and_start(pvp), 0, "late buffers")
        pvp.wait_frames(500)
    pvp.check_nic(before, 1500, lost=1 << 60)
    pvp.guest.stop()
    pvp.check_accounts()
    pvp.guest.cmd("frozen")
    pvp.switch.quit()


def flush_jammed_port(bed, ring):
    """A NIC that does not stop at all keeps the guest's buffers, and is cut off from them: what it goes on writing
    does not arrive. For ethdev the port is neither stopped nor started then: nothing more can be had of it."""
    bed.need_iovtee()
    pvp = running(bed, ring)
    pvp.emunic("stop")
    pvp.guest.wait_settled()
    pvp.emunic("jam")
    pvp.guest.stop()
    pvp.start_source()
    wait_until(lambda: pvp.nic()["iommu_faults"] > 0, 5, "the NIC to go on writing")
    pvp.guest.cmd("frozen")
    pvp.guest.kill()
    check(pvp.counters()["late"] > 0, "no buffer was with the NIC")
    pvp.switch.kill()


for _ring in ("split", "packed"):
    test(f"flush-jammed-queue-{_ring}")(lambda bed, ring=_ring: flush_jammed_queue(bed, ring))
    test(f"flush-jammed-port-{_ring}")(lambda bed, ring=_ring: flush_jammed_port(bed, ring))
