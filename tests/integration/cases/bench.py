# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark: every datapath and option moves frames, unharmed, and says so in its results."""
from harness.bench import Bench
from harness.errors import check, check_equal
from harness.registry import test

PEERS = ("vhost", "vhost-any-order", "vhost-vector", "vhost-packed", "vhost-packed-vector", "memif", "memif-open",
         "p2p", "null")
OURS = ("iovtee-rx", "iovtee-rx-packed", "iovtee", "iovtee-packed", "iovtee-trust", "iovtee-trust-packed",
        "iovtee-copy")
ZERO_COPY = OURS[:-1]


def names(found):
    return [result["datapath"] for result in found["results"]]


def column(found, key):
    return [result[key] for result in found["results"]]


@test("bench-peers")
def peers(bed):
    """DPDK's own datapaths and the limits; ratios to a baseline that is named."""
    found = Bench(bed).run(frames="64,1518", datapaths=",".join(PEERS), baseline="memif")
    check_equal(names(found), [*PEERS, *PEERS], "datapaths")
    check_equal({ratio["baseline"] for ratio in found["ratios"]}, {"memif"}, "baselines")
    check_equal([r["datapath"] for r in found["ratios"]], [p for p in PEERS if p != "memif"] * 2, "ratios")


@test("bench-ours")
def ours(bed):
    """The plugin's datapaths, most of them without a copy on receive."""
    bed.need_iovtee()
    found = Bench(bed).run(frames="64,1518", datapaths=",".join(OURS))
    check_equal(names(found), [*OURS, *OURS], "datapaths")
    for result in found["results"]:
        if result["datapath"] in ZERO_COPY:
            check(result["zero_copy"] > 0.5, f"{result['datapath']}: {result['zero_copy']} was zero-copy")


@test("bench-chain")
def chain(bed):
    """A frame passes four NFs: the first one's is delivered without a copy, those of the others come from an NF."""
    bed.need_iovtee()
    found = Bench(bed).run(frames=1518, datapaths="vhost,iovtee,iovtee-trust", chain=4)
    check_equal(names(found), ["vhost", "iovtee", "iovtee-trust"], "datapaths")
    check_equal(column(found, "chain"), [4, 4, 4], "chain")
    for result in found["results"][1:]:
        check(0.2 < result["zero_copy"] < 0.3, f"{result['datapath']}: {result['zero_copy']} was zero-copy")


@test("bench-ports")
def ports(bed):
    """Sixteen NFs on one switch core, each with a queue of the NIC, beside a single one."""
    bed.need_iovtee()
    bench = Bench(bed)
    for datapath in ("vhost", "iovtee", "iovtee-trust"):
        found = bench.run(frames=64, datapaths=datapath, ports="1,16", guests=True)
        check_equal(column(found, "ports"), [1, 16], "ports")
        check_equal(column(found, "guests"), [True, True], "guests")
        check_equal([(s["ports"], s["cycles"] > 0) for s in found["scaling"]], [(16, True)], "scaling")
        # Frames that are not in the queue of their NF are copied.
        for result in found["results"]:
            check(result.get("zero_copy", 1) > 0.5, f"{datapath}: {result.get('zero_copy')} was zero-copy")


@test("bench-ports-dpdk")
def ports_dpdk(bed):
    """The same with DPDK's guests, of which fewer fit into a process."""
    found = Bench(bed).run(frames=64, datapaths="vhost,vhost-packed", ports=4)
    check_equal(column(found, "ports"), [4, 4], "ports")
    check_equal(column(found, "guests"), [False, False], "guests")


@test("bench-flows")
def flows(bed):
    """One flow, and many."""
    found = Bench(bed).run(frames=64, datapaths="vhost,p2p", flows="1,1000,100000")
    check_equal(column(found, "flows"), [1, 1, 1000, 1000, 100000, 100000], "flows")


@test("bench-latency")
def latency(bed):
    """Percentiles at shares of each datapath's own maximum."""
    bench = Bench(bed)
    found = bench.run(frames=64, datapaths="vhost,p2p", latency=True, rounds=4)
    for result in found["results"]:
        check_equal([at["load"] for at in result["latency"]], [10, 50, 90], "loads")
        for at in result["latency"]:
            values = [at[key] for key in ("p50_us", "p90_us", "p99_us", "p999_us")]
            check(0 < values[0] <= values[1] <= values[2] <= values[3], f"percentiles {values}")
    found = bench.run(frames=64, datapaths="vhost")
    check("latency" not in found["results"][0], "latency was measured, which nobody asked for")


@test("bench-refuses")
def refuses(bed):
    """Options that make no sense are refused before anything is set up, with a remedy."""
    bench = Bench(bed)
    bench.refused("leave one out", chain=2, ports=2)
    bench.refused("from 1 to 4", chain=5)
    bench.refused("from 1 to 16", ports=17)
    bench.refused("RTE_MAX_ETHPORTS", ports=16)
    bench.refused("at most 8192", datapaths="vhost", flows=100000, ports=16, guests=True)
    bench.refused("unknown datapath 'x'", baseline="x")
    bench.refused("given twice", datapaths="vhost,vhost")
