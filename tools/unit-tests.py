#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run the tests that meson knows of in build/KIND, and print one line for each.

Usage: unit-tests.py KIND

The lines are `ok NAME`, `not ok NAME - REASON` or `skip NAME - REASON`. A failed test's output
comes first, indented, so that no line of it is taken for a result.
"""

import json
import os
import subprocess
import sys

PASSED = ("OK", "EXPECTEDFAIL")


def output(test):
    parts = (test.get("stdout", ""), test.get("stderr", ""))
    return [line for part in parts for line in part.splitlines() if line.strip()]


def reason(test):
    result, status = test["result"].lower(), test.get("returncode", "unknown")
    if result == "timeout":
        return "ran out of time"
    if isinstance(status, int) and status < 0:
        return f"killed by signal {-status}"
    return f"{result}, exit status {status}"


def report(kind, test):
    """Print what became of a test; return whether it failed."""
    name = f"{kind}/{test['name'].replace(' ', '-')}"
    if test["result"] in PASSED:
        print(f"ok {name}")
    elif test["result"] == "SKIP":
        print(f"skip {name} - {(output(test) or ['no reason given'])[-1].strip()}")
    else:
        print(*(f"    {line}" for line in output(test)), sep="\n")
        print(f"not ok {name} - {reason(test)}")
        return True
    return False


def main():
    kind = sys.argv[1]
    log = f"build/{kind}/meson-logs/testlog.json"
    if os.path.exists(log):
        os.remove(log)
    command = ["meson", "test", "-C", f"build/{kind}", "--no-rebuild"]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if not os.path.exists(log):
        sys.stdout.buffer.write(run.stdout)
        return run.returncode
    with open(log, encoding="utf-8", errors="replace") as lines:
        failed = [report(kind, json.loads(line)) for line in lines if line.strip()]
    if run.returncode != 0 and not any(failed):
        sys.stdout.buffer.write(run.stdout)
        return 2
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
