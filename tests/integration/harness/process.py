# SPDX-License-Identifier: BSD-3-Clause
"""A child process with a log file and bounded waits; it never outlives the test."""
import os
import signal
import subprocess
import threading
import time

from .errors import Failure
from .linux import die_with_parent


LOOK_FIRST, LOOK_LAST = 0.001, 0.02


def wait_until(condition, seconds, what):
    """Poll, often at first, until condition() is true, and return its value."""
    end, pause = time.monotonic() + seconds, LOOK_FIRST
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds:g} s")
        time.sleep(pause)
        pause = min(2 * pause, LOOK_LAST)


class Process:
    def __init__(self, bed, name, argv, env=None, stdout=None):
        self.name = name
        self.log_path = os.path.join(bed.dir, name + ".log")
        self._log = open(self.log_path, "ab", buffering=0)
        self._log.write(("$ " + " ".join(argv) + "\n").encode())
        # stdbuf: so that the log is complete when the process is killed.
        self.popen = subprocess.Popen(
            ["stdbuf", "-oL", *argv], stdin=subprocess.PIPE, stdout=stdout or self._log,
            stderr=self._log, env={**os.environ, **(env or {})}, preexec_fn=self._in_child, cwd=bed.dir)
        self.pid = self.popen.pid
        self.returncode = None
        bed.logs.append(self.log_path)
        bed.cleanup.push(self.kill)

    @staticmethod
    def _in_child():
        die_with_parent()

    def output(self, offset=0):
        with open(self.log_path, "rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def _look(self, options=0):
        """Note how it ended, if it has. Reaping it is left to a thread: on some kernels (seen on 6.18, in
        a virtual machine) that spins for minutes now and then, in d_walk() for /proc/<pid>."""
        if self.returncode is not None:
            return
        end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | options)
        if end is None:
            return
        self.returncode = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
        threading.Thread(target=self.popen.wait, daemon=True).start()

    def alive(self):
        self._look(os.WNOHANG)
        return self.returncode is None

    def check_alive(self):
        if not self.alive():
            raise Failure(f"{self.name} ended by itself with status {self.returncode}")

    def wait_output(self, text, seconds, offset=0):
        """Wait until the log holds text; return what the log holds from offset on."""
        def found():
            ended = not self.alive()
            output = self.output(offset)
            if text in output:
                return output
            if ended:
                raise Failure(f"{self.name} ended with status {self.returncode} "
                              f"before it said {text!r}")
            return None
        return wait_until(found, seconds, f"{self.name} to say {text!r}")

    def wait_exit(self, seconds):
        wait_until(lambda: not self.alive(), seconds, f"{self.name} to end")
        self._close()
        return self.returncode

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self._look()
        self._close()

    def _close(self):
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass
        self._log.close()

    # What a leak would show in.

    def fd_count(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def map_count(self):
        """Under the address sanitizer only of files: its own heap grows, one class of sizes after another."""
        with open(f"/proc/{self.pid}/maps", errors="replace") as maps:
            lines = list(maps)
        asan = any("libasan" in line for line in lines)
        return sum(1 for line in lines if not asan or line.split()[4] != "0")

    def shared_files(self):
        """Files that are mapped shared and writable, by device and inode."""
        with open(f"/proc/{self.pid}/maps", errors="replace") as maps:
            fields = [line.split() for line in maps]
        return {(f[3], f[4]) for f in fields if f[1] == "rw-s" and f[4] != "0"}
