"""Who executes which work, written down as it happens: never two at a time, never too often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.simulation.violations import Findings


class Attempt(NamedTuple):
    """One attempt of one work."""

    work_id: str
    number: int


@dataclass
class Holder:
    """Somebody who began an attempt. ``is_at_it`` tells whether he still works under his lease."""

    who: str
    attempt: Attempt
    is_at_it: Callable[[], bool]


class Holders:
    """All of one world."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.begun: dict[str, list[Holder]] = {}

    def begin(self, holder: Holder, most: int) -> None:
        """Somebody begins to execute; ``most`` is how often the work may be."""
        before = self.begun.setdefault(holder.attempt.work_id, [])
        for other in before:
            name = f"work {holder.attempt.work_id}"
            if other.attempt == holder.attempt:
                number = holder.attempt.number
                self._findings.violate(
                    f"{name}: {other.who} and {holder.who} both began attempt {number}"
                )
            elif other.is_at_it():
                self._findings.violate(f"{name}: {holder.who} began while {other.who} was at it")
        before.append(holder)
        told = f"work {holder.attempt.work_id} was executed {len(before)} times, of {most}"
        self._findings.check(len(before) <= most, told)
