# SPDX-License-Identifier: BSD-3-Clause
"""The comparison that the other tests rest on must notice every kind of damage."""
from harness import pcap
from harness.errors import Failure, check, check_equal
from harness.registry import test


def fails(function, *args):
    try:
        function(*args)
    except Failure:
        return True
    return False


@test("comparison")
def comparison(bed):
    sent = [bytes([i & 0xFF, i >> 8]) * 30 for i in range(1000)]
    path = bed.path("frames.pcap")
    pcap.write(path, sent)
    check_equal(pcap.read(path), sent, "a capture read back")
    with open(path, "r+b") as f:
        f.truncate(1000)
    check(fails(pcap.read, path), "a cut capture was accepted")

    corrupt, twice, swapped = list(sent), list(sent), list(sent)
    corrupt[500] = corrupt[500][:-1] + b"\xff"
    twice.insert(501, twice[500])
    swapped[500], swapped[501] = swapped[501], swapped[500]
    lost = sent[:500] + sent[510:]
    pcap.check_same(sent, sent)
    check_equal(pcap.check_in_order(lost, sent), 10, "the loss")
    check_equal(pcap.check_flows_in_order(lost, sent), 10, "the loss")
    check_equal(pcap.check_in_any_order(lost[::-1], sent), 10, "the loss")
    for name, frames in (("corrupt", corrupt), ("twice", twice)):
        for compare in (pcap.check_same, pcap.check_in_order, pcap.check_flows_in_order, pcap.check_in_any_order):
            check(fails(compare, frames, sent), f"{compare.__name__} missed a frame {name}")
    for compare in (pcap.check_same, pcap.check_in_order):
        check(fails(compare, swapped, sent), f"{compare.__name__} missed a reordering")
    check(fails(pcap.check_same, lost, sent), "check_same missed a loss")
