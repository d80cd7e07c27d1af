# SPDX-License-Identifier: BSD-3-Clause
"""Several queue pairs and several polling lcores: contents, and the order within each flow."""
import time

from harness import accounts, flows, map_reasons, pcap
from harness.errors import check, check_equal
from harness.process import wait_until
from harness.pvp import NF_MAC, Pvp, mac_bytes
from harness.registry import test

FRAMES = 40000


def traffic(count=FRAMES, many=256):
    return flows.frames(count, many, mac_bytes(NF_MAC))


def finish(pvp):
    """End both sides; nothing is held, leaked or faulted, and every frame came back right."""
    pvp.check_no_faults()
    pvp.nf.quit()
    accounts.check_ended(pvp)
    lost = pcap.check_flows_in_order(pvp.end(), pvp.expected())
    check_equal(lost, 0, "frames lost")


def wait_mapped(pvp, used):
    """Before traffic: a NIC queue that is stopped to be mapped forgets what it has received."""
    wait_until(lambda: all(c["map_reason"] == 0 for c in pvp.queue_counters()[:used]), 10, f"{used} queues to be mapped")


def run_all(pvp, used):
    wait_mapped(pvp, used)
    pvp.run_all()


def check_queues(pvp, used, reason=map_reasons.NO_GUEST):
    """So many queues are mapped and used, the others are not for this reason; each account adds up."""
    per_queue = pvp.queue_counters()
    for i, c in enumerate(per_queue):
        accounts.check_identity(c)
        check_equal(c["map_reason"], 0 if i < used else reason, f"map_reason of queue {i}")
        check(i >= used or c["zero_copy_packets"] > 0, f"queue {i} got no packet in place")
    return per_queue


def check_delivered(pvp):
    """Each frame was delivered once."""
    counters = pvp.counters()
    check_equal(counters["zero_copy_packets"] + counters["copied_packets"], len(pvp.sent),
                f"frames delivered to the guest (no_buffer {counters['dropped_no_buffer']}, "
                f"not_ready {counters['dropped_not_ready']})")
    return counters


def all_zero_copy(bed, queues, trust, nic=""):
    """Every guest queue is mapped, two lcores on either side; with trust=0, uplink queue 0 is for what
    is not steered."""
    bed.need_iovtee()
    first = 0 if trust else 1
    pvp = Pvp(bed, queues=queues + first, guest_queues=queues, trust=trust, rxq=first,
              frames=traffic(20000), workers=2, nic=nic)
    pvp.start_nf(queues=queues, workers=2)
    run_all(pvp, queues)
    check_queues(pvp, queues)
    accounts.share(check_delivered(pvp), len(pvp.sent))
    finish(pvp)


for number in (2, 4, 8):
    for trusted in (0, 1):
        test(f"queues-{number}-{'trusted' if trusted else 'steered'}")(
            lambda bed, n=number, t=trusted: all_zero_copy(bed, n, t))


@test("queues-port-restart-trusted")
def port_restart_trusted(bed):
    """A NIC that stops no single queue: each flush restarts the port, with all its queues."""
    all_zero_copy(bed, 4, 1, ",rxq_stop=0")


@test("queues-port-restart-steered")
def port_restart_steered(bed):
    all_zero_copy(bed, 4, 0, ",rxq_stop=0")


@test("queues-16-steered")
def sixteen_steered(bed):
    """A port of 16 pairs, as many uplink queues and one more; the guest uses 8, virtio-user's most: the
    NIC spreads its frames over those."""
    bed.need_iovtee()
    pvp = Pvp(bed, queues=17, guest_queues=16, trust=0, rxq=1, frames=traffic(), workers=2)
    pvp.start_nf(queues=8, workers=2)
    run_all(pvp, 8)
    check_queues(pvp, 8)
    accounts.share(check_delivered(pvp), len(pvp.sent))
    finish(pvp)


