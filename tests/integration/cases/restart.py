# SPDX-License-Identifier: BSD-3-Clause
"""Guests that stop and start again under traffic: what comes back is intact, in order and not
twice; only what was inside the guest when it stopped may be missing."""
from harness import accounts, pcap
from harness.errors import check
from harness.pvp import QUEUE_SIZE, Pvp
from harness.registry import test

RATE = 20000
ROUNDS = 4
# Received by the guest but not yet sent on (one burst, and both rings), once a restart.
MOST_LOST = 2 * QUEUE_SIZE + 64


def finish(pvp, restarts):
    pvp.wait_settled()
    accounts_after(pvp)
    pvp.nf.quit()
    accounts.check_ended(pvp)
    lost = pcap.check_in_order(pvp.end(), pvp.expected())
    check(lost <= restarts * MOST_LOST,
          f"{lost} frames lost in {restarts} restarts, more than {restarts * MOST_LOST}")


def accounts_after(pvp):
    """After the last restart the path is zero-copy again."""
    if pvp.bed.ports == "iovtee":
        counters = pvp.counters()
        check(counters["mapped"] == 1, f"not mapped again, map_reason {counters['map_reason']}")
        accounts.check_identity(counters)


def zero_copy_since(pvp, action):
    """Have action() pass traffic; of what arrived meanwhile, nearly all was zero-copy."""
    if pvp.bed.ports == "vhost":
        action()
        return
    before = pvp.counters()
    action()
    grown = accounts.since(before, pvp.counters())
    accounts.share(grown, grown["zero_copy_packets"] + grown["copied_packets"])


def pass_some(pvp, share):
    """Wait until this share of the input has come back."""
    pvp.wait_returned(int(share * len(pvp.sent)))


def restart_rounds(bed, restart):
    pvp = Pvp(bed, rate=RATE, retry=bed.ports == "vhost")
    pvp.start_nf()
    pvp.start_source()
    for i in range(ROUNDS):
        pass_some(pvp, (2 * i + 1) / (2 * ROUNDS + 2))
        restart(pvp)
        zero_copy_since(pvp, lambda: pass_some(pvp, (2 * i + 2) / (2 * ROUNDS + 2)))
    finish(pvp, ROUNDS)


@test("nf-stop-start")
def stop_start(bed):
    """testpmd stop and start: the device goes on existing, nobody polls it."""
    def restart(pvp):
        pvp.nf.cmd("stop")
        pvp.nf.cmd("start")
    restart_rounds(bed, restart)


@test("nf-port-restart")
def port_restart(bed):
    """port stop and port start: the virtio device is reset (GET_VRING_BASE) and set up again."""
    def restart(pvp):
        for command in ("stop", "port stop 0", "port start 0", "start"):
            pvp.nf.cmd(command)
    restart_rounds(bed, restart)


@test("nf-new-process")
def new_process(bed):
    """The NF ends, another process takes its place."""
    bed.need_iovtee()  # net_vhost drops everything meanwhile

    def restart(pvp):
        pvp.nf.quit()
        pvp.start_nf()
    restart_rounds(bed, restart)


@test("switch-port-restart")
def switch_port_restart(bed):
    """The switch stops and starts the uplink and the vhost port; the guest stays."""
    bed.need_iovtee()

    def restart(pvp):
        for command in ("stop", "port stop all", "port start all", "start"):
            pvp.switch.cmd(command)
    restart_rounds(bed, restart)


@test("switch-port-closed")
def switch_port_closed(bed):
    """The switch closes the vhost port of a connected guest: it lets go of the guest's memory."""
    bed.need_iovtee()
    pvp = Pvp(bed, rate=RATE)
    pvp.start_nf()
    pvp.start_source()
    pvp.wait_returned(RATE // 10)
    guest = pvp.nf.shared_files()
    check(guest & pvp.switch.shared_files(), "the guest's memory is not mapped to begin with")
    port = pvp.switch.telemetry.ports()[pvp.vhost]
    for command in ("stop", "port stop all", f"port close {port}"):
        pvp.switch.cmd(command)
    left = guest & pvp.switch.shared_files()
    check(not left, f"the switch has the closed port's guest mapped: {left}")
