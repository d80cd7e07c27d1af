# SPDX-License-Identifier: BSD-3-Clause
"""What a run has to show: frames, counters of the switch, faults of the IOMMU."""
import re

from harness import map_reasons
from harness.errors import check, check_equal
from harness.registry import figure

ZERO_COPY_SHARE = 0.99
LENT_SHARE = 0.9  # at moments too many are out: those are copied
# What the switch's log says of a map_reason.
REFUSALS = {
    map_reasons.SHARED_QUEUE: "zero-copy receive off: other traffic reaches this uplink queue too",
    map_reasons.NO_STEERING: "zero-copy receive off: the NIC cannot steer the guest's address into the queue",
    map_reasons.DRIVER: "zero-copy receive off: the NIC's driver does not give back what it has posted",
}


def _xstats(log):
    """What testpmd printed, {name: value} for each port and each time, in order."""
    sections = re.split(r"^.*NIC extended statistics for port \d+ *$", log, flags=re.M)[1:]
    return [{name: int(value) for name, value in re.findall(r"^(\w+): (\d+)$", section, re.M)}
            for section in sections]


def _rounds(log, marker):
    """The counters of the port that has `marker`, before and after each of the two rounds."""
    printed = [counters for counters in _xstats(log) if marker in counters]
    check_equal(len(printed), 4, f"times that the switch's log has {marker}, see share/switch.log")
    return printed[0:2], printed[2:4]


def _queues(counters, pattern):
    """Values of a counter of each queue: {queue: value}."""
    found = ((re.fullmatch(pattern, name), value) for name, value in counters.items())
    return {int(match.group(1)): value for match, value in found if match}


def check_frames(name, number, result, count):
    said = (f"{result.intact} of {count} frames intact, {result.corrupt} corrupt, {result.lost} lost, "
            f"{result.unexpected} unexpected")
    figure(f"{name}: round {number}: {said}, {result.seconds:.1f} s")
    check(result.intact == count and not result.unexpected, f"round {number}: {said}")


def check_end(status):
    exits = {name: status.get(f"{name}-exit", "none") for name in ("switch", "nf")}
    check(set(exits.values()) == {"0"}, f"exit statuses {exits}, {status.get('failed', 'nothing reported')}")


def faults(machine):
    """As QEMU has traced them: it has every one; the kernel's log is rate-limited."""
    check((machine.folder / "trace.log").exists(), "no trace.log: this QEMU has no trace event vtd_dmar_fault")
    traced = re.findall(r"^(?:\S+@\S+:)?vtd_dmar_fault .*", machine.log("trace.log"), re.M)
    logged = re.findall(r"DMAR: .*fault addr.*", machine.log("share/dmesg"))
    return traced, logged


def check_no_faults(name, machine):
    traced, logged = faults(machine)
    figure(f"{name}: IOMMU faults: {len(traced)} traced by QEMU, {len(logged)} in dmesg")
    check(not traced and not logged, f"IOMMU faults: {' '.join(traced[:1] + logged[:1])}")


def check_faulted(name, machine):
    """The NIC has tried to write where it must not: the trace tells of it."""
    traced, logged = faults(machine)
    figure(f"{name}: IOMMU faults: {len(traced)} traced by QEMU, {len(logged)} in dmesg; {traced[:1]}")
    check(traced, "a plugin that posts unmapped memory was not seen to fault")


def _check_accounts(counters, queue):
    """Nothing is held by NIC or switch but what is outstanding, and no ring was broken."""
    def of(name):
        return counters[f"tx_q{queue}_{name}"]
    spent = sum(map(of, ("completed", "copied_reclaimed", "rewound", "flushed", "abandoned", "late", "outstanding")))
    check_equal(spent, of("harvested"), f"buffers accounted for of queue {queue}")
    for name in ("late", "abandoned", "ring_errors"):
        check_equal(of(name), 0, f"{name} of queue {queue}")


def check_zero_copy(name, machine, frames, queues):
    """Nearly all frames were written into the guest by the NIC, and each queue has had some."""
    log = machine.log("share/switch.log")
    for number, (before, after) in enumerate(_rounds(log, "tx_q0_zero_copy_packets"), 1):
        grown = {key: value - before.get(key, 0) for key, value in after.items()}
        by_queue = _queues(grown, r"tx_q(\d+)_zero_copy_packets")
        count = sum(by_queue.values())
        copies = {key: value for key, value in grown.items() if value and re.match(r"tx_q\d+_(copied_|starved)", key)}
        figure(f"{name}: round {number}: {count} of {frames} frames zero-copy, by queue {list(by_queue.values())}"
               f"{', ' if copies else ''}{', '.join(f'{key} {value}' for key, value in copies.items())}")
        # More than were sent would mean that other frames were counted too.
        check(ZERO_COPY_SHARE * frames < count <= frames, f"round {number}: {count} of {frames} frames zero-copy")
        check_equal(len(by_queue), queues, "queues of the guest")
        check(min(by_queue.values()) > 0, f"round {number}: a queue received nothing: {by_queue}")
        for queue in by_queue:
            _check_accounts(after, queue)
    nic = _rounds(log, "iovtee_rx_q0_bound_packets")[1][1]
    figure(f"{name}: NIC: " + ", ".join(f"{key.removeprefix('iovtee_')} {value}" for key, value in nic.items()
                                        if value and key.startswith("iovtee_")))


def check_copied(name, machine, frames, reason):
    """All frames were copied, for this reason, which the log tells for each of the two NFs."""
    log = machine.log("share/switch.log")
    check_equal(log.count(REFUSALS[reason]), 2, f"times that the switch's log has '{REFUSALS[reason]}'")
    for number, (before, after) in enumerate(_rounds(log, "tx_q0_zero_copy_packets"), 1):
        copied = after["tx_q0_copied_packets"] - before["tx_q0_copied_packets"]
        figure(f"{name}: round {number}: {copied} of {frames} frames copied, map_reason {after['tx_q0_map_reason']}")
        check_equal(after["tx_q0_map_reason"], reason, "map_reason")
        check_equal((copied, after["tx_q0_zero_copy_packets"]), (frames, 0), "frames copied, and zero-copy")
        _check_accounts(after, 0)


def check_lent(name, machine, frames, lends):
    """What the NF sends leaves out of its memory if the NIC's driver can say when it has left, and comes back to it."""
    for number, (before, after) in enumerate(_rounds(machine.log("share/switch.log"), "tx_q0_zero_copy_packets"), 1):
        borrowed, back, overdue = (
            sum(_queues(after, rf"rx_q(\d+)_{counter}").values()) - sum(_queues(before, rf"rx_q(\d+)_{counter}").values())
            for counter in ("borrowed", "returned", "overdue"))
        figure(f"{name}: round {number}: {borrowed} of {frames} frames sent in place, {back} given back")
        check_equal(overdue, 0, "packets overdue")
        if lends:
            check(borrowed >= LENT_SHARE * frames, f"round {number}: {borrowed} of {frames} frames sent in place")
        else:
            check_equal(borrowed, 0, "frames sent in place")
