"""The work queue's benchmark: deposits and withdrawals a second, beside ``huey`` on SQLite.

::

    python -m benchmarks.work_queue              # some minutes
    python -m benchmarks.work_queue --million    # and a million queued works: many minutes
    python -m benchmarks.work_queue --rounds 1 --calls 50  # does it run at all?

Run it on an otherwise idle machine. huey is in ``.[bench]``; without it it says so and goes on. A
round has one sample of each contender, in rotating order; the table has medians over the rounds,
and the median of the ratios within a round, above 1 where ours is the faster one. What the figures
mean, and what they do not, stands in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
from statistics import median
from typing import Any, Final

from benchmarks.rounds import rotated
from benchmarks.samples import take_sample
from benchmarks.work_queue_contenders import CONTENDERS

OURS: Final = "falsework"
LENGTHS: Final = (10, 10_000)
MILLION: Final = 1_000_000


def main() -> None:
    """Print a table for each length of the queue."""
    told = _arguments()
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
    )
    lengths = [*told.queued, *([MILLION] if told.million else [])]
    for queued in lengths:
        rounds = _rounds(told, queued)
        if rounds:
            _print_table(queued, rounds)
    if lengths and rounds:
        _print_plans(rounds[0])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=2000, help="of each kind in a sample")
    parser.add_argument("--queued", type=int, nargs="*", default=[*LENGTHS])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--million", action="store_true", help="with a million queued works, too")
    parser.add_argument("--contenders", nargs="+", choices=[*CONTENDERS], default=[*CONTENDERS])
    return parser.parse_args()


def _rounds(told: argparse.Namespace, queued: int) -> list[dict[str, Any]]:
    """Return for each round what each contender told; those that are missing left out."""
    names = list(told.contenders)
    rounds = []
    for number in range(told.rounds):
        samples = {name: _sample(name, queued, told) for name in rotated(names, number)}
        for name in [name for name in names if "missing" in samples[name]]:
            print(f"{name} is left out: {samples.pop(name)['missing']}\n")
            names.remove(name)
        rounds.append(samples)
    return rounds


def _sample(name: str, queued: int, told: argparse.Namespace) -> dict[str, Any]:
    words = ["--queued", queued, "--calls", told.calls, "--workers", *told.workers]
    return take_sample("benchmarks.work_queue_contenders", name, *words)


def _print_table(queued: int, rounds: list[dict[str, Any]]) -> None:
    first = rounds[0]
    names = [name for name in CONTENDERS if all(name in samples for samples in rounds)]
    others = [name for name in names if name != OURS and OURS in names]
    print(f"## {queued:,} queued works: {len(rounds)} rounds\n")
    heads = [f"{name} {first[name]['version']}" for name in names]
    _print_row(["a second (of CPU)", *heads, *(f"ours / {name}" for name in others)])
    _print_row(["---"] * (1 + len(names) + len(others)))
    for what in first[names[0]]["rates"]:
        rates = {name: [samples[name]["rates"][what] for samples in rounds] for name in names}
        ratios = [
            f"{_ratio(rates, name, 0):.2f} ({_ratio(rates, name, 1):.2f})" for name in others
        ]
        _print_row([what, *(_medians(rates[name]) for name in names), *ratios])
    _print_row(["durability", *(first[name]["journal"] for name in names), *("" for _ in others)])
    print()


def _medians(rates: list[tuple[float, float]]) -> str:
    return f"{median(wall for wall, _ in rates):,.0f} ({median(cpu for _, cpu in rates):,.0f})"


def _ratio(rates: dict[str, list[tuple[float, float]]], name: str, which: int) -> float:
    pairs = zip(rates[OURS], rates[name], strict=True)
    return median(ours[which] / other[which] for ours, other in pairs)


def _print_plans(samples: dict[str, Any]) -> None:
    print("How SQLite reads the head of the queue:\n")
    for name, told in samples.items():
        print(f"* {name}: `{'; '.join(told['plan'])}`")


def _print_row(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
