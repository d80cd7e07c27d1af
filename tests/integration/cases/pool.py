# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's own tests of mempool operations, with ours."""
import os

from harness.errors import Skip, check
from harness.process import Process
from harness.registry import test
from harness.testpmd import eal_args, lcore_args, runtime_dir

BINARY = "/usr/bin/dpdk-test"


@test("mempool-autotest")
def mempool_autotest(bed):
    bed.need_iovtee()
    if not os.path.exists(BINARY):
        raise Skip(f"{BINARY} is not installed (package dpdk-dev)")
    process = Process(
        bed, "dpdk-test",
        [BINARY, "--no-huge", "-m", "1024", *lcore_args(), *bed.session.sanitizer.eal_args,
         *eal_args("pool", [bed.session.plugin("iovtee")]), "--mbuf-pool-ops-name=iovtee"],
        {"RUNTIME_DIRECTORY": runtime_dir(bed, "pool"), "DPDK_TEST": "mempool_autotest",
         **bed.sanitizer_env("dpdk-test")})
    status = process.wait_exit(120)
    check(status == 0 and "Test OK" in process.output(),
          f"mempool_autotest failed, status {status}")
