# SPDX-License-Identifier: BSD-3-Clause
"""What counts as passed, and the table that says so."""
import re

ZERO_COPY_SHARE = 0.99
# Levels, of which a difference says nothing.
GAUGES = ("tx_q0_outstanding", "tx_q0_mapped", "tx_q0_map_reason")


class Checks:
    """One line a check; the closing line counts them."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def _add(self, verdict, name, detail):
        self.counts[verdict] += 1
        print(f"{verdict:8}{name:15}{detail}", flush=True)

    def passed(self, name, detail):
        self._add("passed", name, detail)

    def failed(self, name, detail):
        self._add("failed", name, detail)

    def skipped(self, name, detail):
        self._add("skipped", name, detail)

    def verdict(self, good, name, detail):
        self._add("passed" if good else "failed", name, detail)

    def close(self):
        """Print the closing line; returns the exit status."""
        print(", ".join(f"{count} {verdict}" for verdict, count in self.counts.items()))
        return 1 if self.counts["failed"] else 0


def _xstats(log):
    """What testpmd printed, {name: value} for each port and each time, in order."""
    sections = re.split(r"^.*NIC extended statistics for port \d+ *$", log, flags=re.M)[1:]
    return [{name: int(value) for name, value in re.findall(r"^(\w+): (\d+)$", section, re.M)}
            for section in sections]


def _differences(log, marker):
    """How the counters of the port that has `marker` grew in each of the two rounds."""
    printed = [counters for counters in _xstats(log) if marker in counters]
    if len(printed) != 4:
        return None
    return [{name: after[name] - before.get(name, 0) for name in after}
            for before, after in (printed[0:2], printed[2:4])]


def check_frames(checks, number, result, count):
    good = result.intact == count and not result.unexpected
    checks.verdict(good, f"frames {number}",
                   f"{result.intact} of {count} intact, {result.corrupt} corrupt, "
                   f"{result.lost} lost, {result.unexpected} unexpected, {result.seconds:.1f} s")


def check_end(checks, status):
    exits = {name: status.get(f"{name}-exit", "none") for name in ("switch", "nf")}
    detail = ", ".join(f"{name} exit status {value}" for name, value in exits.items())
    if "failed" in status:
        detail += f": {status['failed']}"
    checks.verdict(set(exits.values()) == {"0"}, "end", detail)


def check_faults(checks, machine):
    """QEMU's trace has every fault; the kernel's log is rate-limited, but says what it was."""
    if not (machine.folder / "trace.log").exists():
        checks.failed("IOMMU faults", "no trace.log: this QEMU has no trace event vtd_dmar_fault")
        return
    traced = re.findall(r"^(?:\S+@\S+:)?vtd_dmar_fault .*", machine.log("trace.log"), re.M)
    logged = re.findall(r"DMAR: .*fault addr.*", machine.log("share/dmesg"))
    detail = f"{len(traced)} traced by QEMU, {len(logged)} in dmesg"
    for first in (traced[:1] + logged[:1]):
        detail += f"; {first}"
    checks.verdict(not traced and not logged, "IOMMU faults", detail)


def check_zero_copy(checks, machine, options):
    if options.ports != "iovtee":
        checks.skipped("zero copy", "only with --ports iovtee")
        return
    log = machine.log("share/switch.log")
    guest_side = _differences(log, "tx_q0_zero_copy_packets")
    nic_side = _differences(log, "iovtee_rx_q0_bound_packets")
    if not guest_side or not nic_side:
        checks.failed("zero copy", "the switch's log lacks counters; see share/switch.log")
        return
    for number, (guest, nic) in enumerate(zip(guest_side, nic_side), 1):
        count = guest["tx_q0_zero_copy_packets"]
        # More than were sent would mean that other frames were counted too.
        good = ZERO_COPY_SHARE * options.frames < count <= options.frames
        checks.verdict(good, f"zero copy {number}", f"{count} of {options.frames} frames")
        for name, value in (nic | guest).items():
            if value and name not in GAUGES and name.startswith(("iovtee_", "tx_q0_")):
                print(f"        {name:35}{value:10}")


def print_tail(machine, name, lines=8):
    for line in machine.log(name).splitlines()[-lines:]:
        print(f"        {name}: {line}")
