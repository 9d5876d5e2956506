"""What runs cost, and what those like a request have cost: nothing is stored for it.

A price range looks back at the group's newest successful runs by the index of its list:
``LOOKED_AT`` entries at most, of which the first ``ENOUGH`` of the same execution type count. The
type is in the plan, so each of the entries is a run to load; a few hundred milliseconds in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from pydantic import JsonValue

from chalicelib import intake
from chalicelib.core.costs import Cost, brief, cost_of
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.noun import Noun
from chalicelib.core.plans.demand_execution import KIND
from chalicelib.core.plans.plan import JobAction, Plan, StagePlan
from chalicelib.core.run import Run, RunRecord, RunState
from chalicelib.ports import Ports

LOOKED_AT: Final = 100
"""One page of the index."""
ENOUGH: Final = 20


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
    """Return what the run has cost. Raises NotFound."""
    return cost_of(ports.runs.load(run_id), ports.site.prices, ports.clock())


def briefs(records: Iterable[RunRecord], ports: Ports) -> dict[str, dict[str, JsonValue]]:
    """Return what each run of a list has cost, by its id; a list has no plans, so each is loaded.

    A run that was deleted meanwhile is left out.
    """
    found = ((record.id, _loaded(record.id, ports)) for record in records)
    prices, now = ports.site.prices, ports.clock()
    return {run_id: brief(cost_of(run, prices, now)) for run_id, run in found if run}


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
    loaded = (_loaded(each.id, ports) for each in page.runs if each.kind == KIND)
    alike = (run for run in loaded if run and execution_type(run.plan) == wanted)
    prices, now = ports.site.prices, ports.clock()
    amounts = sorted(cost_of(run, prices, now).amount for run in islice(alike, ENOUGH))
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


def _loaded(run_id: str, ports: Ports) -> Run | None:
    try:
        return ports.runs.load(run_id)
    except (NotFound, Conflict):
        return None


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
