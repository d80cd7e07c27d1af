# SPDX-License-Identifier: BSD-3-Clause
"""Zero-copy transmit: what a guest sends leaves the NIC out of the guest's memory, and comes back to it."""
import time

from harness import accounts, pcap
from harness.capture import to_one_host
from harness.errors import Skip, check, check_equal
from harness.process import wait_until
from harness.pvp import NF_MAC, Pvp, mac_bytes
from harness.registry import test

# Packets in several segments, from the guest's port (2) and to all ports.
SEGMENTS = {"switch_app": ["--tx-offloads=0x8000"],
            "before_start": ["port stop 2", "port config 2 rx_offload scatter on", "port start 2"]}
# Packets a second, which all keep up with, but for moments: what a NIC leaves waiting then is copied. Without
# asking NICs for what they have sent, a quarter of the packets is sent in place.
RATE = 20000
WORTH_IT = 640  # the least frame of an untrusted guest that is sent in two pieces


def sent_by_guest(pvp):
    """The counters of the guest's transmit queue."""
    return {name[6:]: value for name, value in pvp.switch.xstats(pvp.vhost).items() if name.startswith("rx_q0_")}


def check_returned(pvp):
    """All that was borrowed is the guest's again."""
    def odd():
        c = sent_by_guest(pvp)
        return c["borrowed"] != c["returned"] + c["overdue"]
    wait_until(lambda: not odd(), 5, "the guest's packets to come back")
    check_equal(sent_by_guest(pvp)["overdue"], 0, "packets that the guest got back while they were out")


def run(pvp, packed, least):
    """All traffic, and at least so many of the guest's packets in place."""
    pvp.start_nf(packed=packed)
    pvp.run_all()
    pvp.check_no_faults()
    counters = sent_by_guest(pvp)
    check(counters["borrowed"] >= least, f"{counters['borrowed']} of {counters['packets']} packets were sent in "
          f"place, not {least:.0f}")
    check_returned(pvp)
    pvp.nf.quit()
    accounts.check_ended(pvp)


def run_whole(bed, packed, least=0.9, **options):
    pvp = Pvp(bed, trust=1, **options)
    run(pvp, packed, least * len(pvp.sent))
    pcap.check_same(pvp.end(), pvp.expected())


@test("transmit-whole")
def whole(bed):
    """Every packet."""
    run_whole(bed, False, rate=RATE)


@test("transmit-flood")
def flood(bed):
    """A NIC that is slower than the guest holds most of its ring; the rest is copied, and nothing stops."""
    run_whole(bed, False, least=0.5)


@test("transmit-whole-packed")
def whole_packed(bed):
    """The same with a packed ring."""
    run_whole(bed, True, rate=RATE)


@test("transmit-long-ring")
def long_ring(bed):
    """A NIC whose ring is sixteen times the guest's, and whose driver would keep what it has sent until that is
    full: the guest gets its packets back nevertheless."""
    run_whole(bed, False, rate=RATE, switch_app=["--txd=4096"])


# A switch that waits for a NIC, ten seconds at most.
PATIENT = ["set burst tx delay 10 retry 1000000"]
VRING = 256
KEPT = VRING // 8  # entries that are never out


