"""Analyse a genome: base composition per sequence, and GC content along it.

::

    python3 analyse_genome.py GENOME.fa REPORT [--window 500]

REPORT is a folder; two files are written into it.

``report.tsv``
    Two tables with tab-separated columns, an empty line between them. The first has a row per
    sequence, ``sequence length gc_percent A C G T other``; the second a row per window,
    ``sequence window_start window_end gc_percent``, positions counted from 1, both ends included.
    The last window of a sequence may be shorter.
``gc.svg``
    A plot of the second table, one panel per sequence (of the first twelve). A last window of
    less than half the length is not drawn: a few bases say nothing.

GC percent is (G + C) / (A + C + G + T): letters that name no single base (``N``, ``R``, …) are
counted as ``other`` and left out; where nothing else is left the cell is empty. The FASTA is read
line by line, so a chromosome needs no more memory than its windows. Standard library only.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

BASES = "ACGT"
AMBIGUOUS = frozenset("URYSWKMBDHVN-.*")
"""IUPAC codes that stand for several bases, for U, for gaps and for stops."""
MOST_PANELS = 12


class BadInput(Exception):
    """The genome cannot be read; the message says where and why."""


class Window(NamedTuple):
    """A stretch of a sequence; positions from 1, both included."""

    start: int
    end: int
    gc_percent: float | None
    """None where no base is known."""


class Sequence(NamedTuple):
    """What was found out about one sequence."""

    name: str
    counts: Counter[str]
    windows: list[Window]

    @property
    def length(self) -> int:
        """Letters of every kind."""
        return self.counts.total()


def read_fasta(path: Path) -> Iterator[tuple[str, Iterator[str]]]:
    """Yield the name and the lines of each sequence, upper case; read them in this order."""
    with path.open(encoding="utf-8", errors="replace") as file:
        numbered = ((number, line.strip()) for number, line in enumerate(file, 1))
        waiting = next(((n, line) for n, line in numbered if line), None)
        if waiting is None:
            raise BadInput(f"{path} is empty; a FASTA file is needed")
        if not waiting[1].startswith(">"):
            raise BadInput(f"{path}, line {waiting[0]}: a FASTA file begins with '>', not this")
        while waiting:
            number, header = waiting
            name = header[1:].split()
            if not name or not name[0].isprintable():
                raise BadInput(f"{path}, line {number}: the sequence has no readable name")
            following: list[tuple[int, str]] = []
            yield name[0], sequence_lines(path, numbered, following)
            waiting = following[0] if following else None


def sequence_lines(
    path: Path, numbered: Iterator[tuple[int, str]], following: list[tuple[int, str]]
) -> Iterator[str]:
    """Yield a sequence's lines; the header after them is left in ``following``."""
    allowed = AMBIGUOUS | frozenset(BASES)
    for number, line in numbered:
        if line.startswith(">"):
            following.append((number, line))
            return
        letters = line.upper()
        if not allowed.issuperset(letters):
            wrong = min(set(letters) - allowed)
            raise BadInput(f"{path}, line {number}: {wrong!r} is no letter of a DNA sequence")
        yield letters


def gc_percent(counts: Counter[str]) -> float | None:
    """Return the share of G and C among the known bases, in percent."""
    known = sum(counts[base] for base in BASES)
    return 100 * (counts["G"] + counts["C"]) / known if known else None


def analyse(name: str, lines: Iterable[str], window: int) -> Sequence:
    """Count the whole sequence and each of its windows, in one pass."""
    total: Counter[str] = Counter()
    windows: list[Window] = []
    pending = ""
    for line in lines:
        letters, begin = pending + line, 0
        while begin + window <= len(letters):
            close_window(letters[begin : begin + window], total, windows)
            begin += window
        pending = letters[begin:]
    if pending:
        close_window(pending, total, windows)
    if not windows:
        raise BadInput(f"the sequence {name!r} has no bases")
    return Sequence(name, total, windows)


def drawn(sequence: Sequence, window: int) -> list[Window]:
    """Return the windows without a last one that is too short to mean anything."""
    whole = [each for each in sequence.windows if 2 * (each.end - each.start + 1) >= window]
    return whole or sequence.windows


def close_window(letters: str, total: Counter[str], windows: list[Window]) -> None:
    """Add a window's letters to the total and its row to the list."""
    start = total.total() + 1
    counts = Counter(letters)
    total.update(counts)
    windows.append(Window(start, start + len(letters) - 1, gc_percent(counts)))


def write_report(path: Path, sequences: list[Sequence]) -> None:
    """Write ``report.tsv``, as the module's docstring describes it."""
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write("\t".join(["sequence", "length", "gc_percent", *BASES, "other"]) + "\n")
        for each in sequences:
            counts = [each.counts[base] for base in BASES]
            row = [each.name, each.length, cell(gc_percent(each.counts)), *counts]
            out.write("\t".join(map(str, [*row, each.length - sum(counts)])) + "\n")
        out.write("\nsequence\twindow_start\twindow_end\tgc_percent\n")
        for each in sequences:
            for start, end, percent in each.windows:
                out.write(f"{each.name}\t{start}\t{end}\t{cell(percent)}\n")


def cell(percent: float | None) -> str:
    """Return two decimals, or nothing where nothing is known."""
    return "" if percent is None else f"{percent:.2f}"


