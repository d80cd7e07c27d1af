# SPDX-License-Identifier: BSD-3-Clause
"""The cases: those of tests/system-dpdk.at of Open vSwitch that have vhost-user ports, twice each."""
import re

import rewrite
import suite
from harness.errors import Skip, check_equal
from harness.registry import test

TITLES = ("add vhost-user-client port", "ping vhost-user ports", "ping vhost-user-client ports",
          "Ingress policing create delete vport port", "Ingress policing no policing rate",
          "Ingress policing no policing burst", "QoS create delete vport port", "QoS no cir", "QoS no cbs",
          "MTU increase vport port", "MTU decrease vport port", "MTU upper bound vport port", "MTU lower bound vport port")


def run(bed, title):
    """Run it with Open vSwitch's own port, then with ours."""
    suite.needed()
    cases = suite.text("system-dpdk.at")
    number = rewrite.numbers(cases)[title]
    own = suite.Suite(bed, "own", cases, "--no-pci").run(number)
    ours = suite.Suite(bed, "ours", rewrite.with_ours(cases), f"--no-pci -d {bed.session.plugin('iovtee')}").run(number)
    own, ours = (" ".join(filter(None, result)) for result in (own, ours))
    check_equal(ours, own, "the result with our port")
    if own.startswith("skipped"):
        raise Skip(f"{own}, by Open vSwitch's test itself")
    check_equal(own, "ok", "the result with Open vSwitch's port, too,")


def register(title):
    name = re.sub("[^a-z]+", "-", title.lower())
    test(name, 2 * suite.SECONDS + 30)(lambda bed: run(bed, title))


@test("complete")
def complete(_):
    """No vhost-user case of the suite is left out here."""
    listed = set(rewrite.numbers(suite.text("system-dpdk.at")))
    check_equal(sorted(listed ^ set(TITLES)), [], "what only Open vSwitch's suite or only this one has")


for each in TITLES:
    register(each)
