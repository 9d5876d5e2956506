"""What runs cost, as text: the verb ``cost``, and the range that a dry run shows."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from chalicelib.cli.complaints import Exit
from chalicelib.cli.connection import connect, run_path
from chalicelib.cli.places import settings_of
from chalicelib.cli.showing import columns, printable

_HEADINGS: Final = ["WHAT", "VCPU-H", "GIB-H", "GPU-H"]
_HOUR: Final = 3600
_LITTLE: Final = 0.01
"""What is less shows six decimals, which are all that an answer has: seconds of a job cost some
millionths."""


def cost(arguments: argparse.Namespace) -> Exit:
    """``cost RUN``: what it has cost so far, by stage, and how much of it was in vain."""
    told = connect(settings_of(arguments)).get(run_path(arguments.run, "/cost"))
    print(json.dumps(told, indent=2) if arguments.json else cost_text(told))
    return Exit.SUCCESS


def cost_text(told: dict[str, Any]) -> str:
    """Return the cost as a table, and below it what it leaves out."""
    rows = [
        *(_row(printable(name), used) for name, used in told["stages"].items()),
        ["bytes", "", "", "", _figure(told["moved"]["amount"])],
        ["all", *_row("", told["used"])[1:4], _figure(told["amount"])],
        *_wasted(told),
        *_below(told),
    ]
    so_far = ["", so] if (so := _so_far(told)) else []
    left_out = [f"not counted: {printable(each)}" for each in told["not_counted"]]
    prices = f"prices: {printable(told['prices'])}"
    table = _figures([[*_HEADINGS, printable(told["currency"])], *rows])
    return "\n".join([table, *so_far, *left_out, prices])


def _figures(rows: list[list[str]]) -> str:
    """Return the rows in columns; figures end below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return columns(
        [
            [name, *(each.rjust(width) for each, width in zip(figures, widths[1:], strict=True))]
            for name, *figures in rows
        ]
    )


def _below(told: dict[str, Any]) -> list[list[str]]:
    """What the runs that it started have cost, and both together."""
    below = told.get("children")
    if not below:
        return []
    name = f"its {below['runs']} runs" if below["is_whole"] else f"{below['runs']} of its runs"
    own = [name, *_row("", below["used"])[1:4], _figure(below["amount"])]
    return [
        own,
        *_wasted(below),
        ["total", "", "", "", _figure(told["total"])],
    ]


def _so_far(told: dict[str, Any]) -> str:
    if not told["is_final"]:
        return "so far: the run is not done"
    below = told.get("children")
    return "" if not below or below["is_final"] else "so far: runs that it started are not done"


def _wasted(told: dict[str, Any]) -> list[list[str]]:
    return [
        _row("of it retries", told["wasted"]["retries"]),
        _row("of it interruptions", told["wasted"]["interruptions"]),
    ]


def range_text(price: dict[str, Any]) -> str:
    """Return a dry run's price range as a sentence."""
    kind = printable(price["execution_type"])
    if not price["runs"]:
        return (
            f"price: nobody knows; none of the group's last {price['looked_at']} successful runs"
            f" is of the type {kind}"
        )
    low, middle, high = (
        amount(price[name], price["currency"]) for name in ("lowest", "median", "highest")
    )
    runs = f"{price['runs']} run{'' if price['runs'] == 1 else 's'} of the type {kind}"
    if low == high:
        return f"price: {low}, as {runs} cost"
    return f"price: {low} to {high}, mostly {middle}; {runs}"


def amount(value: float, currency: str) -> str:
    """Return an amount with as many decimals as small ones need."""
    return f"{_figure(value) if value < 1 else f'{value:.2f}'} {currency}"


def _row(name: str, used: dict[str, float]) -> list[str]:
    hours = (used[each] / _HOUR for each in ("vcpu_seconds", "memory_gib_seconds", "gpu_seconds"))
    return [name, *(_figure(each) for each in hours), _figure(used["amount"])]


def _figure(value: float) -> str:
    """Return nothing as 0, and little with decimals enough to be told from nothing."""
    if not value:
        return "0"
    return f"{value:.6f}" if value < _LITTLE else f"{value:.4f}"
