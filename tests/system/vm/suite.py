# SPDX-License-Identifier: BSD-3-Clause
"""What the system suites have in common: arguments, a line for each case, figures, logs of what failed."""
import argparse
import fnmatch
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.bed import Session
from harness.errors import Failure, Skip
from harness.linux import private_mounts
from harness.registry import figure
from harness.runner import ENDING, on_alarm, on_signal

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / "build/emuvm"


def arguments(description, cases, add=lambda parser: None):
    """--build, --only, --keep, and what the suite adds."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build/rel",
                        help="build folder with the plugin (default: build/rel)")
    parser.add_argument("--only", metavar="PATTERN", action="append",
                        help=f"only cases like this (*, ? and [] match): {', '.join(cases)}")
    parser.add_argument("--keep", action="store_true", help="keep logs")
    add(parser)
    return parser.parse_args()


def selected(names, patterns):
    chosen = [name for name in names
              if not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if not chosen:
        sys.exit(f"run: no case is like {', '.join(patterns)}; there are {', '.join(names)}")
    return chosen


class Report:
    """Verdicts, one a line: `ok NAME`, `not ok NAME - REASON`, `skip NAME - REASON`."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def _say(self, verdict, line):
        self.counts[verdict] += 1
        print(line, flush=True)

    def case(self, name, seconds, function):
        """Run a case; true unless it failed."""
        signal.alarm(seconds)
        try:
            function()
            self._say("passed", f"ok {name}")
            return True
        except Skip as reason:
            self.skip(name, reason)
            return True
        except (Failure, OSError, subprocess.SubprocessError) as error:
            self._say("failed", f"not ok {name} - {' '.join(str(error).split())}")
            return False
        finally:
            signal.alarm(0)

    def skip(self, name, reason):
        self._say("skipped", f"skip {name} - {reason}")

    def close(self):
        """Print the closing line; returns the exit status."""
        print(", ".join(f"{count} {verdict}" for verdict, count in self.counts.items()))
        return 1 if self.counts["failed"] else 0


def run(args, names, prepare, body):
    """body(session, report, prepare()) runs the cases of these names; whatever they leave is undone. Returns the exit
    status."""
    if os.geteuid() != 0:
        sys.exit("run: hugepages, namespaces and taps need root")
    signal.signal(signal.SIGALRM, on_alarm)
    for number in ENDING:
        signal.signal(number, on_signal)
    start = time.monotonic()
    private_mounts()
    session, report = Session(args.build, "iovtee"), Report()
    try:
        body(session, report, prepare())
    except Skip as reason:
        for name in names:
            report.skip(name, reason)
    finally:
        if args.keep:
            print(f"kept: {session.dir}", file=sys.stderr)
        else:
            session.cleanup.run()
    figure(f"{time.monotonic() - start:.0f} s in all")
    return report.close()
