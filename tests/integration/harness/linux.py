# SPDX-License-Identifier: BSD-3-Clause
"""The Linux calls that Python 3.11 has no function for."""
import ctypes
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC_PRIVATE = 0x4000 | (1 << 18)
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
ADDR_NO_RANDOMIZE = 0x0040000

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what, result):
    if result != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")


def unshare(flags):
    _call("unshare", _libc.unshare(flags))


def enter_network(pid):
    """That of another process."""
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:
        _call("setns", _libc.setns(namespace.fileno(), CLONE_NEWNET))


def private_mounts():
    """Mounts made from here on are seen by this process and its children only."""
    unshare(CLONE_NEWNS)
    _call("mount", _libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None))


def mount(fstype, where, options):
    _call(f"mount {fstype} on {where}",
          _libc.mount(b"iovtee-itest", os.fsencode(where), fstype.encode(), 0, options.encode()))


def umount(where):
    _call(f"umount {where}", _libc.umount2(os.fsencode(where), MNT_DETACH))


def die_with_parent():
    """For preexec_fn: whatever ends the test runner ends what it started."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def fixed_addresses():
    """No address space randomisation for what is started from here on."""
    if _libc.personality(ADDR_NO_RANDOMIZE) < 0:
        _call("personality", -1)


def enter_network(pid):
    """This process's network is from here on that of another one."""
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _call("setns", _libc.setns(fd, CLONE_NEWNET))
    finally:
        os.close(fd)
