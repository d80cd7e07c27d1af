# SPDX-License-Identifier: BSD-3-Clause
"""The cases: a chain of two containers; one killed, one over its memory limit; the commands of the documentation."""
import time

import manual
from chain import Chain, MACS, Replay, shares
from harness import accounts, pcap
from harness.errors import check, check_equal
from harness.process import wait_until
from harness.registry import figure, test
from pvp_container import RATE, ContainerPvp

KILLS = 5
GENERATED = [f"gen=1,frame=400,flows=16,rate=5000,origin={n},dst={mac}" for n, mac in enumerate(MACS)]


@test("chain")
def chain(bed):
    """Real traffic both ways through two containers that are not root's: all intact, what comes from NICs in place."""
    c = Replay(bed)
    c.wait_up()
    for nf in c.nfs:
        nf.check_confined()
    c.run()
    for side, frames in zip(c.sides, c.frames):
        side.check_no_faults()
        received, sent = shares(side, sum(map(pcap.is_unicast, frames)))
        figure(f"chain: {side.nf.name}: {len(frames)} frames, {received:.2%} received and {sent:.2%} sent in place")
    for nf in c.nfs:
        nf.quit()
    c.check_ended()
    c.switch.quit()
    c.check_contents()


def check_others_untouched(c, pids):
    c.switch.daemon.check_alive()
    check_equal([c.switch.daemon.pid, c.nfs[1].pid()], pids, "processes of the switch and the other NF")


def lose_one(c, lose):
    """nf0 ends under traffic by lose(), all else goes on, and so does it when it is started again. Returns seconds
    from that to the first frames."""
    c.wait_up()
    c.start_sources()
    c.wait_through(2000)
    pids = [c.switch.daemon.pid, c.nfs[1].pid()]
    lose(c.nfs[0])
    c.nfs[0].wait_dead()
    check_others_untouched(c, pids)
    wait_until(lambda: c.sides[0].counters()["outstanding"] == 0, 5, "outstanding buffers to be 0")
    accounts.check_identity(c.sides[0].counters())
    before = [side.counters() for side in c.sides]
    c.nfs[0].restart()
    start = time.monotonic()
    c.wait_through(1)
    seconds = time.monotonic() - start
    c.wait_up()
    c.wait_through(2000)
    c.stop_sources()
    for side, then in zip(c.sides, before):
        side.check_no_faults()
        grown = accounts.since(then, side.counters())
        accounts.share(grown, grown["zero_copy_packets"] + grown["copied_packets"])
    check_others_untouched(c, pids)
    return seconds


def end(c):
    for nf in c.nfs:
        nf.kill()
    c.check_ended()
    c.switch.quit()


@test("chain-killed")
def killed(bed):
    """SIGKILL of a container under traffic, several times."""
    c = Chain(bed, GENERATED)
    took = [lose_one(c, lambda nf: nf.podman("kill", "--signal", "KILL", nf.name)) for _ in range(KILLS)]
    figure(f"chain-killed: {KILLS} times; frames pass {min(took):.1f} to {max(took):.1f} s after the restart")
    end(c)


@test("chain-memory-limit")
def memory_limit(bed):
    """A container that takes more memory than it may is killed by the kernel, and that is all that happens."""
    c = Chain(bed, GENERATED, leaking=True)

    def leak(nf):
        nf.leak()
        wait_until(lambda: not nf.alive(), 20, f"{nf.name} to be killed")
        check(nf.killed_for_memory(), f"{nf.name} ended, but not for want of memory: {nf.state()}")
    lose_one(c, leak)
    end(c)


@test("root-connects")
def root_connects(bed):
    """The other way round: the switch serves the socket, which is root's, so the NF is root in its container."""
    pvp = ContainerPvp(bed, rate=RATE)
    nf = pvp.start_nf()
    nf.check_confined()
    pvp.run_all()
    pvp.check_no_faults()
    counters = accounts.check_running(pvp, pvp.unicast())
    figure(f"root-connects: {counters['zero_copy_packets'] / pvp.unicast():.2%} received in place")
    nf.quit()
    accounts.check_ended(pvp)
    pcap.check_same(pvp.end(), pvp.expected())


@test("documentation")
def documentation(bed):
    """The commands of docs/containers.md, as they are there but for the NIC."""
    manual.run(bed)
