# SPDX-License-Identifier: BSD-3-Clause
"""Ports that come and go under traffic, and a switch that is restarted: the network function does not notice."""
from bed import RulePvp
from harness import accounts
from harness.errors import check, check_equal
from harness.process import wait_until
from harness.registry import cycles, test

FRAMES = 500  # that have to come back after each change
CYCLES, RESTARTS = 100, 20
SECONDS = 280
BAD = ("iommu_faults", "tx_corrupt", "tx_duplicate")
FLOWS = ("in_port=uplink,actions=guest", "in_port=guest,actions=uplink")


def wire(ovs):
    ovs.flows("br0", *FLOWS)


class LifePvp(RulePvp):
    """The network function serves the socket, and the switch connects: so it outlives the switch."""

    def __init__(self, bed, **config):
        super().__init__(bed, wire, generator="frame=1000,flows=16", client=True, **config)

    def _start_switch(self, uplink, vhost):
        self.spawn_nf()
        ovs = super()._start_switch(uplink, vhost)
        self.nf_ready()
        return ovs

    def new_origin(self):
        """Devargs of an uplink whose frames are told from those of the one before."""
        self._switches += 1
        return self._devargs()[0]

    def nic(self):
        return self.emunic("stats")

    def check_traffic(self):
        """Frames come back again, intact, and nearly all without a copy."""
        before, counted = self.nic(), self.counters()
        wait_until(lambda: self.nic()["tx_verified"] >= before["tx_verified"] + FRAMES, 20,
                   f"{FRAMES} frames to return")
        wait_until(lambda: self.counters()["zero_copy_packets"] - counted["zero_copy_packets"] >= FRAMES, 5,
                   f"{FRAMES} frames without a copy")
        grown = accounts.since(counted, self.counters())
        accounts.share(grown, grown["zero_copy_packets"] + grown["copied_packets"])
        self.check_nic()

    def check_nic(self):
        now = self.nic()
        check_equal({name: now[name] for name in BAD}, dict.fromkeys(BAD, 0), "what the NIC has seen")

    def remove(self, *ports):
        for port in ports:
            if port == "uplink":
                self.check_nic()
            self.switch.del_port(port)

    def add(self, *ports):
        for port in ports:
            if port == "uplink":
                self.switch.add_port("uplink", self.new_origin(), self.queues)
            else:
                self.switch.add_port("guest", self._devargs()[1], self.guest_queues)
        wire(self.switch)
        if "uplink" in ports:
            self.start_source()

    def held(self):
        """What a leak would show in."""
        ovs = self.switch
        return {"hugepages": ovs.huge.used(), "mempools": sorted(ovs.telemetry.ask("/mempool/list")),
                "descriptors": ovs.daemon.fd_count(), "mappings": ovs.daemon.map_count()}

    def finish(self):
        self.check_nic()
        check_equal(self.nf.alive(), True, "the network function runs")
        self.nf.quit()
        accounts.check_ended(self, order=False)
        self.switch.quit()


def mempool_kinds(held):
    """Names without the serial numbers that new ones get."""
    return {**held, "mempools": len(held["mempools"])}


def run_cycles(bed, *ports):
    pvp = LifePvp(bed)
    pvp.start_source()
    pvp.check_traffic()
    start = None
    for number in cycles("cycles", CYCLES):
        pvp.remove(*ports)
        pvp.add(*reversed(ports))
        pvp.check_traffic()
        if number == 4:  # what is kept for the next time is there
            start = mempool_kinds(pvp.held())
    end = mempool_kinds(pvp.held())
    for what in ("hugepages", "mempools", "descriptors"):
        check(end[what] <= start[what], f"{what}: {start[what]} after 5 cycles, {end[what]} after {CYCLES}")
    check(end["mappings"] <= start["mappings"] + 8, f"mappings: {start['mappings']} after 5 cycles, {end['mappings']} at the end")
    pvp.finish()


@test("ovs-cycle-pair", SECONDS)
def cycle_pair(bed):
    """Both ports of a mapped pair are deleted and added, 100 times, under traffic."""
    run_cycles(bed, "guest", "uplink")


@test("ovs-cycle-guest", SECONDS)
def cycle_guest(bed):
    """The guest's port alone: the NIC goes on receiving meanwhile."""
    run_cycles(bed, "guest")


@test("ovs-cycle-uplink", SECONDS)
def cycle_uplink(bed):
    """The uplink alone: the guest stays connected."""
    run_cycles(bed, "uplink")


@test("ovs-restart", SECONDS)
def restart(bed):
    """ovs-vswitchd ends, or is killed, and starts again, 20 times: each time all is zero-copy again."""
    pvp = LifePvp(bed)
    pvp.start_source()
    pvp.check_traffic()
    ovs = pvp.switch
    first = None
    for number in cycles("restarts", RESTARTS):
        pvp.check_nic()
        if number % 2:
            ovs.kill()
        else:
            ovs.quit(cleanup=False)
        ovs.vsctl("--no-wait", "set", "interface", "uplink", f'options:dpdk-devargs="{pvp.new_origin()}"')
        ovs.start()
        ovs.vsctl("set", "Open_vSwitch", ".", f"external_ids:start={number}")  # returns when all is set up
        for port in ("uplink", "guest"):
            ovs.check_port(port)
        wire(ovs)
        pvp.start_source()
        pvp.check_traffic()
        first = first or mempool_kinds(pvp.held())
    last = mempool_kinds(pvp.held())
    for what in ("hugepages", "mempools"):
        check_equal(last[what], first[what], f"{what} after {RESTARTS} restarts")
    pvp.finish()
