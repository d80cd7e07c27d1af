# SPDX-License-Identifier: BSD-3-Clause
"""A benchmark's results as Markdown."""


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def by_frame(r, title, cell, series=None, more=None):
    """A line for each frame size, a column for each series, and one more in front of these."""
    series = r.series if series is None else series
    name, extra = more or (None, None)
    yield f"{title}:"
    yield ""
    yield from table(["frame", *([name] if more else []), *series],
                     ([str(frame), *([extra(frame)] if more else []), *(cell(frame, one) for one in series)]
                      for frame in r.frames))


def machine(r):
    if not r.machine:
        yield "What it ran on is not recorded in the results."
        yield ""
        return
    yield from table(["", ""], ([name, str(value)] for name, value in r.machine.items()))


def command(r):
    if r.command:
        yield f"Measured by `{r.command}`, written by `make bench-report`."
        yield ""


def ratios(r, key):
    def cell(frame, series):
        ratio = r.ratios.get((frame, series))
        return "-" if ratio is None else f'{ratio[key]:.2f} [{ratio[key + "_q1"]:.2f} {ratio[key + "_q3"]:.2f}]'
    return cell


def distance(r):
    def cell(frame):
        return number(next((c["core_round_trip"] for (f, _), c in r.cells.items()
                            if f == frame and "core_round_trip" in c), None), 0)
    return ("cores, there and back", cell)


def stages(r):
    yield "Stages of the switch, cycles a packet:"
    yield ""
    yield from table(["frame", "datapath", *(stage.replace("_", " ") for stage in r.stages), "all"],
                     ([str(frame), series,
                       *(number(r.value(frame, series, "stages", stage), 1) for stage in r.stages),
                       number(r.value(frame, series, "cycles_per_packet"), 1)]
                      for frame in r.frames for series in r.series if (frame, series) in r.cells))


def latencies(r):
    """Of benchmarks that have measured it at several loads."""
    measured = [(frame, series, at) for (frame, series), cell in r.cells.items() for at in cell.get("latency", [])]
    if not measured:
        return
    names = [name for name in measured[0][2] if name != "load"]
    yield "Latency at so many percent of each one's own maximum, microseconds:"
    yield ""
    yield from table(["frame", "datapath", "load", *names],
                     ([str(frame), series, f'{at["load"]} %', *(number(at.get(name), 1) for name in names)]
                      for frame, series, at in sorted(measured, key=lambda m: (m[0], r.series.index(m[1])))))


def damage(r):
    """Frames that did not come back as they should."""
    corrupt = sum(cell.get("corrupt", 0) for cell in r.cells.values())
    faults = sum(cell.get("iommu_faults", 0) for cell in r.cells.values())
    yield f"Corrupt frames: {corrupt}; IOMMU faults: {faults}."
    yield ""
    yield from by_frame(r, "Lost frames, of a million sent", lambda frame, series: number(
        None if (frame, series) not in r.cells else
        1e6 * r.value(frame, series, "loss") / max(1, r.value(frame, series, "sent")), 0))


def figure(title, path):
    yield f"![{title}]({path})"
    yield ""


def write(r, figures):
    """All of it, as lines; figures are titles and paths of plots."""
    yield from command(r)
    yield from machine(r)
    for title, path in figures:
        yield from figure(title, path)
    yield from by_frame(r, "Switch, cycles a packet", lambda f, s: number(r.value(f, s, "cycles_per_packet"), 1),
                        more=distance(r))
    yield from by_frame(r, "Switch, Mpps", lambda f, s: number(r.value(f, s, "switch_mpps"), 2))
    yield from by_frame(r, "End to end, Mpps", lambda f, s: number(r.value(f, s, "mpps"), 2))
    compared = [series for series in r.series if any(s == series for _, s in r.ratios)]
    for name, key in (("Switch", "switch"), ("End to end", "end_to_end")):
        if compared:
            yield from by_frame(r, f'{name}, times {", ".join(r.baselines)} [quartiles]', ratios(r, key), compared)
    yield from stages(r)
    yield from latencies(r)
    yield from damage(r)
