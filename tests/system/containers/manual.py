# SPDX-License-Identifier: BSD-3-Clause
"""docs/containers.md, carried out: its commands as they are, in a private Open vSwitch and private storage of podman."""
import os
import re
import signal
import subprocess
import time

from harness import accounts, pcap
from harness.capture import to_one_host
from harness.errors import Failure, check_equal
from harness.linux import mount
from harness.ovs import Ovs
from harness.process import wait_until
from harness.pvp import NF_MAC, mac_bytes
from harness.registry import figure
from nf import SETTLE
from podman import Podman

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
PAGE = os.path.join(ROOT, "docs/containers.md")
RATE = 5000
NIC = "0000:00:10.0"
FOLDER = "/run/nf"


def commands():
    with open(PAGE, encoding="utf-8") as page:
        return "\n".join(re.findall(r"^```\n(.*?)^```$", page.read(), re.MULTILINE | re.DOTALL))


class Manual(Ovs):
    """An OVS without a bridge, which the page makes."""

    def run_page(self, podman, nic):
        os.makedirs(FOLDER, exist_ok=True)
        mount("tmpfs", FOLDER, "mode=755")
        # There may be two CPUs only, of which the switch polls on one: a thread that is bound to that may wait for long.
        script = (commands().replace(NIC, nic).replace("podman ", f"podman {' '.join(podman.options)} ")
                  .replace("dpdk-testpmd -l 0-1", "dpdk-testpmd --lcores '0@(0,1),1@(0,1)'"))
        done = subprocess.run(["sh", "-eux", "-c", script], cwd=ROOT, env={**os.environ, **self.env},
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise Failure(f"the page's commands: {done.stderr.strip()}")


def run(bed):
    podman = Podman(bed)
    sent = to_one_host(bed.session.frames(), mac_bytes(NF_MAC))
    pcap.write(bed.path("in.pcap"), sent)
    ovs = Manual(bed, bed.plugins())
    ovs.vsctl("del-br", "br0")
    ovs.run_page(podman, f"net_emunic0,rx_pcap=in.pcap,tx_pcap=out.pcap,pause=1,start=manual,rate={RATE}")
    vhost, uplink = ovs.port("net_iovtee_vhost0"), ovs.port("net_iovtee_uplink0")

    def counters():
        queue = ovs.telemetry.ask("/iovtee/queue", vhost, 0)
        return {name[6:]: value for name, value in queue.items() if name.startswith("tx_q0_")}
    wait_until(lambda: counters()["mapped"], 20, "the NF to be mapped")
    time.sleep(SETTLE)
    nic = min(ovs.telemetry.ask("/emunic/list"))
    ovs.telemetry.ask("/emunic/start", nic)
    wait_until(lambda: ovs.telemetry.ask("/ethdev/stats", uplink)["opackets"] >= len(sent), 40, "all frames to return")
    accounts.check_identity(counters())
    accounts.share(counters(), sum(map(pcap.is_unicast, sent)))
    check_equal(ovs.telemetry.ask("/ethdev/xstats", uplink)["iommu_faults"], 0, "iommu_faults")
    figure(f"documentation: {len(sent)} frames, {counters()['zero_copy_packets']} in place")
    os.kill(podman.state("nf0")["Pid"], signal.SIGKILL)
    wait_until(lambda: counters()["outstanding"] == 0, 5, "outstanding buffers to be 0")
    ovs.quit()
    check_equal(pcap.check_flows_in_order(pcap.read(bed.path("out.pcap")), [pcap.swap_macs(f) for f in sent]), 0,
                "frames lost")
