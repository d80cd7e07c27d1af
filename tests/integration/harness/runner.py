# SPDX-License-Identifier: BSD-3-Clause
"""Runs registered tests: one line a test, `ok NAME`, `not ok NAME - reason` or `skip NAME - reason`."""
import argparse
import fnmatch
import os
import signal
import sys
import time
import traceback

from . import registry
from .bed import Bed, Session
from .errors import Failure, Skip, check
from .linux import private_mounts

HERE = os.path.dirname(os.path.realpath(__file__))
LOG_TAIL = 40
REPORTS = 5
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--build", default=os.path.join(HERE, "../../../build/rel"),
                        help="build folder with the plugins")
    parser.add_argument("--ports", choices=("iovtee", "vhost"), default="iovtee",
                        help="vhost: DPDK's own net_vhost, to test the tests themselves")
    parser.add_argument("--only", metavar="PATTERN", action="append",
                        help="only tests whose name matches (shell pattern or part)")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--keep", action="store_true", help="keep logs and captures")
    parser.add_argument("--verbose", "-v", action="store_true", help="times and stack traces")
    return parser.parse_args()


def selected(args, modules):
    tests = registry.load(modules)
    if not args.only:
        return tests
    return [test for test in tests
            if any(p in test.name or fnmatch.fnmatch(test.name, p) for p in args.only)]


def show_logs(bed):
    for path in bed.logs:
        with open(path, errors="replace") as log:
            lines = [line for line in log.read().splitlines() if "VHOST_CONFIG" not in line]
        print(f"--- {os.path.basename(path)}", *lines[-LOG_TAIL:], sep="\n    ", file=sys.stderr)


def on_alarm(*_):
    raise Failure("took too long")


def run_one(session, test, verbose):
    """Run one test; return its line and whether it did not fail."""
    bed, start = Bed(session, test.name), time.monotonic()
    name = test.name + session.sanitizer.suffix
    signal.alarm(test.seconds * session.sanitizer.patience)
    try:
        test.function(bed)
        check(not bed.reports(), f"{len(bed.reports())} sanitizer reports, see above")
        line, good = f"ok {name}", True
    except Skip as reason:
        line, good = f"skip {name} - {reason}", True
    except Exception as error:
        signal.alarm(0)
        reason = str(error) if isinstance(error, Failure) else repr(error)
        line, good = f"not ok {name} - {' '.join(reason.split())}", False
        if verbose or not isinstance(error, Failure):
            traceback.print_exc()
        show_logs(bed)
        print(*bed.reports()[:REPORTS], sep="\n", file=sys.stderr)
    finally:
        signal.alarm(0)
        bed.close()
    if verbose:
        line += f" # {time.monotonic() - start:.1f} s"
    return line, good


def on_signal(number, _):
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)  # the cleanup is not to be interrupted
    sys.exit(128 + number)


def main(doc, modules):
    """Run the tests that these modules register, as the command line says; return the exit status."""
    args = arguments(doc)
    tests = selected(args, modules)
    if args.list:
        print(*(test.name for test in tests), sep="\n")
        return 0
    if not tests:
        sys.exit(f"run: no test matches {' '.join(args.only)}")
    if os.geteuid() != 0:
        sys.exit("run: hugepages, namespaces and captures need root")
    signal.signal(signal.SIGALRM, on_alarm)
    for number in ENDING:
        signal.signal(number, on_signal)
    private_mounts()
    session = Session(args.build, args.ports)
    failed = 0
    try:
        for test in tests:
            line, good = run_one(session, test, args.verbose)
            failed += not good
            print(line, flush=True)
    finally:
        if args.keep:
            print(f"kept: {session.dir}", file=sys.stderr)
        else:
            session.cleanup.run()
    return 1 if failed else 0