@test("queues-16-trusted")
def sixteen_trusted(bed):
    """The NIC spreads over 16 uplink queues, the guest uses 8 of 16 pairs: two lcores of the switch meet
    in each of these, one with packets in place, one with copies. Uplink queues without a guest queue do
    not starve for one."""
    bed.need_iovtee()
    pvp = Pvp(bed, queues=16, trust=1, frames=traffic(), workers=2)
    pvp.start_nf(queues=8, workers=2)
    run_all(pvp, 8)
    per_queue = check_queues(pvp, 8)
    for i in range(8):
        check(per_queue[i]["copied_unbound"] > 0, f"nothing was copied into queue {i}")
    check_delivered(pvp)
    finish(pvp)


@test("queues-starved")
def starved(bed):
    """A guest that halts now and then with starve=host: bound packets and host ones alternate within a flow, and still go to
    one virtqueue, whatever Tx queue the switch uses (its numbers are one ahead of the guest's)."""
    bed.need_iovtee()
    pvp = Pvp(bed, queues=4, guest_queues=3, trust=0, rxq=1, starve="host", frames=traffic(20000),
              rate=20000, workers=2)
    pvp.start_nf(queues=3, workers=3)
    wait_mapped(pvp, 3)
    pvp.start_source()
    for _ in range(4):
        pvp.nf.cmd("stop")
        time.sleep(0.1)
        pvp.nf.cmd("start")
        time.sleep(0.05)
    pvp.wait_settled()
    check_queues(pvp, 3)
    counters = check_delivered(pvp)
    check(counters["copied_unbound"] > 100, "the guest was not missed")
    check_equal(counters["copied_foreign"], 0, "copied_foreign")
    finish(pvp)


@test("queues-one-fed")
def one_fed(bed):
    """The NIC receives into one queue, the guest has four: one is used, all may be mapped."""
    bed.need_iovtee()
    pvp = Pvp(bed, queues=4, trust=1, frames=traffic(10000), workers=2,
              switch_app=["--disable-rss"])
    pvp.start_nf(queues=4, workers=2)
    run_all(pvp, 4)
    per_queue = pvp.queue_counters()
    check_equal([c["map_reason"] for c in per_queue], [0] * 4, "map_reason")
    accounts.share(per_queue[0], len(pvp.sent))
    finish(pvp)


@test("queues-few-on-switch")
def few_on_switch(bed):
    """The switch uses one queue, the guest two: it is told that nobody polls the other."""
    bed.need_iovtee()
    pvp = Pvp(bed, queues=1, guest_queues=2, nic_queues=2, trust=1, frames=traffic(10000))
    pvp.start_nf(queues=2)
    run_all(pvp, 1)
    accounts.share(check_delivered(pvp), len(pvp.sent))
    check("q1: nobody polls this transmit queue" in pvp.switch.output(), "nothing in the log")
    finish(pvp)


@test("queues-no-rss-rule")
def no_rss_rule(bed):
    """A NIC without the RSS action: one queue is mapped, and the others say why not."""
    bed.need_iovtee()
    pvp = Pvp(bed, queues=5, guest_queues=4, trust=0, rxq=1, frames=traffic(10000), workers=2,
              nic=",flow_rss=0")
    pvp.start_nf(queues=4, workers=2)
    run_all(pvp, 1)
    check_queues(pvp, 1, map_reasons.FEW_QUEUES)
    accounts.share(check_delivered(pvp), len(pvp.sent))
    check("action RSS" in pvp.switch.output(), "nothing in the log")
    finish(pvp)




STRANGER = "02:00:00:00:00:77"


