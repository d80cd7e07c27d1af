# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of virtio guest: ring format, buffer layouts, notification, number of queues and socket mode, each
with the test front end as its guest. What comes back must be intact and in order, and every buffer
accounted for. The verdicts are written to docs/matrix.md."""
import itertools
import os
import time

from harness.errors import Failure, check, check_equal
from harness.frontend import DIRECT, INDIRECT, FrontendPvp
from harness.process import wait_until
from harness.registry import test

FORMATS = {"split": 256, "packed": 255}  # ring sizes; a packed one need not be a power of two
RECEIVE = {"mergeable": 1, "non-mergeable": 0}
DESCRIPTORS = {"direct": DIRECT, "indirect": INDIRECT}
NOTIFICATION = {"poll": {"sleep": 0}, "event-idx": {"sleep": 1, "event_idx": 1}}
QUEUES = (1, 4)
MODES = {"server": False, "client": True}  # the switch's

FRAMES, FRAME = 2000, 1400
# The smaller ones are bound to no NIC, and several make one packet where that is possible.
LENGTHS = {1: (300, 3000), 0: (FRAME + 12, 3000)}

TABLE = os.path.join(os.path.dirname(__file__), "../../../docs/matrix.md")
_verdicts = {}


def guest_options(bed, ring, receive, descriptors, notification):
    shortest, longest = LENGTHS[RECEIVE[receive]]
    # DPDK's back end follows a table only where a chain begins.
    layouts = [layout for layout in DESCRIPTORS[descriptors]
               if layout != "direct_indirect" or bed.ports == "iovtee"]
    return {"format": ring, "size": FORMATS[ring], "mergeable": RECEIVE[receive],
            "indirect": int(descriptors == "indirect"),
            "layouts": "+".join(layouts),
            "len_min": shortest, "len_max": longest, **NOTIFICATION[notification]}


def run_cell(pvp, queues, cell):
    """One guest, from its connection to its end."""
    guest, before = pvp.guest, pvp.nic()
    pvp.setup(pairs=queues, **guest_options(pvp.bed, *cell))
    pvp.attach()
    guest.up()
    if cell[3] != "poll":
        wait_until(lambda: guest.stats()["sleeps"], 5, "the guest to sleep")
        time.sleep(0.01)  # it was woken to answer
    pvp.start_source()
    wait_until(lambda: pvp.nic()["tx_device_frames"] - before["tx_device_frames"] >= FRAMES, 10,
               f"{FRAMES} frames to return")
    stats = guest.wait_settled()
    check_equal(stats["received"], FRAMES, "frames that the guest received")
    guest.check_quiet(stats, cell[3] == "poll")
    guest.stop()
    pvp.check_nic(before, FRAMES)
    pvp.check_accounts()
    guest.cmd("frozen")
    guest.cmd("close")


def recover(pvp, queues):
    """After a failure: a plain guest takes what is left of the source."""
    pvp.switch.check_alive()
    pvp.guest.kill()
    guest = pvp.new_guest()
    pvp.setup(pairs=queues)
    pvp.attach()
    guest.up()
    wait_until(pvp.source_done, 10, "the source to be done")
    guest.wait_settled()
    guest.stop()
    guest.cmd("close")


def run_cells(bed, queues, mode):
    pvp, wrong = FrontendPvp(bed, frame=FRAME, count=FRAMES, queues=queues, client=MODES[mode]), []
    for cell in itertools.product(FORMATS, RECEIVE, DESCRIPTORS, NOTIFICATION):
        start = time.monotonic()
        try:
            run_cell(pvp, queues, cell)
            _verdicts[cell, queues, mode] = "ok"
        except Failure as failure:
            _verdicts[cell, queues, mode] = "FAILED"
            wrong.append(f"{', '.join(cell)}: {failure} ({pvp.tell()})")
            recover(pvp, queues)
        print(f"{mode}, {queues} queues, {', '.join(cell)}: {_verdicts[cell, queues, mode]} "
              f"{time.monotonic() - start:.2f} s", flush=True)
    pvp.guest.kill()
    pvp.switch.quit()
    if bed.ports == "iovtee" and not bed.session.sanitizer.suffix:
        write_table()
    check(not wrong, f"{len(wrong)} cells: " + "; ".join(wrong))


def table():
    columns = list(itertools.product(QUEUES, MODES))
    lines = ["# Guests that were run", "",
             "Written by `tests/integration/cases/frontend_matrix.py`: each cell is a guest of the test front",
             f"end through testpmd with our ports, {FRAMES} frames of {FRAME} bytes there and back. *ok*: all",
             "came back intact and in order in each flow, no access outside mapped memory, every buffer",
             "accounted for by guest and counters, a guest that polls was never notified, one that sleeps was",
             "always woken, and its memory did not change after GET_VRING_BASE.",
             "",
             "| ring | receive | descriptors | notification | "
             + " | ".join(f"{q} queue{'s' * (q > 1)}, {mode}" for q, mode in columns) + " |",
             "|---" * (4 + len(columns)) + "|"]
    for cell in itertools.product(FORMATS, RECEIVE, DESCRIPTORS, NOTIFICATION):
        verdicts = [_verdicts[cell, *column] for column in columns]
        lines.append("| " + " | ".join([*cell, *verdicts]) + " |")
    return "\n".join(lines) + "\n"


def write_table():
    """Once all of it has been run. In another release the tree is read-only: the table is not about that one."""
    cells = itertools.product(FORMATS, RECEIVE, DESCRIPTORS, NOTIFICATION)
    if len(_verdicts) < len(list(cells)) * len(QUEUES) * len(MODES) or not os.access(TABLE, os.W_OK):
        return
    with open(TABLE, "w") as f:
        f.write(table())


def _register(queues, mode):
    @test(f"frontend-matrix-{queues}q-{mode}")
    def matrix(bed):
        run_cells(bed, queues, mode)


for _queues, _mode in itertools.product(QUEUES, MODES):
    _register(_queues, _mode)
