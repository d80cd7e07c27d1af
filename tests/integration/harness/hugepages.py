# SPDX-License-Identifier: BSD-3-Clause
"""Hugepages: enough of them, and one private mount per DPDK process, so that what a process leaves
behind (files, or memory that somebody else still maps) can be counted."""
import os

from .errors import Failure
from .linux import mount, umount

PAGE = 2 << 20
NR = "/proc/sys/vm/nr_hugepages"


def _free_pages():
    with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") as f:
        return int(f.read())


def ensure(megabytes):
    """Raise (never lower) the machine's hugepages until this many MB are free."""
    want = megabytes // 2
    for _ in range(3):
        missing = want - _free_pages()
        if missing <= 0:
            return
        with open(NR) as f:
            total = int(f.read())
        with open(NR, "w") as f:
            f.write(str(total + missing))
    if _free_pages() < want:
        raise Failure(f"only {_free_pages()} of {want} 2 MB hugepages can be had; free some memory")


class HugeMount:
    def __init__(self, where, megabytes=1024):
        os.makedirs(where)
        mount("hugetlbfs", where, f"pagesize=2M,size={megabytes}M")
        self.path = where

    def used(self):
        """Bytes in use, unlinked but still mapped files included."""
        stat = os.statvfs(self.path)
        return (stat.f_blocks - stat.f_bfree) * stat.f_bsize

    def files(self):
        return sorted(os.listdir(self.path))

    def clear(self):
        """Remove the files, as the next start of an EAL with the same prefix would."""
        for name in self.files():
            os.unlink(os.path.join(self.path, name))

    def close(self):
        umount(self.path)
        os.rmdir(self.path)
