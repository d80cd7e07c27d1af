# SPDX-License-Identifier: BSD-3-Clause
"""Surroundings that do not fit: another DPDK, no root, little memory, a guest of small buffers."""
import os
import shutil
import subprocess

from harness import accounts, hugepages, pcap
from harness.errors import check, check_equal
from harness.process import Process, wait_until
from harness.pvp import Pvp
from harness.registry import test
from harness.testpmd import BINARY, Testpmd, eal_args, lcore_args, memory_args, prompted, runtime_dir

NOBODY = "65534"
OTHER_ABI = "99"
MULTI_SEGS = 1 << 15  # RTE_ETH_TX_OFFLOAD_MULTI_SEGS
MOST_LOST = 0.02  # a copy finds no buffer while the machine keeps the guest waiting


def build_other_eal(bed):
    """A library that passes for the EAL of another DPDK."""
    source, library = bed.path("eal.c"), bed.path(f"librte_eal.so.{OTHER_ABI}")
    with open(source, "w") as f:
        f.write("int another_dpdk;\n")
    subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{os.path.basename(library)}",
                    "-o", library, source], check=True, timeout=30)
    return library


@test("other-dpdk")
def other_dpdk(bed):
    """With another DPDK in the process the plugin names both versions and registers no driver."""
    bed.need_iovtee()
    library = build_other_eal(bed)
    own = os.path.basename(os.path.realpath("/usr/lib/x86_64-linux-gnu/librte_eal.so")).rpartition(".")[0]
    vdevs = ["net_iovtee_uplink0,dev(net_emunic0)",
             f"net_iovtee_vhost0,iface={bed.path('nf.sock')}"]
    preload = f"{bed.sanitizer_env('switch')['LD_PRELOAD']}:{library}"
    switch = Testpmd(bed, "switch", vdevs, bed.plugins(), env={"LD_PRELOAD": preload})
    wait_until(lambda: prompted(switch.output()) or not switch.alive(), 30, "testpmd")
    lines = [line for line in switch.output().splitlines()
             if "iovtee" in line.lower() and os.path.basename(library) in line]
    check(lines, f"no message names {os.path.basename(library)}")
    check(own in lines[0], f"{lines[0]} does not name {own}")
    if switch.alive():
        ports = switch.telemetry.ports()
        check(not any(name.startswith("net_iovtee") for name in ports), f"ports {ports}")
        switch.ready().quit()
    else:
        check(switch.wait_exit(1) > 0, f"testpmd ended with status {switch.returncode}")
    check(not os.path.exists(bed.path("nf.sock")), "the socket is left behind")


def readable_plugins(bed):
    """Copies that nobody can read, wherever the build folder is."""
    folder = bed.path("plugins")
    os.makedirs(folder, exist_ok=True)
    return [shutil.copy(os.path.realpath(plugin), folder) for plugin in bed.plugins()]


def as_nobody(bed, name, vdevs):
    runtime = runtime_dir(bed, name)
    os.chown(runtime, int(NOBODY), int(NOBODY))
    argv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", BINARY,
            *lcore_args(), *memory_args(None), *bed.session.sanitizer.eal_args, *eal_args(name, readable_plugins(bed))]
    for vdev in vdevs:
        argv += ["--vdev", vdev]
    process = Process(bed, name, argv + ["--", "-i", "--total-num-mbufs=4096"],
                      {"RUNTIME_DIRECTORY": runtime, **bed.session.sanitizer.env(os.path.join(runtime, name))})
    wait_until(lambda: prompted(process.output()), 30, "testpmd")
    process.popen.stdin.write(b"show port summary all\nquit\n")
    process.popen.stdin.flush()
    check_equal(process.wait_exit(20), 0, f"exit status of {name}")
    return process.output()


