# SPDX-License-Identifier: BSD-3-Clause
"""The test front end (tests/frontend): a guest that speaks vhost-user itself, driven by commands."""
import json
import os
import select
import subprocess
import time

from . import accounts
from .errors import Failure, Skip, check, check_equal
from .process import Process, wait_until
from .pvp import Pvp

DIRECT = ("one", "hdr_followed", "hdr_apart", "chain", "page_cross", "region_cross")
INDIRECT = ("indirect_one", "indirect_hdr", "indirect_chain", "direct_indirect")

GET_FEATURES = 1


class Refused(Failure):
    """The command could not be done; the text says why."""


class Frontend(Process):
    def __init__(self, bed, name="guest"):
        program = os.path.join(bed.session.build, "tests/frontend/iovtee-frontend")
        if not os.path.exists(program):
            raise Skip(f"{program} is not built")
        super().__init__(bed, name, [program], bed.sanitizer_env(name), subprocess.PIPE)
        bed.cleanup.push(self.popen.stdout.close)

    def cmd(self, name, seconds=20, **args):
        """Carry out one command; return its answer."""
        line = " ".join([name, *(f"{key}={value}" for key, value in args.items())])
        self._log.write(f"> {line}\n".encode())
        try:
            self.popen.stdin.write(line.encode() + b"\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            pass  # what it said last is read below
        if not select.select([self.popen.stdout], [], [], seconds)[0]:
            raise Failure(f"{self.name}: no answer to '{line}' within {seconds} s")
        answer = self.popen.stdout.readline()
        self._log.write(b"< " + answer)
        if not answer:
            raise Failure(f"{self.name} ended by itself")
        answer = json.loads(answer)
        if not answer["ok"]:
            raise Refused(f"{self.name}: {line}: {answer['error']}")
        return answer

    def refused(self, name, **args):
        """The command fails; return why."""
        try:
            self.cmd(name, **args)
        except Refused as refused:
            return str(refused)
        raise Failure(f"{self.name}: {name} {args} was accepted")

    # What most tests do.

    def attach(self, path, server=False):
        """Get a connection to the switch; server: as the one that listens. A switch that has not yet seen
        the guest before go hangs up: as guests do, try again."""
        def attached():
            if server:
                self.cmd("accept", timeout=10000)
            else:
                self.cmd("connect", path=path)
            try:
                self.cmd("raw", request=GET_FEATURES)
                self.cmd("reply")
            except Refused:
                return False
            return True
        wait_until(attached, 5, f"{self.name} to be let in")

    def up(self, resume=0, **args):
        """From a fresh connection to running queues; returns what was negotiated."""
        got = self.cmd("negotiate", **args)
        self.cmd("table")
        self.cmd("start", resume=resume)
        self.cmd("run")
        return got

    def stats(self):
        return self.cmd("stats")

    def wait_settled(self, seconds=10):
        """All that was received is sent, and nothing more comes; returns the statistics."""
        def settled():
            before = self.stats()
            time.sleep(0.02)
            now = self.stats()
            return now if before["received"] == now["received"] == now["sent"] else None
        return wait_until(settled, seconds, f"{self.name} to send all that it received")

    def stop(self, **args):
        """GET_VRING_BASE, of every queue if none is given: all buffers taken must have come back."""
        self.cmd("stop", **args)

    def check_marked(self, least, late=0):
        """Every page written while the log was on was marked when the guest saw the buffer; `least`: that
        many must have been looked at."""
        stats = self.stats()
        check(stats["log_checked"] >= least, f"only {stats['log_checked']} pages were looked at")
        check_equal(stats["log_missing"], 0, f"written pages that are not marked (the first is "
                    f"{stats['log_first_missing']:#x} of {stats['log_checked']})")
        check(stats["log_late"] <= late, f"{stats['log_late']} pages were marked too late")

    def alive_link(self):
        return self.cmd("alive")["alive"]

    def check_quiet(self, stats, poll):
        """A guest that looks by itself is not notified; one that sleeps is, when it has to be."""
        if poll:
            check_equal(stats["notified"], 0, "notifications of a guest that polls")
        else:
            check(stats["notified"] > 0, "the guest was never notified")
            check_equal(stats["lost_wakeups"], 0, "lost wake-ups")


class FrontendPvp(Pvp):
    """The PVP bed with the test front end as its guest, and generated traffic (unless recorded): the NIC
    checks contents, and the order within each flow, of what comes back. The guest's memory is in ordinary
    pages, hence --iova-mode=va."""

    def __init__(self, bed, frame=1000, flows=16, count=0, recorded=False, **options):
        generator = None if recorded else f"frame={frame},flows={flows},count={count}"
        super().__init__(bed, generator=generator, eal=["--iova-mode=va"], **{"trust": 1, **options})
        self.guest = None
        self.new_guest()

    def new_guest(self):
        self.guest = Frontend(self.bed)
        if self.client:
            self.guest.cmd("listen", path=self.socket)
        return self.guest

    def setup(self, **args):
        """DPDK's back end leaves num_buffers alone where it is always 1."""
        self.guest.cmd("setup", any_num_buffers=int(self.bed.ports == "vhost"), **args)

    def attach(self):
        self.guest.attach(self.socket, self.client)

    def wait_frames(self, more, seconds=10):
        """Wait until so many more frames have come back."""
        before = self.nic()["tx_device_frames"]
        wait_until(lambda: self.nic()["tx_device_frames"] - before >= more, seconds,
                   f"{more} more frames to return")

    def nic(self):
        """The NIC's counters."""
        return self.emunic("stats")

    def check_nic(self, before, intact, lost=0, order=True):
        """Since `before`: so many frames came back intact, none bad or twice, none (with order) overtaken,
        and no more were lost; no access outside mapped memory, ever."""
        now = self.nic()
        check_equal(now["iommu_faults"], 0, "iommu_faults")
        for name in ("tx_corrupt", "tx_duplicate", "tx_other", *(["tx_out_of_order"] if order else [])):
            check_equal(now[name] - before[name], 0, name)
        check(now["tx_verified"] - before["tx_verified"] >= intact,
              f"{now['tx_verified'] - before['tx_verified']} frames came back, not {intact}")
        missing = now["tx_lost"] - before["tx_lost"]
        check(missing <= lost, f"{missing} frames were lost, more than {lost}")
        return now

    def tell(self):
        """How far it got, for a failure's message."""
        try:
            counts = {**self.guest.stats(), **self.nic(), **(self.counters() if self.bed.ports == "iovtee" else {})}
        except Failure as failure:
            return str(failure)
        return ", ".join(f"{name} {count}" for name, count in counts.items() if count)

    def check_accounts(self):
        """No buffer of the guest's is held, and all that ever were are accounted for."""
        if self.bed.ports == "vhost":
            return
        wait_until(lambda: self.counters()["outstanding"] == 0, 5, "outstanding buffers to be 0")
        accounts.check_identity(self.counters())
        accounts.check_pools(self)
