# SPDX-License-Identifier: BSD-3-Clause
"""What system suites have in common: their arguments, a line for each case, cleanup however they end."""
import argparse
import fnmatch
import os
import signal
import sys
import time
import traceback

from harness.bed import Bed, Session
from harness.errors import Failure, Skip
from harness.linux import private_mounts

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOG_TAIL = 40


class Suite:
    """Cases are functions of a bed; the decorator case(NAME) makes one."""

    def __init__(self, description):
        self.description = description
        self._cases = []

    def case(self, name, seconds=120):
        def register(function):
            self._cases.append((name, function, seconds))
            return function
        return register

    def main(self):
        args = self._arguments()
        cases = [case for case in self._cases if _selected(case[0], args.only)]
        if not cases:
            sys.exit(f"no case matches {' '.join(args.only)}")
        if os.geteuid() != 0:
            sys.exit("hugepages, namespaces and containers need root")
        signal.signal(signal.SIGALRM, _on_alarm)
        for number in ENDING:
            signal.signal(number, _on_signal)
        private_mounts()
        session = Session(args.build, "iovtee")
        try:
            good = [_run_one(session, *case) for case in cases]
        finally:
            session.cleanup.run()
        return 0 if all(good) else 1

    def _arguments(self):
        parser = argparse.ArgumentParser(description=self.description)
        parser.add_argument("--build", default=os.path.join(ROOT, "build/rel"),
                            help="build folder with the plugins (default: build/rel)")
        parser.add_argument("--only", metavar="PATTERN", action="append",
                            help="only cases whose name matches (shell pattern)")
        return parser.parse_args()


def figure(text):
    """Something measured, on a line of its own."""
    print(f"# {text}", flush=True)


def _selected(name, patterns):
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _on_alarm(*_):
    raise Failure("took too long")


def _on_signal(number, _):
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)  # the cleanup is not to be interrupted
    sys.exit(128 + number)


def _show_logs(bed):
    for path in filter(os.path.exists, bed.logs):
        with open(path, errors="replace") as log:
            lines = [line for line in log.read().splitlines() if "VHOST_CONFIG" not in line]
        print(f"--- {os.path.basename(path)}", *lines[-LOG_TAIL:], sep="\n    ", file=sys.stderr)


def _run_one(session, name, function, seconds):
    """Run one case, print its line; true if it did not fail."""
    bed, start = Bed(session, name), time.monotonic()
    signal.alarm(seconds)
    try:
        function(bed)
        line, good = f"ok {name}", True
    except Skip as reason:
        line, good = f"skip {name} - {reason}", True
    except Exception as error:
        signal.alarm(0)
        reason = str(error) if isinstance(error, Failure) else repr(error)
        line, good = f"not ok {name} - {' '.join(reason.split())}", False
        if not isinstance(error, Failure):
            traceback.print_exc()
        _show_logs(bed)
    finally:
        signal.alarm(0)
        bed.close()
    figure(f"{name}: {time.monotonic() - start:.1f} s")
    print(line, flush=True)
    return good
