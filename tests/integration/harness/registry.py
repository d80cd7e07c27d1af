# SPDX-License-Identifier: BSD-3-Clause
"""The list of tests: a function becomes one by the decorator @test(NAME)."""
import importlib
import os
import time

# Of tests/integration/run.
MODULES = ("cases.comparison", "cases.pvp", "cases.guest_sends", "cases.transmit", "cases.offload", "cases.guest_asks",
           "cases.queues", "cases.slow", "cases.restart", "cases.kill", "cases.connect", "cases.flush",
           "cases.kernel_port", "cases.pool",
           "cases.badinput", "cases.refuse",
           "cases.frontend_matrix", "cases.frontend_life", "cases.frontend_queues", "cases.frontend_mtu",
           "cases.frontend_log", "cases.switch_killed", "cases.concurrent", "cases.frontend_badinput", "cases.bench", "ovs_smoke")
_tests = []


# Tests that repeat something do so this many times as often: `make soak`.
SOAK = int(os.environ.get("IOVTEE_SOAK", "1"))


# Seconds between two lines that say how far a long test got.
PROGRESS = 10


def cycles(what, number):
    """Numbers from 0 on; those who wait for a soak are told how far it got."""
    start = said = time.monotonic()
    for cycle in range(number):
        now = time.monotonic()
        if SOAK > 1 and now - said >= PROGRESS:
            said = now
            print(f"# {what}: {cycle} of {number} after {now - start:.0f} s", flush=True)
        yield cycle


class Test:
    def __init__(self, name, function, seconds):
        self.name, self.function, self.seconds = name, function, seconds * SOAK


# Far more than a test takes.
SECONDS = 120


def test(name, seconds=SECONDS):
    def register(function):
        _tests.append(Test(name, function, seconds))
        return function
    return register


def figure(text):
    """Something measured, on a line of its own."""
    print(f"# {text}", flush=True)


def load(modules):
    for module in modules:
        importlib.import_module(module)
    return _tests
