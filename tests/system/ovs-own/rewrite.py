# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch's test cases as text: which are about vhost-user ports, and the same cases with our ports."""
import re

from harness.errors import Failure

CASE = re.compile(r"^AT_SETUP\(\[OVS-DPDK - (.*?)\]\).*?^AT_CLEANUP", re.M | re.S)
VHOST = "type=dpdkvhostuser"
QUEUES = re.compile(r"net_virtio_user,\S*queues=(\d+)")
ATTACHED = r"Device 'net_iovtee_vhost0,.*' attached to DPDK"

# What makes a port, and what is looked for in the log and among the statistics. The rest of a case stays: what it does with
# the port, what librte_vhost is to log, and that there is no other warning.
RULES = [(re.compile(pattern), replacement) for pattern, replacement in (
    (r"type=dpdkvhostuserclient([\s\\]+)options:vhost-server-path=([^\s\]]+)",
     r"type=dpdk\1options:n_rxq=QUEUES options:dpdk-devargs=net_iovtee_vhost0,iface=\2,client=1,queues=QUEUES"),
    (r"(Interface (\S+)[\s\\]+)type=dpdkvhostuser\b",
     r"\1type=dpdk options:n_rxq=QUEUES options:dpdk-devargs=net_iovtee_vhost0,iface=$OVS_RUNDIR/\2,queues=QUEUES"),
    (r"vHost User device '\S+' created in 'client' mode, using client socket", ATTACHED),
    (r"Socket \S+ created for vhost-user port \w+", ATTACHED),
    (r"vHost Device '(\S+)' has been removed", r"VHOST_CONFIG: (\1) vhost peer closed"),
    (r"(statistics:[rt]x_q\d_)good_", r"\1"),
)]
LEFT = re.compile(r"type=dpdkvhostuser|vhost-server-path|\bvHost|_good_|vhost-user port ")


def numbers(text):
    """The vhost-user cases by title: their numbers in the suite."""
    return {case[1]: number for number, case in enumerate(CASE.finditer(text), 1) if VHOST in case[0]}


def _with_ours(case):
    text, queues = case[0], QUEUES.search(case[0])
    if VHOST not in text:
        return text
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    left = LEFT.search(text)
    if left:
        raise Failure(f"{case[1]}: {left[0]!r} has no counterpart with our ports that is known here")
    return text.replace("=QUEUES", "=" + (queues[1] if queues else "1"))


def with_ours(text):
    """The same suite with our ports in place of Open vSwitch's vhost-user ports."""
    return CASE.sub(_with_ours, text)


def _replace_once(text, old, new):
    if text.count(old) != 1:
        raise Failure(f"Open vSwitch's test suite does not say {old!r} once")
    return text.replace(old, new)


def allow(text, line):
    """The suite's cases, with this among what may be logged."""
    start = "m4_define([SYSTEM_DPDK_ALLOWED_LOGS],[\n"
    return _replace_once(text, start, f"{start}\\@{line}@d\n")


def macros(text, eal, socket_limit):
    """The suite's macros, for a machine whose NIC and memory are not all for this: more arguments for EAL."""
    name, value = "other_config:dpdk-extra=", "--log-level=pmd.*:error"
    return _replace_once(text, name + value,
                         f'other_config:dpdk-socket-limit={socket_limit} {name}="{value} {eal}"')
