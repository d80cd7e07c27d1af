# SPDX-License-Identifier: BSD-3-Clause
"""What a guest sends of itself, out of a capture: frames of all sizes, in one descriptor and in many."""
from harness import pcap
from harness.errors import check, check_equal
from harness.process import wait_until
from harness.pvp import QUEUE_SIZE, Pvp
from harness.registry import test
from harness.testpmd import Testpmd

LONGEST = 9014


def frames():
    """Each length from the shortest to the longest by steps, each byte telling frame and place."""
    lengths = list(range(60, 1515, 7)) + list(range(1515, LONGEST, 61)) + [LONGEST, 60, LONGEST]
    return [bytes((i * 7 + at * 13 + (at >> 8)) & 0xFF for at in range(length))
            for i, length in enumerate(lengths)]


def send_all(bed, app):
    """Returns the vhost port's extended statistics; all frames have been compared."""
    sent, source, out = frames(), bed.path("guest.pcap"), bed.path("wire.pcap")
    pcap.write(source, sent)
    pvp = Pvp(bed, generator=f"count=1,max_frame=9728,tx_pcap={out}", trust=1)
    guest = Testpmd(
        bed, "guest", [f"net_pcap0,rx_pcap={source},tx_pcap={bed.path('ignored.pcap')}",
                       f"net_virtio_user0,path={pvp.socket},queue_size={QUEUE_SIZE}"],
        eal=["--single-file-segments"],
        app=[f"--txd={QUEUE_SIZE}", f"--rxd={QUEUE_SIZE}", *app]).ready()
    guest.cmd("set fwd io retry")
    guest.cmd("set burst tx delay 10 retry 100000")
    guest.cmd("start")
    wait_until(lambda: pvp.returned() >= len(sent), 30, f"{len(sent)} frames to leave the switch")
    pvp.check_no_faults()
    counters = pvp.switch.xstats(pvp.vhost)
    guest.quit()
    pvp.switch.quit()
    pcap.check_same(pcap.read(out), sent)
    if bed.ports == "iovtee":
        check_equal(counters["rx_q0_packets"], len(sent), "rx_q0_packets")
        for name in ("no_mbuf", "too_short", "too_big", "ring_errors"):
            check_equal(counters["rx_q0_" + name], 0, name)
    return counters, sent


@test("guest-sends-jumbo")
def jumbo(bed):
    """One descriptor each, up to more than four of the switch's mbufs long."""
    counters, sent = send_all(bed, ["--mbuf-size=10240"])
    if bed.ports == "iovtee":
        longer = sum(len(frame) > 2048 for frame in sent)
        check(longer <= counters["rx_q0_chained"] <= longer + 1,
              f"{counters['rx_q0_chained']} frames took the slow path, {longer} had to")


@test("guest-sends-chains")
def chains(bed):
    """Descriptor chains: the guest's own mbufs are short, too."""
    counters, sent = send_all(bed, [])
    if bed.ports == "iovtee":
        check(counters["rx_q0_chained"] >= sum(len(frame) > 2048 for frame in sent),
              f"only {counters['rx_q0_chained']} frames came in chains")
