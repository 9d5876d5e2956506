"""What rounds of measurements say: medians, and ratios within a round. Pure arithmetic.

A round is one sample of each contender, taken one after the other; the order changes from round to
round. What slows the machine for a while slows a whole round, so that the ratio of two contenders
within it stays, and the median of these ratios is what is worth telling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

Round = Mapping[str, Sequence[float]]
"""Contender → seconds of each of its runs."""


class Row(NamedTuple):
    """One contender's line in the table."""

    name: str
    stage_ms: float
    """Median over the rounds of the median run, divided by its stages."""
    best_ms: float
    worst_ms: float
    """Of the rounds' medians."""
    runs_per_second: float
    ratios: tuple[float, ...]
    """Its time divided by that of each reference: above 1 it is the slower one."""


def rotated(names: Sequence[str], number: int) -> list[str]:
    """Return the order of a round: whoever was first is last in the next."""
    start = number % len(names)
    return [*names[start:], *names[:start]]


def rows(rounds: Sequence[Round], stages: int, references: Sequence[str]) -> list[Row]:
    """Return a row for each contender that took part in every round."""
    present = [name for name in rounds[0] if all(name in each for each in rounds)]
    return [_row(name, rounds, stages, references) for name in present]


def _row(name: str, rounds: Sequence[Round], stages: int, references: Sequence[str]) -> Row:
    medians = [median(each[name]) for each in rounds]
    ratios = tuple(
        median(median(each[name]) / median(each[reference]) for each in rounds)
        for reference in references
    )
    stage_ms = [1000 * seconds / stages for seconds in medians]
    return Row(name, median(stage_ms), min(stage_ms), max(stage_ms), 1 / median(medians), ratios)
