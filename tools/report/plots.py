# SPDX-License-Identifier: BSD-3-Clause
"""A benchmark's results as SVG, drawn by gnuplot."""
import os
import subprocess

FORM = """set terminal svg size 860,480 noenhanced font 'sans,14' background 'white'
set output '{path}'
set title '{title}'
set grid ytics lt 1 lc rgb '#dddddd'
set linetype 5 lc rgb '#aa4455'
set border 3
set tics nomirror
set yrange [0:*]
"""

# Of frame sizes, evenly spread.
LINES = """set key outside right top
set xlabel 'bytes a frame'
set logscale x 2
set xtics ({tics})
plot {curves}
"""

# A heap for each series, in a group for each frame size.
BARS = """set key outside right top invert
set ylabel 'cycles a packet'
set style data histograms
set style histogram rowstacked gap 1
set style fill solid 0.85 border -1
set boxwidth 0.75
set xtics rotate by -35
set bmargin 7
plot {groups}
"""


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def cell(value):
    return "NaN" if value is None else f"{value:.6g}"


def gnuplot(folder, path, title, body):
    """Only a picture that was drawn without complaint is left."""
    done = subprocess.run(["gnuplot"], input=FORM.format(path=path, title=title.replace("'", "''")) + body, text=True,
                          cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0 or done.stdout.strip():
        raise RuntimeError(f"gnuplot does not draw {path}: {done.stdout.strip()}")


def block(name, lines):
    return "\n".join([f"{name} << EOD", *lines, "EOD", ""])


def lines(folder, path, title, r, key):
    """A curve over the frame size for each series."""
    data = (" ".join([str(frame), *(cell(r.value(frame, series, key)) for series in r.series)]) for frame in r.frames)
    curves = (f"$data using 1:{i} with linespoints lw 2 pt {i} title {quoted(series)}"
              for i, series in enumerate(r.series, 2))
    gnuplot(folder, path, title, block("$data", data) +
            LINES.format(tics=", ".join(map(str, r.frames)), curves=", ".join(curves)))


def bars(folder, path, title, r):
    """What the stages take, for the smallest and the largest frames."""
    body, groups = "", []
    for n, frame in enumerate(sorted({r.frames[0], r.frames[-1]})):
        body += block(f"$group{n}", (
            " ".join([f'"{series}"', *(f'{r.value(frame, series, "stages", stage) or 0:.6g}' for stage in r.stages)])
            for series in r.series if (frame, series) in r.cells))
        groups.append(f"newhistogram '{frame} bytes' offset 0,-1 lt 1")
        groups += (f"$group{n} using {i}:xtic(1) " + (f'title {quoted(stage.replace("_", " "))}' if n == 0 else "notitle")
                   for i, stage in enumerate(r.stages, 2))
    gnuplot(folder, path, title, body + BARS.format(groups=", ".join(groups)))


def draw(r, folder):
    """Return titles and file names."""
    os.makedirs(folder, exist_ok=True)
    figures = []
    for path, title, key in (("cycles.svg", "Switch, cycles a packet", "cycles_per_packet"),
                             ("mpps-switch.svg", "Switch, Mpps", "switch_mpps"),
                             ("mpps-end-to-end.svg", "End to end, Mpps", "mpps")):
        lines(folder, path, title, r, key)
        figures.append((title, path))
    if r.stages:
        title = "Stages of the switch, cycles a packet"
        bars(folder, "stages.svg", title, r)
        figures.append((title, "stages.svg"))
    return figures
