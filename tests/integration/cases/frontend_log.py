# SPDX-License-Identifier: BSD-3-Clause
"""Offloads while the guest is migrated: whatever they write into its memory, each page is marked when the guest
sees the buffer (tests/frontend/dirty.c). Beside cases/frontend_life.py, which has plain packets."""
from cases.frontend_life import ANY, BOUND, RING, each_ring, layouts
from cases.offload import (QUEUE_SIZE, TAG, checksum_commands, configure, endless_switch, forward, large_packets,
                           small_packets, tx_counters)
from harness import accounts
from harness.errors import check
from harness.frontend import Frontend, FrontendPvp
from harness.process import wait_until
from harness.registry import test
from harness.testpmd import Testpmd

PACKETS = 2000


def while_logged(guest, counters, wanted):
    """Log until the wanted counters have grown by so many packets. Returns what all have grown by."""
    before = counters()
    guest.cmd("log")
    wait_until(lambda: all(counters()[name] - before[name] >= PACKETS for name in wanted), 10,
               f"{PACKETS} packets that are {' and '.join(wanted)}")
    grown = accounts.since(before, counters())
    wait_until(lambda: guest.stats()["log_checked"] >= PACKETS, 10, f"{guest.name} to look at {PACKETS} pages")
    guest.check_marked(PACKETS)
    guest.cmd("log", on=0)
    return grown


@each_ring("dirty-log-headers")
def headers(bed, ring):
    """Checksums, completed where the NIC has written the packet; and VLAN tags, put in while it is copied."""
    bed.need_iovtee()
    # These forwarding modes rewrite headers, and the guest looks whether what it has sent stays as it is.
    pvp = FrontendPvp(bed, retry=False, rate=100000, **{"tx-zero-copy": "payload"})
    pvp.setup(format=ring, size=RING[ring], **BOUND)
    pvp.attach()
    pvp.guest.up()
    before, port = pvp.nic(), pvp.switch.port(pvp.vhost)
    forward(pvp.switch, port, "csum", checksum_commands(port))
    pvp.start_source()
    grown = while_logged(pvp.guest, pvp.counters, ["csum_in_software"])
    accounts.share(grown, grown["zero_copy_packets"] + grown["copied_packets"])
    forward(pvp.switch, port, "macswap", [f"tx_vlan set {port} {TAG}"])
    while_logged(pvp.guest, pvp.counters, ["copied_offload"])
    pvp.guest.stop()
    pvp.check_nic(before, PACKETS, lost=1 << 60)
    pvp.check_accounts()
    pvp.guest.cmd("frozen")
    pvp.guest.kill()
    pvp.switch.quit()


def log_large(bed, ring, socket, switch, tso):
    """Packets that are cut for the guest, or by it, into buffers that are too small for most of them."""
    guest = Frontend(bed)
    guest.cmd("setup", format=ring, size=RING[ring], layouts=layouts(bed, ring), guest_csum=tso, guest_tso=tso, **ANY)
    guest.attach(socket)
    guest.up()
    while_logged(guest, lambda: tx_counters(switch), ["gso_packets" if tso else "segmented_packets"])
    stats = guest.stats()
    check(stats["merged"] > PACKETS / 2, f"only {stats['merged']} packets were in several buffers")
    check((stats["large"] > 0) == bool(tso), f"{stats['large']} packets were left to the guest to cut")
    guest.stop()
    guest.cmd("frozen")
    guest.kill()


@each_ring("dirty-log-large")
def large(bed, ring):
    """Large packets that the switch asks to be cut."""
    switch, socket = endless_switch(bed, large_packets(1001, 3000, 9001) + small_packets())
    for tso in (0, 1):
        log_large(bed, ring, socket, switch, tso)
    switch.quit()


@test("frontend-dirty-log-merged")
def merged(bed):
    """Large packets that another port has received merged (a virtio port, here)."""
    first, first_socket = endless_switch(bed, large_packets(1001, 3000, 9001), "first")
    socket = bed.path("second.sock")
    second = Testpmd(bed, "second", [f"net_virtio_user0,path={first_socket},queue_size={QUEUE_SIZE}",
                                     f"net_iovtee_vhost0,iface={socket}"], bed.plugins(),
                     eal=["--single-file-segments", "--iova-mode=va"],
                     app=[f"--rxd={QUEUE_SIZE}", f"--txd={QUEUE_SIZE}"]).ready()
    configure(second, 0, [f"port config 0 rx_offload {name} on" for name in ("tcp_cksum", "udp_cksum", "tcp_lro")])
    second.cmd("set fwd io retry")
    second.cmd("start")
    for ring in RING:
        for tso in (0, 1):
            log_large(bed, ring, socket, second, tso)
    second.quit()
    first.quit()