def mixed_traffic():
    """Frames for the guest, and as many flows of frames for somebody else, in turn."""
    both = zip(traffic(FRAMES // 2), flows.frames(FRAMES // 2, 256, mac_bytes(STRANGER), seed=2))
    return [frame for pair in both for frame in pair]


def resize(nf, queues):
    """The NF's driver starts again with so many queue pairs: the others are disabled."""
    for command in ("stop", "port stop 0", f"port config all rxq {queues}",
                    f"port config all txq {queues}", "port start 0", "start"):
        nf.cmd(command)


def check_isolated(pvp):
    """No frame for somebody else was ever written into the guest's memory by the NIC."""
    stats = pvp.switch.xstats(pvp.uplink)
    check_equal(sum(stats[f"iovtee_rx_q{i}_debound_packets"] for i in range(pvp.queues)), 0,
                "debound_packets")
    check(sum(stats[f"iovtee_rx_q{i}_bound_packets"] for i in range(pvp.queues)) > 0,
          "no packet was bound at all")


def resized(bed, nic=""):
    """trust=0: the guest changes the number of its queues under traffic, half of which is for somebody
    else, by RSS over all queues of the NIC. Flows move to other queues and lcores meanwhile, so their frames may
    overtake each other."""
    bed.need_iovtee()
    pvp = Pvp(bed, queues=5, guest_queues=4, trust=0, rxq=1, starve="host", rate=20000,
              frames=mixed_traffic(), workers=2, retry=False, nic=nic)
    pvp.start_nf(queues=4, workers=2)
    pvp.start_source()
    for part, queues in enumerate((1, 3, 2, 4), 1):
        pvp.wait_returned(part * len(pvp.sent) // 10)
        check_isolated(pvp)
        resize(pvp.nf, queues)
        pvp.wait_returned(pvp.returned() + 500)
        reasons = [c["map_reason"] for c in pvp.queue_counters()]
        check_equal(reasons, [0] * queues + [map_reasons.NO_GUEST] * (4 - queues), "map_reason")
    pvp.wait_settled()
    check_isolated(pvp)
    for counters in pvp.queue_counters():
        accounts.check_identity(counters)
    pvp.check_no_faults()
    pvp.nf.quit()
    accounts.check_ended(pvp)
    pcap.check_in_any_order(pvp.end(), pvp.expected())


@test("queues-resized")
def resized_queue_stop(bed):
    resized(bed)


@test("queues-resized-port-restart")
def resized_port_restart(bed):
    """The same with a NIC that must restart for each flush."""
    resized(bed, ",rxq_stop=0,reta_keep=0")


def spread_over_all(pvp):
    """Have the switch set every entry of the RSS table, mapped queues included."""
    port = pvp.switch.port(pvp.uplink)
    for first in range(0, 128, 8):
        entries = ",".join(f"({i},{1 + i % 4})" for i in range(first, first + 8))
        said = pvp.switch.cmd(f"port config {port} rss reta {entries}")
        check("rror" not in said and "ad " not in said, f"the table cannot be set: {said}")
    pvp.wait_returned(pvp.returned() + 500)


def strangers(bed, nic=""):
    """trust=0: all traffic, as fast as it comes, is for somebody else, while the guest comes, changes the
    number of its queues and goes, and the switch sets the RSS table: not one frame is written into the guest's
    memory by the NIC."""
    bed.need_iovtee()
    pvp = Pvp(bed, queues=5, guest_queues=4, trust=0, rxq=1, starve="host",
              generator=f"dst={STRANGER},flows=256", workers=2, retry=False, nic=nic)
    pvp.start_source()
    pvp.start_nf(queues=4, workers=2)
    for queues in (1, 3, 2, 4):
        resize(pvp.nf, queues)
        pvp.wait_returned(pvp.returned() + 500)
        check_equal([c["map_reason"] for c in pvp.queue_counters()][:queues], [0] * queues,
                    "map_reason")
    outstanding = pvp.counters()["outstanding"]
    spread_over_all(pvp)
    pvp.nf.quit()
    stats = pvp.switch.xstats(pvp.uplink)
    check_equal(sum(stats[f"iovtee_rx_q{i}_bound_packets"] for i in range(5)), 0, "bound_packets")
    accounts.check_ended(pvp, order=False)  # flows move to other queues with the table
    pvp.switch.quit()
    return outstanding


@test("queues-strangers")
def strangers_queue_stop(bed):
    check(strangers(bed) > 0, "no buffer was lent")


@test("queues-strangers-port-restart")
def strangers_port_restart(bed):
    """The same with a NIC that must restart for each flush, and spreads over all queues again each time:
    before it has done so nothing is lent, and after that only for frames that have arrived meanwhile, not whole
    rings, of 128 buffers each."""
    lent = strangers(bed, ",rxq_stop=0,reta_keep=0")
    check(lent < 128, f"{lent} buffers were lent")
