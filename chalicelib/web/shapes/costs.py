"""Runs with what they cost, and what a dry run says."""

from __future__ import annotations

from pydantic import JsonValue

from chalicelib.run_manager.spending import PriceRange
from chalicelib.web.shapes.runs import RunPage, RunView
from chalicelib.web.shapes.shape import Shape


class RunCost(Shape):
    """What a run has cost so far."""

    amount: float
    currency: str
    is_final: bool
    """Whether nothing of it is going on any more."""


class CostedRun(RunView):
    """A run of a list that was asked for with ``cost=true``."""

    cost: RunCost | None
    """Null where the run was deleted while the list was made."""


class CostedRunPage(RunPage):
    """A page of runs with what they cost."""

    runs: tuple[CostedRun, ...]


class DemandPlan(Shape):
    """What a demand would become; nothing was created."""

    stages: tuple[dict[str, JsonValue], ...]
    """In their order, each with its action; a job with its queue and what it asks for."""
    findings: tuple[str, ...]
    """What it would do, in sentences."""
    price: PriceRange