def stalled(bed, packed, switch_app=(), descs=512):
    """The NIC sends nothing for a while, then again. Meanwhile the guest sends on as far as the NIC's ring goes: what is
    out stays within its share of the guest's ring, the rest is copied."""
    pvp = Pvp(bed, trust=1, switch_app=switch_app, before_start=PATIENT)
    pvp.start_nf(packed=packed)
    pvp.emunic("tx_stall")
    pvp.start_source()
    least = min(descs, len(pvp.sent)) - 64
    wait_until(lambda: pvp.returned() >= least, 20, f"{least} frames to be in the NIC's ring")
    time.sleep(0.3)
    counters, nic = sent_by_guest(pvp), pvp.emunic("stats")
    check_equal(nic["tx_device_frames"], 0, "frames sent by a NIC that is stalled")
    out = counters["borrowed"] - counters["returned"]
    check(VRING // 2 <= out <= VRING - KEPT, f"{out} packets are out")
    check(counters["packets"] - out >= least - (VRING - KEPT), "the guest was starved")
    pvp.emunic("tx_resume")
    pvp.wait_settled()
    pvp.check_no_faults()
    check_returned(pvp)
    pvp.nf.quit()
    accounts.check_ended(pvp)
    pcap.check_same(pvp.end(), pvp.expected())


@test("transmit-stalled-nic")
def stalled_nic(bed):
    """A NIC that is stalled for a while: nothing is lost or overtaken."""
    stalled(bed, False)


@test("transmit-stalled-nic-packed")
def stalled_nic_packed(bed):
    """The same with a packed ring."""
    stalled(bed, True)


@test("transmit-stalled-long-ring")
def stalled_long_ring(bed):
    """The same with a NIC's ring of sixteen times the guest's: thousands of packets follow those that are out."""
    stalled(bed, False, ["--txd=4096"], 4096)


@test("transmit-stalled-guest-leaves")
def stalled_guest_leaves(bed):
    """A guest that leaves while a stalled NIC has its packets gets them back, late; its memory stays until the NIC is
    done with it."""
    pvp = Pvp(bed, trust=1, before_start=PATIENT, switch_app=["--txd=4096"])
    nf = pvp.start_nf()
    pvp.emunic("tx_stall")
    pvp.start_source()
    wait_until(lambda: pvp.returned() >= 1000, 20, "1000 frames to be in the NIC's ring")
    pvp.emunic("stop")
    out = sent_by_guest(pvp)["borrowed"] - sent_by_guest(pvp)["returned"]
    check(out >= VRING // 2, f"only {out} packets are out")
    nf.kill()
    wait_until(lambda: sent_by_guest(pvp)["overdue"] > 0, 5, "the guest's packets to be given back")
    counters = sent_by_guest(pvp)
    check_equal(counters["overdue"], counters["borrowed"] - counters["returned"], "packets given back late")
    check(nf.huge.clear() or nf.huge.used() > 0, "the memory that the NIC reads is gone")
    pvp.emunic("tx_resume")
    accounts.check_ended(pvp)
    pvp.start_nf()
    before = pvp.returned()
    pvp.start_source()
    # The switch would insist on what it has for a guest that has gone, and hold its buffers.
    pvp.wait_settled()
    check(pvp.returned() >= before + 1000, "the next guest is not served")
    pvp.nf.quit()
    accounts.check_ended(pvp)
    pvp.switch.quit()


@test("transmit-reflected")
def reflected(bed):
    """What lies in the guest's receive buffers goes back to the wire, and the NIC stalls until there is no other buffer.
    Nothing arrives then, so nothing is sent: the NIC is asked for its buffers nevertheless when it goes on."""
    bed.need_iovtee()
    pvp = Pvp(bed)
    pvp.start_nf()
    for command in ("stop", *PATIENT, f"set portlist {pvp.switch.port(pvp.uplink)}", "start"):
        pvp.switch.cmd(command)
    pvp.emunic("tx_stall")
    pvp.start_source()

    def stuck():
        before = pvp.returned()
        time.sleep(0.2)
        return pvp.returned() == before > 0
    wait_until(stuck, 10, "the NIC to have no more buffers")
    check(pvp.counters()["starved_refills"] > 0 and not pvp.source_done(), "the NIC has buffers left")
    pvp.emunic("tx_resume")
    pvp.wait_settled()
    pvp.check_no_faults()
    check(pvp.counters()["reclaimed"] >= 0.9 * pvp.unicast(), "frames were not in the guest's buffers")
    pvp.nf.quit()
    accounts.check_ended(pvp)
    pcap.check_same(pvp.end(), pvp.sent)


def run_headers(bed, packed):
    """Unicast ones: the others are in no queue of the guest's, and are copied to it, but not from it."""
    pvp = Pvp(bed, queues=2, nic_queues=3, trust=0, rxq=1, rate=RATE, **SEGMENTS)
    run(pvp, packed, sum(len(frame) >= WORTH_IT for frame in pvp.sent) * 0.9)
    copied = sent_by_guest(pvp)["packets"] - sent_by_guest(pvp)["borrowed"]
    check(copied >= sum(len(frame) < WORTH_IT for frame in pvp.sent), f"only {copied} packets were copied")
    for unicast in (True, False):
        def kind(frames, at):
            return [f for f in frames if (not f[at] & 1) == unicast]
        pcap.check_same(kind(pcap.read(pvp.tx_pcap), 6), [pcap.swap_macs(f) for f in kind(pvp.sent, 0)])
    pvp.switch.quit()


@test("transmit-headers")
def headers(bed):
    """trust=0: headers are copied, the rest of large packets is not."""
    run_headers(bed, False)


@test("transmit-headers-packed")
def headers_packed(bed):
    """The same with a packed ring."""
    run_headers(bed, True)


@test("transmit-headers-not-asked-for")
def not_asked_for(bed):
    """trust=0 and a switch that takes no packets in two pieces: all are copied."""
    pvp = Pvp(bed, queues=2, nic_queues=3, trust=0, rxq=1)
    run(pvp, False, 0)
    check_equal(sent_by_guest(pvp)["borrowed"], 0, "packets sent in place")
    pvp.switch.quit()


@test("transmit-off")
def off(bed):
    """tx-zero-copy=off"""
    pvp = Pvp(bed, trust=1, **{"tx-zero-copy": "off"})
    run(pvp, False, 0)
    check_equal(sent_by_guest(pvp)["borrowed"], 0, "packets sent in place")
    pcap.check_same(pvp.end(), pvp.expected())


@test("transmit-other-uplink")
def other_uplink(bed):
    """A guest's packets that leave through another NIC, which does not know its memory, are copied for it."""
    if bed.ports == "vhost":
        raise Skip("net_vhost always copies")
    other, source, out = "net_iovtee_uplink1", bed.path("other.pcap"), bed.path("wire.pcap")
    sent = to_one_host(bed.session.frames(), mac_bytes(NF_MAC))
    pcap.write(source, sent)
    nic = f"net_emunic1,rx_pcap={source},tx_pcap={out},pause=1,start=manual,rate={RATE}"
    # The guest's port and the other uplink forward to each other; the guest's own uplink is idle.
    pvp = Pvp(bed, generator="count=1", extra=[f"{other},dev({nic})"], before_start=["set portlist 2,3"])
    pvp.start_nf()
    _, port = pvp.switch.telemetry.ask("/emunic/list")
    pvp.switch.telemetry.ask("/emunic/start", port)
    wait_until(lambda: pvp.switch.stats(other)["opackets"] >= len(sent), 30, "all frames to return")
    check(sent_by_guest(pvp)["borrowed"] >= 0.9 * len(sent), "packets were not borrowed")
    check_returned(pvp)
    check_equal(pvp.switch.xstats(other)["iommu_faults"], 0, "iommu_faults")
    check_equal(pvp.switch.xstats(other)["iovtee_tx_q0_copy_drops"], 0, "copy_drops")
    pvp.nf.quit()
    accounts.check_ended(pvp)
    pvp.switch.quit()
    pcap.check_same(pcap.read(out), [pcap.swap_macs(frame) for frame in sent])
