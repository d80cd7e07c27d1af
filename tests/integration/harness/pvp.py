# SPDX-License-Identifier: BSD-3-Clause
"""The test bed of the data path: capture -> NIC -> switch -> guest -> switch -> NIC -> capture.

The switch and the network function (NF) are two stock testpmd processes; only the switch's ports
are ours."""
import time

from . import pcap
from .capture import to_one_host
from .errors import check, check_equal
from .process import wait_until
from .testpmd import Testpmd

NF_MAC = "52:54:00:00:00:01"
NIC, UPLINK, VHOST = "net_emunic0", "net_iovtee_uplink0", "net_iovtee_vhost0"
QUEUE_SIZE = 256


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


class Pvp:
    """Traffic is given frames or the recorded ones, sent once, or that of the NIC's endless generator.

    queues are those that the switch uses, guest_queues those of the guest's port and nic_queues those
    that the NIC has (as many if not given); workers are the switch's polling lcores; nic and switch_app
    are more devargs of the NIC and options of the switch, eal more arguments for it, before_start commands to it; rate is in packets a
    second, 0: as fast as the NIC can; retry: the switch insists when a port does not take a frame; client:
    the guest listens; extra: devargs of more ports. Devargs of the vhost port are given as keywords:
    trust=0, starve="host", ..."""

    client = False

    def __init__(self, bed, queues=1, guest_queues=None, nic_queues=None, rate=0, generator=None, retry=True,
                 eal=(), client=False, extra=(), frames=None, workers=1, nic="", switch_app=(), before_start=(), **vhost):
        self.bed = bed
        self.guest_queues = guest_queues or queues
        self.workers = workers
        self.switch_app = switch_app
        self.before_start = before_start
        self.retry = retry
        self.eal = eal
        self.client = client
        self.extra = extra
        self.queues = queues
        self.nic_queues = nic_queues or queues
        self.socket = bed.path("nf.sock")
        self.nf = None
        self._nf_count = 0
        self._switches = 0
        if generator is None:
            self.tx_pcap, rx_pcap = bed.path("out.pcap"), bed.path("in.pcap")
            self.sent = frames or to_one_host(bed.session.frames(), mac_bytes(NF_MAC))
            pcap.write(rx_pcap, self.sent)
            source = f"rx_pcap={rx_pcap},tx_pcap={self.tx_pcap}"
        else:
            source = f"gen=1,dst={NF_MAC},{generator}"
        self._source = f"{source},pause=1,start=manual{f',rate={rate}' if rate else ''}{nic}"
        self._vhost_options = {"trust": 1, "starve": "nic", "state": bed.path("state"), **vhost}
        if self._vhost_options["trust"]:
            self._vhost_options.setdefault("tx-zero-copy", "whole")
        self.switch = self._start_switch(*self._devargs())

    def _devargs(self):
        """Devargs of the port on the NIC's side, and of the one on the guest's."""
        source, vhost = self._source, self._vhost_options
        if self._switches > 0:
            source += f",origin={self._switches}"
        nic = f"{NIC},rxq={self.nic_queues},txq={self.queues},{source}"
        guest = f"iface={self.socket}"
        if self.guest_queues != 1:
            guest += f",queues={self.guest_queues}"
        if self.client:
            guest += ",client=1"
        if self.bed.ports == "vhost":
            self.uplink, self.vhost = NIC, "net_vhost0"
            return nic, f"net_vhost0,{guest}"
        self.uplink, self.vhost = UPLINK, VHOST
        options = ",".join(f"{key}={value}" for key, value in vhost.items())
        return f"{UPLINK},dev({nic})", f"{VHOST},{guest},uplink={UPLINK},mac={NF_MAC},{options}"

    def next_switch(self):
        """Start one in the place of a switch that was killed. Its frames are told from the other's."""
        self._switches += 1
        self.switch = self._start_switch(*self._devargs())

    def _start_switch(self, uplink, vhost):
        name = f"switch{self._switches or ''}"
        switch = Testpmd(self.bed, name, [uplink, vhost, *self.extra], self.bed.plugins(), eal=self.eal,
                         app=[f"--rxq={self.queues}", f"--txq={self.queues}", *self.switch_app],
                         workers=self.workers).ready()
        if self.retry:
            switch.cmd("set fwd io retry")
            # Lcores that share CPUs wait for each other.
            switch.cmd(f"set burst tx delay 10 retry {100000 if self.workers > 1 else 10000}")
        for command in self.before_start:
            switch.cmd(command)
        switch.cmd("start")
        return switch

    def start_nf(self, mode="macswap retry", **options):
        self.spawn_nf(**options)
        return self.nf_ready(mode)

    def spawn_nf(self, queues=1, queue_size=QUEUE_SIZE, packed=False, app=(), workers=1):
        """A guest that listens is ready when the switch has connected."""
        name = f"nf{self._nf_count}"
        self._nf_count += 1
        self.nf = Testpmd(
            self.bed, name, [f"net_virtio_user0,path={self.socket},queues={queues},"
                             f"queue_size={queue_size},mac={NF_MAC},packed_vq={packed:d}{',server=1' * self.client}"],
            eal=["--single-file-segments"],
            # What came before "start" is traffic too: testpmd would throw it away.
            app=["--no-flush-rx", f"--rxq={queues}", f"--txq={queues}", f"--rxd={queue_size}",
                 f"--txd={queue_size}", *app], workers=workers)

    def nf_ready(self, mode="macswap retry"):
        self.nf.ready()
        self.nf.cmd(f"set fwd {mode}")
        self.nf.cmd("set burst tx delay 10 retry 100000")
        self.nf.cmd("start")
        return self.nf

    # The traffic source is the emulated NIC's, driven over telemetry.

    def emunic(self, command):
        return self.switch.telemetry.ask(f"/emunic/{command}", self.nic_port())

    def nic_port(self):
        """The NIC's: one that a test has besides is made later."""
        return min(self.switch.telemetry.ask("/emunic/list"))

    def start_source(self):
        self.emunic("start")

    def source_done(self):
        return bool(self.emunic("done")["done"])

    def returned(self):
        """Frames that the switch has sent out of the uplink."""
        return self.switch.stats(self.uplink)["opackets"]

    def _all_counts(self):
        counts = [self.switch.stats(port) for port in (self.uplink, self.vhost)]
        if self.nf and self.nf.alive():
            counts.append(self.nf.stats("net_virtio_user0"))
        return [{k: c[k] for k in ("ipackets", "opackets")} for c in counts]

    def wait_returned(self, least, seconds=60):
        wait_until(lambda: self.returned() >= least, seconds, f"{least} frames to return")

    def wait_settled(self, seconds=60):
        """Wait until the source is exhausted and no counter moves any more."""
        end = time.monotonic() + seconds
        wait_until(self.source_done, seconds, f"the source to be done ({self.returned()} of "
                   f"{len(self.sent)} frames returned)")
        last, since = None, time.monotonic()
        while self.returned() < len(self.sent):
            counts = self._all_counts()
            if counts != last:
                last, since = counts, time.monotonic()
            elif time.monotonic() - since > 0.5:
                return
            check(time.monotonic() < end, f"counters still move after {seconds} s")
            time.sleep(0.05)
        time.sleep(0.1)

    def run_all(self):
        self.start_source()
        self.wait_settled()

    # Verdicts.

    def expected(self):
        return [pcap.swap_macs(frame) for frame in self.sent]

    def end(self):
        """End both processes the regular way; return what came back."""
        if self.nf and self.nf.alive():
            self.nf.quit()
        self.switch.quit()
        return pcap.read(self.tx_pcap)

    def unicast(self):
        return sum(map(pcap.is_unicast, self.sent))

    def queue_counters(self):
        """Extended statistics of the vhost port's Tx queues, by queue."""
        port = self.switch.port(self.vhost)
        queues = [self.switch.telemetry.ask("/iovtee/queue", port, i)
                  for i in range(self.guest_queues)]
        return [{name.split("_", 2)[2]: value for name, value in counters.items()
                 if name.startswith("tx_")} for counters in queues]

    def counters(self):
        """The same, summed over its queues."""
        total = {}
        for queue in self.queue_counters():
            for key, value in queue.items():
                total[key] = total.get(key, 0) + value
        return total

    def check_no_faults(self, order=True):
        for port in (self.uplink,):
            stats = self.switch.xstats(port)
            check("iommu_faults" in stats, f"{port} has no iommu_faults counter")
            check_equal(stats["iommu_faults"], 0, "iommu_faults")
            for name in ("tx_corrupt", *(["tx_out_of_order"] if order else [])):
                check_equal(stats.get(name, 0), 0, name)