class Scale(NamedTuple):
    """From a value to a place on the page."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 2)


WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM, HEAD = 960, 340, 78, 96, 46, 62, 12
"""Pixels: the page, a panel's height, the margins inside it, and the page's head."""

STYLE = """
text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #33414e }
.title { font-size: 17px; font-weight: 600; fill: #16212b }
.label { font-size: 14px }
.grid { stroke: #e3e8ec }
.axis { stroke: #5b6b79; fill: none }
.gc { stroke: #1667a8; stroke-width: 1.5; stroke-linejoin: round; fill: none }
.mean { stroke: #c4501b; stroke-width: 1.5; stroke-dasharray: 6 4 }
.mean-label { fill: #a23f12; font-weight: 600 }
"""


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round values from ``low`` to ``high``, at most about ``most`` of them."""
    rough = (high - low) / most
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(magnitude * each for each in (1, 2, 5, 10) if magnitude * each >= rough)
    first = math.ceil(low / step - 1e-9)
    return [each * step for each in range(first, math.floor(high / step + 1e-9) + 1)]


def write_plot(path: Path, sequences: list[Sequence], window: int) -> None:
    """Write ``gc.svg``: one panel per sequence."""
    shown = sequences[:MOST_PANELS]
    height = HEAD + PANEL * len(shown)
    panels = "".join(
        f'<g transform="translate(0 {HEAD + PANEL * number})">{panel(each, window)}</g>'
        for number, each in enumerate(shown)
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">'
        f"<title>GC content along {escape(', '.join(each.name for each in shown))}</title>"
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{panels}</svg>\n',
        encoding="utf-8",
    )


def panel(sequence: Sequence, window: int) -> str:
    """Return one sequence's plot: axes, the windows as a line, the mean."""
    windows = drawn(sequence, window)
    known = [each.gc_percent for each in windows if each.gc_percent is not None]
    mean = gc_percent(sequence.counts)
    low = max(0, math.floor((min(known, default=0) - 2) / 10) * 10)
    high = min(100, math.ceil((max(known, default=100) + 2) / 10) * 10)
    x = Scale(0, sequence.length, LEFT, WIDTH - RIGHT)
    y = Scale(low, high, PANEL - BOTTOM, TOP)
    name = sequence.name if len(sequence.name) <= 50 else f"{sequence.name[:49]}…"
    title = f"{escape(name)}: GC content in windows of {window:,} bases"
    parts = [
        f'<text class="title" x="{LEFT}" y="{TOP - 20}">{title}</text>',
        *axis_y(y),
        *axis_x(x),
        f'<path class="gc" d="{curve(windows, x, y)}"/>',
    ]
    if mean is not None:
        right, place = WIDTH - RIGHT, y(mean)
        parts.append(f'<path class="mean" d="M{LEFT} {place}H{right}"/>')
        for offset, text in ((-3, "mean"), (13, f"{mean:.2f} %")):
            label = f'<text class="mean-label" x="{right + 8}" y="{place + offset}">{text}</text>'
            parts.append(label)
    return "".join(parts)


def axis_y(y: Scale) -> Iterator[str]:
    """Yield grid lines with their percent, and the axis' label."""
    for value in ticks(y.low, y.high, 6):
        yield f'<path class="grid" d="M{LEFT} {y(value)}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 10}" y="{y(value) + 4.5}" text-anchor="end">{value:g}</text>'
    middle = (y.begin + y.end) / 2
    yield f'<path class="axis" d="M{LEFT} {y.end}V{y.begin}"/>'
    yield (
        f'<text class="label" text-anchor="middle" transform="translate(24 {middle}) '
        f'rotate(-90)">GC content (%)</text>'
    )


def axis_x(x: Scale) -> Iterator[str]:
    """Yield ticks with their position, and the axis' label with its unit."""
    bottom = PANEL - BOTTOM
    divisor, unit = 1.0, "bases"
    for larger in ((1e3, "kb"), (1e6, "Mb")):
        divisor, unit = larger if x.high >= 2 * larger[0] else (divisor, unit)
    for value in ticks(0, x.high / divisor, 10):
        place = x(value * divisor)
        yield f'<path class="axis" d="M{place} {bottom}v5"/>'
        yield f'<text x="{place}" y="{bottom + 20}" text-anchor="middle">{value:g}</text>'
    yield f'<path class="axis" d="M{x.begin} {bottom}H{x.end}"/>'
    yield (
        f'<text class="label" x="{(x.begin + x.end) / 2}" y="{bottom + 44}" '
        f'text-anchor="middle">Position ({unit})</text>'
    )


def curve(windows: list[Window], x: Scale, y: Scale) -> str:
    """Return the path through the windows' middles; it breaks where nothing is known."""
    steps: list[str] = []
    is_drawing = False
    for start, end, percent in windows:
        if percent is not None:
            command = "L" if is_drawing else "M"
            steps.append(f"{command}{x((start - 1 + end) / 2)} {y(percent)}")
        is_drawing = percent is not None
    return "".join(steps)


def main() -> int:
    """Return the exit code: 0, or 2 with a sentence on stderr."""
    parser = argparse.ArgumentParser(description="Base composition and GC content of a genome.")
    parser.add_argument("genome", type=Path, help="FASTA file")
    parser.add_argument("report", type=Path, help="folder to write report.tsv and gc.svg into")
    parser.add_argument("--window", type=int, default=500, help="bases per window (500)")
    told = parser.parse_args()
    if told.window < 1:
        parser.error(f"--window must be at least 1, not {told.window}")
    try:
        sequences = [analyse(name, lines, told.window) for name, lines in read_fasta(told.genome)]
        told.report.mkdir(parents=True, exist_ok=True)
        write_report(told.report / "report.tsv", sequences)
        write_plot(told.report / "gc.svg", sequences, told.window)
    except (BadInput, OSError) as exc:
        print(f"analyse_genome: {exc}", file=sys.stderr)
        return 2
    for each in sequences:
        print(f"{each.name}: {each.length:,} bases, GC {cell(gc_percent(each.counts))} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
