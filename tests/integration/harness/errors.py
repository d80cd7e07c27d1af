# SPDX-License-Identifier: BSD-3-Clause
"""What a test may raise, and the assertions that raise it."""


class Failure(Exception):
    """The test failed; the text is the reason."""


class Skip(Exception):
    """The test cannot run here; the text says what is missing."""


def check(condition, reason):
    if not condition:
        raise Failure(reason)


def check_equal(got, want, what):
    check(got == want, f"{what} is {got}, not {want}")
