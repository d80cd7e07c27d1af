# SPDX-License-Identifier: BSD-3-Clause
"""iovtee-pvp, run for what it does, not for its figures: few rounds, and short ones."""
import json
import os

from . import hugepages
from .errors import Failure, Skip, check, check_equal
from .process import Process
from .testpmd import eal_args, runtime_dir

MEMORY = 1024
STAGES = {"uplink_rx", "classify", "vhost_tx", "vhost_rx", "uplink_tx"}
KEYS = {"datapath", "frame", "rounds", "mpps", "switch_mpps", "cycles_per_packet", "stages", "loss", "iommu_faults",
        "corrupt", "verified", "sent", "flows", "chain", "ports", "guests"}
# What the loop alone does: no NIC, so no frames to count.
NO_NIC = ("null",)


class Bench:
    def __init__(self, bed):
        program = os.path.join(bed.session.build, "apps/iovtee-pvp/iovtee-pvp")
        if not os.path.exists(program):
            raise Skip(f"{program} is not built: with sanitizers it is only if ninja is told its name")
        plugins = os.path.dirname(bed.session.plugin("emunic"))
        hugepages.ensure(MEMORY)
        huge = hugepages.HugeMount(bed.path("bench.huge"), MEMORY)
        bed.cleanup.push(huge.close)
        self.bed = bed
        # Each of the two needs the other one to run: on one CPU they would take turns of milliseconds.
        cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))[:2]))
        # The program's own plugin is the one that EAL loads.
        self.env = {"LD_LIBRARY_PATH": plugins, "RUNTIME_DIRECTORY": runtime_dir(bed, "bench"), "TMPDIR": bed.dir}
        self.argv = [program, "-l", cpus, "-m", str(MEMORY * 3 // 4), "--huge-dir",
                     huge.path, "--single-file-segments", "--iova-mode=va",
                     *eal_args("bench", [plugins]), "--"]
        self._runs = 0

    def _start(self, options):
        self._runs += 1
        words = [word for key, value in options.items()
                 for word in (f"--{key.replace('_', '-')}", *(() if value is True else (str(value),)))]
        return Process(self.bed, f"bench{self._runs}", [*self.argv, *words], self.env)

    def run(self, seconds=60, **options):
        """Measure as the options say; return the results, checked for what every run has to have."""
        path = self.bed.path(f"result{self._runs}.json")
        process = self._start({"rounds": 1, "round_ms": 50, "json": path, **options})
        check_equal(process.wait_exit(seconds), 0, "exit status")
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        for result in found["results"]:
            check_result(result)
        return found

    def refused(self, text, **options):
        """These options end the program, which says why."""
        process = self._start(options)
        check(process.wait_exit(20) == 1, f"{options} was accepted")
        if text not in process.output():
            raise Failure(f"{options}: no '{text}' in what it said")


def check_result(result):
    what = result["datapath"]
    check(KEYS <= result.keys(), f"{what}: no {KEYS - result.keys()}")
    check_equal(set(result["stages"]), STAGES, f"{what}: stages")
    check_equal(result["corrupt"], 0, f"{what}: corrupt frames")
    check_equal(result["iommu_faults"], 0, f"{what}: IOMMU faults")
    check(result["mpps"] > 0 and result["cycles_per_packet"] > 0, f"{what}: nothing was forwarded")
    if what not in NO_NIC:
        check(result["verified"] > 0, f"{what}: no frame was checked")
        check(result["loss"] < result["sent"] / 2, f"{what}: {result['loss']} of {result['sent']} frames lost")
