"""What runs cost, and what those like a request have cost: nothing is stored for it.

A price range looks back at the group's newest successful runs: one page of the list, of which the
first ``ENOUGH`` of the same execution type count. The type is in the plan, so they are read with
their plans, some at a time, until there are enough: a few calls, whatever other types lie between.
Only what is final counts; a run whose jobs are not all known would make the next one look cheap.

Of a run that has started others the costs of those are read as well, and of those that these have
started, ``MOST_RUNS`` at most. In a list every run stands for itself, so that a sum over the list
counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from pydantic import JsonValue

from chalicelib import children, intake
from chalicelib.core.costs import Cost, brief, cost_of, with_children
from chalicelib.core.noun import Noun
from chalicelib.core.plans.demand_execution import KIND
from chalicelib.core.plans.plan import JobAction, Plan, StagePlan
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, RunRecord, RunState
from chalicelib.ports import Ports

LOOKED_AT: Final = 100
"""One page of the index."""
ENOUGH: Final = 20
AT_ONCE: Final = 25
"""Runs that are read together."""
MOST_RUNS: Final = 500
"""Runs below one whose costs are added up: some two seconds of reading."""


class PriceRange(Noun):
    """What the group's last runs of an execution type have cost."""

    execution_type: str
    runs: int
    """How many were found; with none there are no amounts."""
    looked_at: int
    """How many successful runs of the group were looked at, newest first."""
    currency: str
    lowest: float | None = None
    median: float | None = None
    highest: float | None = None


def cost(run_id: str, ports: Ports) -> Cost:
    """Return what the run has cost, and those that it has started. Raises NotFound."""
    run = ports.runs.load(run_id)
    prices, now = ports.site.prices, ports.clock()
    own = cost_of(run, prices, now)
    if not _starts_others(run):
        return own
    below = list(islice(_below(run, ports), MOST_RUNS + 1))
    others = (cost_of(each, prices, now) for each in below[:MOST_RUNS])
    return with_children(own, others, is_whole=len(below) <= MOST_RUNS)


def briefs(records: Iterable[RunRecord], ports: Ports) -> dict[str, dict[str, JsonValue]]:
    """Return what each run of a list has cost, by its id; a list has no plans, so they are read.

    A run that was deleted meanwhile is left out.
    """
    prices, now = ports.site.prices, ports.clock()
    found = _read((record.id for record in records), ports)
    return {run.id: brief(cost_of(run, prices, now)) for run in found}


def try_out(document: object, ports: Ports) -> dict[str, JsonValue]:
    """Return what a demand would become, do and cost; nothing is created.

    Raises as a submission.
    """
    planned = intake.plan_of(document, ports)
    findings: list[JsonValue] = list(intake.check(document, ports))
    price = price_range(execution_type(planned.plan), planned.group, ports)
    return {
        "stages": [_shown(stage) for stage in planned.plan.stages],
        "findings": findings,
        "price": price.model_dump(mode="json"),
    }


def price_range(wanted: str, group: str, ports: Ports) -> PriceRange:
    """Return what the group's newest successful runs of the execution type have cost."""
    page = ports.runs.list(group=group, state=RunState.SUCCESS, limit=LOOKED_AT)
    prices, now = ports.site.prices, ports.clock()
    ids = (each.id for each in page.runs if each.kind == KIND)
    alike = (run for run in _read(ids, ports) if execution_type(run.plan) == wanted)
    costs = (cost_of(run, prices, now) for run in alike)
    amounts = sorted(islice((each.amount for each in costs if each.is_final), ENOUGH))
    told = PriceRange(
        execution_type=wanted,
        runs=len(amounts),
        looked_at=len(page.runs),
        currency=prices.currency,
    )
    if not amounts:
        return told
    middle = (amounts[(len(amounts) - 1) // 2] + amounts[len(amounts) // 2]) / 2
    return told.model_copy(
        update={"lowest": amounts[0], "median": round(middle, 6), "highest": amounts[-1]}
    )


def execution_type(plan: Plan) -> str:
    """Return the type of a demand's run; empty for what is none."""
    request = plan.request.get("request")
    demand = request.get("demand_execution") if isinstance(request, dict) else None
    found = demand.get("execution_type") if isinstance(demand, dict) else None
    return str(found or "")


def _read(ids: Iterable[str], ports: Ports) -> Iterator[Run]:
    """Yield the runs that are there, in the order of their ids within each batch."""
    waiting = iter(ids)
    while some := list(islice(waiting, AT_ONCE)):
        found = {run.id: run for run in ports.runs.load_many(some)}
        yield from (found[each] for each in some if each in found)


def _below(run: Run, ports: Ports) -> Iterator[Run]:
    """Yield the runs that the run has started, and then what those have."""
    parents = []
    for child in _read(children.ids(run, ports), ports):
        yield child
        if _starts_others(child):
            parents.append(child)
    for parent in parents:
        yield from _below(parent, ports)


def _starts_others(run: Run) -> bool:
    return any(isinstance(plan.action, RunsAction) for plan in run.plan.stages)


def _shown(stage: StagePlan) -> dict[str, JsonValue]:
    action = stage.action
    told: dict[str, JsonValue] = {
        "name": stage.name,
        "after": list(stage.after),
        "action": action.action,
    }
    if isinstance(action, JobAction):
        needs: list[JsonValue] = [dict(each) for each in action.resource_requirements]
        told |= {"queue": action.queue, "resource_requirements": needs}
    return told
