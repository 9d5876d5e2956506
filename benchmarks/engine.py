"""The engine's benchmark: its speed beside ``dbos`` and ``redun``, and the price of a demand.

::

    make bench-engine                                      # the whole, some two minutes
    python -m benchmarks.engine --rounds 1 --runs 2        # does it run at all?
    python -m benchmarks.engine --contenders falsework-calls falsework-jobs

Run it on an otherwise idle machine. It needs the checkout's development packages (``.[dev]``, for
moto) and, for the peers, ``.[bench]``; a peer that is missing is named and left out. It never
fails for being slow. What the figures mean, and what they do not, stands in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
from statistics import median
from typing import Any, Final

from benchmarks import prices
from benchmarks.contenders import CONTENDERS
from benchmarks.rounds import rotated, rows
from benchmarks.samples import take_sample

OURS: Final = ("falsework-calls", "falsework-jobs")
GOAL_MS: Final = 1.0
LONG: Final = 20
"""Chains longer than this have a fifth of the runs, and are spared the ``SLOW`` contenders."""
SLOW: Final = frozenset({"dbos-as-delivered", "redun-as-delivered"})
"""They wait for the disk at every step."""


def main() -> None:
    """Print the tables."""
    told = _arguments()
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {_machine()}\n")
    for stages in () if told.skip_speed else told.stages:
        runs = told.runs if stages <= LONG else max(1, told.runs // 5)
        _print_speed(stages, told.rounds, runs, told.contenders)
    if not told.skip_price:
        _print_price()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=40, help="of a sample; long chains have less")
    parser.add_argument("--stages", type=int, nargs="+", default=[4, 100])
    parser.add_argument("--contenders", nargs="+", choices=[*CONTENDERS], default=[*CONTENDERS])
    parser.add_argument("--skip-price", action="store_true", help="leave the demand on moto out")
    parser.add_argument("--skip-speed", action="store_true", help="leave the chains out")
    return parser.parse_args()


def _print_speed(stages: int, count: int, runs: int, contenders: list[str]) -> None:
    print(f"## {stages} stages: {count} rounds of {runs} runs\n")
    told: dict[str, dict[str, Any]] = {}
    rounds: list[dict[str, Any]] = []
    cpu_ms: dict[str, list[float]] = {}
    names = [name for name in contenders if stages <= LONG or name not in SLOW]
    for number in range(count):
        samples = {name: _sample(name, stages, runs) for name in rotated(names, number)}
        for name, sample in samples.items():
            if "missing" in sample and name in names:
                print(f"{name} is left out: {sample['missing']}")
                names.remove(name)
        told |= samples
        for name in names:
            cpu_ms.setdefault(name, []).append(1000 * samples[name]["cpu_seconds"] / runs / stages)
        rounds.append({name: samples[name]["seconds"] for name in names})
    references = [name for name in OURS if name in names]
    heads = ["contender", "ms a stage", "best - worst round", "CPU ms", "runs/s"]
    _print_row([*heads, *(f"/ {name}" for name in references), "durability"])
    _print_row(["---"] * (len(heads) + len(references) + 1))
    for row in rows(rounds, stages, references):
        name = f"{row.name} {told[row.name]['version']}"
        spread = f"{row.best_ms:.2f} - {row.worst_ms:.2f}"
        cells = [
            name,
            f"{row.stage_ms:.2f}",
            spread,
            f"{median(cpu_ms[row.name]):.2f}",
            f"{row.runs_per_second:.0f}",
        ]
        ratios = [f"{ratio:.2f}" for ratio in row.ratios]
        _print_row([*cells, *ratios, told[row.name]["durability"]])
    print(f"\nThe goal is at most {GOAL_MS:.0f} ms a stage, ahead of both peers.\n")


def _sample(name: str, stages: int, runs: int) -> dict[str, Any]:
    return take_sample("benchmarks.contenders", name, "--stages", stages, "--runs", runs)


def _print_price() -> None:
    try:
        from benchmarks.demand_cost import EVENTS, count_demand  # noqa: PLC0415 -- needs moto
    except ImportError as exc:
        print(f"## A demand execution is not counted: {exc}; pip install '.[dev]'")
        return
    counted = count_demand()
    usage = counted.usage
    print("## A demand execution with two inputs and one output, on moto\n")
    print(
        f"{usage.lambda_invocations} Lambda invocations,"
        f" {counted.jobs} Batch jobs ({len(EVENTS)} events each);"
        f" {usage.dynamodb_write_units:.0f} write units and {usage.dynamodb_read_units:.0f} read"
        " units of DynamoDB, computed from item sizes\n"
    )
    for who, calls in (("handlers", counted.calls), ("workers", counted.worker_calls)):
        some = ", ".join(f"{name} {count}" for name, count in sorted(calls.items()))
        print(f"{calls.total()} AWS calls of the {who}: {some}\n")
    _print_bill(usage)


def _print_bill(usage: prices.Usage) -> None:
    _print_row(["1,000 demands", "units", "USD", "list price", "source"])
    _print_row(["---"] * 5)
    costs = prices.usd_per_thousand(usage)
    for name, amount in usage.amounts().items():
        price = prices.PRICES[name]
        each = f"{price.usd:g} per {price.per:,} {price.unit}"
        _print_row([name, f"{1000 * amount:,.0f}", f"{costs[name]:.4f}", each, price.source])
    ours, theirs = sum(costs.values()), prices.fragment_usd_per_thousand()
    _print_row(["**ours**", "", f"**{ours:.4f}**", "", ""])
    transitions = f"{1000 * prices.FRAGMENT_TRANSITIONS:,} transitions"
    _print_row([f"**the fragment, {prices.FRAGMENT_JOBS} jobs**", transitions,
                f"**{theirs:.4f}**", "", prices.PRICES["state-transition"].source])  # fmt: skip
    verdict = "reached" if prices.is_goal_reached(ours) else "not reached"
    print(f"\nOurs is 1/{theirs / ours:.1f} of it; the goal of 1/{prices.GOAL} is {verdict}."
          f" Prices of {prices.REGION}, {prices.LOOKED_UP}.")  # fmt: skip


def _print_row(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |")


def _machine() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {platform.system()}"


if __name__ == "__main__":
    main()
