# SPDX-License-Identifier: BSD-3-Clause
"""The list of tests: a function becomes one by the decorator @test(NAME)."""
import importlib

MODULES = ("cases.comparison", "cases.pvp", "cases.guest_sends", "cases.offload", "cases.queues",
           "cases.slow", "cases.restart", "cases.kill", "cases.connect", "cases.kernel_port", "cases.pool",
           "cases.badinput", "cases.refuse",
           "cases.frontend_matrix", "cases.frontend_life", "cases.frontend_badinput", "ovs_smoke")
_tests = []


class Test:
    def __init__(self, name, function, seconds):
        self.name, self.function, self.seconds = name, function, seconds


# Far more than a test takes.
SECONDS = 120


def test(name, seconds=SECONDS):
    def register(function):
        _tests.append(Test(name, function, seconds))
        return function
    return register


def load():
    for module in MODULES:
        importlib.import_module(module)
    return _tests
