# SPDX-License-Identifier: BSD-3-Clause
"""Uplinks over ports of the kernel, TCP through an NF; and over drivers that keep posted buffers: over a queue stop (tap), and
over a port stop (virtio)."""
import os
import socket

from harness import accounts, map_reasons
from harness.errors import check, check_equal
from harness.process import wait_until
from harness.pvp import NF_MAC, QUEUE_SIZE, UPLINK, VHOST, Pvp, mac_bytes
from harness.registry import test
from harness.testpmd import Testpmd
from wire import carry

FRAMES = 100
# By which net_tap is told of frames.
SIGNALS = "holds signals back from a thread that polls"


class TapPvp(Pvp):
    """Frames come from a packet socket on the tap, and nobody looks at what comes back."""

    def __init__(self, bed):
        self.bed, self.socket, self.nf, self._nf_count = bed, bed.path("nf.sock"), None, 0
        self.guest_queues = 1
        self.uplink, self.vhost = UPLINK, VHOST
        self.tap = f"iovtee{os.getpid()}"
        self.switch = Testpmd(
            bed, "switch", [f"{UPLINK},dev(net_tap0,iface={self.tap})",
                            f"{VHOST},iface={self.socket},uplink={UPLINK},trust=1,mac={NF_MAC}"],
            bed.plugins(), eal=["--iova-mode=va"]).ready()
        self.switch.cmd("start")

    def send(self, count):
        frame = mac_bytes(NF_MAC) + mac_bytes("02:00:00:00:00:01") + b"\x88\xb5" + bytes(100)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            for _ in range(count):
                wire.sendto(frame, (self.tap, 0))

    def delivered(self):
        return self.counters()["zero_copy_packets"]


@test("tap-revoked")
def tap_revoked(bed):
    """A guest that leaves in a quiet moment gets every buffer back, also the one that the tap would
    receive the next frame in; and the next guest's frames are zero-copy again."""
    bed.need_iovtee()
    bed.not_under_tsan(SIGNALS)
    pvp = TapPvp(bed)
    for guest in range(2):
        pvp.start_nf()
        wait_until(lambda: pvp.counters()["mapped"], 10, "the guest to be mapped")
        before = pvp.delivered()
        pvp.send(FRAMES)
        wait_until(lambda: pvp.delivered() >= before + FRAMES - QUEUE_SIZE // 4, 10,
                   f"guest {guest}: frames to arrive without a copy")
        # One is for the tap's next frame; the kernel's own frames for all (IPv6) leave others to be lent again.
        check(pvp.counters()["outstanding"] > 0, "the tap holds no buffer")
        pvp.nf.quit()
        check_equal(pvp.counters()["late"], 0, f"guest {guest}: buffers late")
        accounts.check_identity(pvp.counters())
    pvp.switch.quit()


@test("kernel-tcp-tap")
def tcp_tap(bed):
    """The kernel writes into the NF."""
    bed.need_iovtee()
    bed.not_under_tsan(SIGNALS)
    carry(bed, "net_tap{n},iface={interface}")


@test("kernel-tcp-af-xdp")
def tcp_af_xdp(bed):
    """A driver that receives into memory of its own: everything is copied."""
    bed.need_iovtee()
    carry(bed, "net_af_xdp{n},iface={interface}", mapped=False)
class VirtioPvp(Pvp):
    """Frames come from a testpmd that is the virtio port's back end; it makes more than anybody counts."""

    def __init__(self, bed):
        self.bed, self.socket, self.nf, self._nf_count = bed, bed.path("nf.sock"), None, 0
        self.guest_queues = 1
        self.uplink, self.vhost = UPLINK, VHOST
        self.switch = Testpmd(
            bed, "switch", [f"{UPLINK},dev(net_virtio_user0,path={bed.path('wire.sock')},server=1)",
                            f"{VHOST},iface={self.socket},uplink={UPLINK},trust=1,mac={NF_MAC}"],
            bed.plugins(), eal=["--iova-mode=va", "--single-file-segments"])
        self.wire = Testpmd(bed, "wire", [f"net_vhost0,iface={bed.path('wire.sock')},client=1"],
                            app=["--forward-mode=txonly", f"--eth-peer=0,{NF_MAC}"]).ready()
        self.switch.ready().cmd("start")
        self.wire.cmd("start")


@test("virtio-copied")
def virtio_copied(bed):
    """Such a driver would write into the buffers of a guest that has them back: it gets none."""
    bed.need_iovtee()
    pvp = VirtioPvp(bed)
    for guest in range(2):
        pvp.start_nf()
        before = pvp.counters()["copied_packets"]
        wait_until(lambda: pvp.counters()["copied_packets"] > before + FRAMES, 10, f"guest {guest}: frames")
        check_equal(pvp.counters()["map_reason"], map_reasons.DRIVER, "map_reason")
        pvp.nf.quit()
        wait_until(lambda: pvp.counters()["map_reason"] == map_reasons.NO_GUEST, 10, "map_reason to be 'no guest'")
        check_equal(pvp.counters()["late"], 0, f"guest {guest}: buffers late")
        accounts.check_identity(pvp.counters())
    pvp.switch.quit()