@test("no-root")
def no_root(bed):
    """Without root: a folder that may not be written is refused by name, one that may be works."""
    bed.need_iovtee()
    bed.not_under_tsan("does not start in setpriv")
    said = as_nobody(bed, "refused", [f"net_iovtee_vhost0,iface={bed.path('nf.sock')}"])
    check(bed.path("nf.sock") in said and "ermission denied" in said,
          "no message about the folder that cannot be written")
    folder = bed.path("nobody")
    os.mkdir(folder)
    os.chown(folder, int(NOBODY), int(NOBODY))
    said = as_nobody(bed, "allowed", ["net_iovtee_uplink0,dev(net_emunic0)",
                                      f"net_iovtee_vhost0,iface={folder}/nf.sock,"
                                      "uplink=net_iovtee_uplink0,trust=1"])
    for name in ("net_iovtee_uplink0", "net_iovtee_vhost0"):
        # In the table of ports: a vhost port without a guest is down.
        check(any(f" {name} " in line and "Gbps" in line for line in said.splitlines()),
              f"{name} does not work without root")
    check_equal(os.listdir(folder), [], "the socket's folder")


@test("little-memory")
def little_memory(bed):
    """With too few hugepages the ports either work or say so; they never crash."""
    bed.need_iovtee()
    hugepages.ensure(256)
    refused = 0
    for megabytes in (4, 8, 12, 16, 20, 24, 32, 64):
        name = f"with{megabytes}"
        switch = Testpmd(
            bed, name, ["net_iovtee_uplink0,dev(net_emunic0)",
                        f"net_iovtee_vhost0,iface={bed.path('nf.sock')},uplink=net_iovtee_uplink0,"
                        "trust=1"], bed.plugins(), huge_mb=megabytes,
            app=["--total-num-mbufs=1024", "--mbcache=32"])
        done = f"{name} to start or end"
        wait_until(lambda: prompted(switch.output()) or not switch.alive(), 30, done)
        if switch.alive():
            switch.ready()
            switch.quit()
        else:
            refused += 1
            status = switch.wait_exit(1)
            check(status > 0, f"with {megabytes} MB the switch ended with status {status}")
            check("memory" in switch.output(), f"with {megabytes} MB nothing is said of memory")
        check(not os.path.exists(bed.path("nf.sock")), f"socket left behind with {megabytes} MB")
    check(refused > 0, "every size was enough: the test tries too much memory")


class LimitedPvp(Pvp):
    """The uplink's mbufs are smaller than the application's."""

    def _devargs(self):
        uplink, vhost = super()._devargs()
        return f"{uplink},max-frame=1518", vhost


@test("max-frame")
def max_frame(bed):
    """A guest whose buffers take a whole frame, and little more: smaller than the mbufs of the switch."""
    bed.need_iovtee()
    pvp = LimitedPvp(bed, rate=20000)
    pvp.start_nf(app=["--mbuf-size=1672"])
    pvp.run_all()
    pvp.check_no_faults()
    accounts.check_running(pvp, pvp.unicast())
    pvp.nf.quit()
    accounts.check_ended(pvp)
    check_equal(pcap.check_in_order(pvp.end(), pvp.expected()), 0, "frames lost")


@test("small-buffers")
def small_buffers(bed):
    """A guest whose buffers cannot take a whole frame: all is copied, over several buffers each."""
    pvp = Pvp(bed, rate=4000)
    pvp.start_nf(queue_size=1024, app=["--mbuf-size=512", "--enable-scatter",
                                       f"--tx-offloads={MULTI_SEGS:#x}"])
    pvp.run_all()
    pvp.check_no_faults()
    if bed.ports == "iovtee":
        counters = pvp.counters()
        check_equal(counters["zero_copy_packets"], 0, "zero_copy_packets")
        check(counters["map_reason"] or counters["unbindable"],
              "neither map_reason nor unbindable says why nothing is zero-copy")
    pvp.nf.quit()
    lost = pcap.check_in_order(pvp.end(), pvp.expected())
    check(lost <= MOST_LOST * len(pvp.sent), f"{lost} of {len(pvp.sent)} frames lost")
