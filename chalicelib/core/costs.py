"""What a run has cost: the seconds of its jobs' resources, and its bytes, at the site's prices.

Everything is computed from the saved run and nothing is stored beside it: the plan says what each
job asked for, the job when it started and stopped. So a price that is corrected corrects every
run, and a run of an earlier version has a cost as well.

What was in vain is part of the whole, and told apart::

    retries         jobs of attempts that failed, what cleared the ground after them, and second
                    jobs of one name
    interruptions   jobs that the infrastructure ended: Spot, a lost host

An array's children are priced like jobs of their own, by the sums that the engine keeps of them
(``lifecycle/child_times.py``). Runs that a run has started have costs of their own; whoever can
read them adds them up (``with_children``).

What a run cannot know is named in ``not_counted`` and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Final

from pydantic import JsonValue

from chalicelib.core.job_spells import Spell, is_being_timed, not_counted, resources, spells, waste
from chalicelib.core.moved_bytes import Moved, moved_by
from chalicelib.core.noun import Noun
from chalicelib.core.prices import Prices
from chalicelib.core.run import Run

HOUR: Final = 3600


class Used(Noun):
    """What jobs had, and what it cost."""

    vcpu_seconds: float = 0
    memory_gib_seconds: float = 0
    gpu_seconds: float = 0
    amount: float = 0
    """In the currency of the cost."""

    def __add__(self, other: Used) -> Used:
        """Return both together."""
        both = ((name, getattr(self, name) + getattr(other, name)) for name in Used.model_fields)
        return self.model_copy(update=dict(both))


class Wasted(Noun):
    """What was in vain."""

    retries: Used = Used()
    interruptions: Used = Used()


class ChildCosts(Noun):
    """What the runs that a run has started, and those that these have, have cost together."""

    runs: int
    """How many were looked at."""
    is_whole: bool
    """Whether those are all; what is beyond them is not in the amount."""
    amount: float
    is_final: bool
    used: Used
    wasted: Wasted


class Cost(Noun):
    """What a run has cost so far."""

    run: str
    currency: str
    amount: float
    """Of its own machines and bytes together, what was in vain included."""
    total: float
    """The amount, and that of the runs that it has started."""
    is_final: bool
    """Whether nothing of it is going on any more; of the run's own alone."""
    used: Used
    wasted: Wasted
    moved: Moved
    stages: dict[str, Used]
    not_counted: tuple[str, ...]
    """Sentences: what the amount leaves out, and why."""
    children: ChildCosts | None = None
    """Of a run that has started others."""
    prices: str
    """Where the prices are from."""


def cost_of(run: Run, prices: Prices, now: datetime) -> Cost:
    """Return the run's own cost; a job that is running is charged until ``now``."""
    each = [(spell, _used(run, spell, prices)) for spell in spells(run, now)]
    used = _sum(had for _, had in each)
    moved = moved_by(run, prices)
    wasted = {
        kind: _sum(had for spell, had in each if waste(run, spell) == kind)
        for kind in Wasted.model_fields
    }
    names = dict.fromkeys(spell.job.stage for spell, _ in each)
    amount = round(used.amount + moved.amount, 6)
    return Cost(
        run=run.id,
        currency=prices.currency,
        amount=amount,
        total=amount,
        is_final=run.settled_at is not None and not is_being_timed(run),
        used=_rounded(used),
        wasted=Wasted.model_validate({kind: _rounded(had) for kind, had in wasted.items()}),
        moved=moved,
        stages={
            name: _rounded(_sum(had for spell, had in each if spell.job.stage == name))
            for name in names
        },
        not_counted=tuple(not_counted(run)),
        prices=prices.as_of,
    )


def with_children(own: Cost, others: Iterable[Cost], *, is_whole: bool) -> Cost:
    """Return the cost of a run with those of the runs that it has started."""
    known = tuple(others)
    wasted = {
        kind: _rounded(_sum(getattr(each.wasted, kind) for each in known))
        for kind in Wasted.model_fields
    }
    children = ChildCosts(
        runs=len(known),
        is_whole=is_whole,
        amount=round(sum(each.amount for each in known), 6),
        is_final=is_whole and all(each.is_final for each in known),
        used=_rounded(_sum(each.used for each in known)),
        wasted=Wasted.model_validate(wasted),
    )
    total = round(own.amount + children.amount, 6)
    return own.model_copy(update={"children": children, "total": total})


def brief(cost: Cost) -> dict[str, JsonValue]:
    """Return what a list shows of it."""
    return cost.model_dump(mode="json", include={"amount", "currency", "is_final"})


def _used(run: Run, spell: Spell, prices: Prices) -> Used:
    had, seconds = resources(run, spell.job), spell.seconds
    machines = prices.of_queue(spell.job.queue)
    vcpus, memory_gib, gpus = had.get("VCPU", 0), had.get("MEMORY", 0) / 1024, had.get("GPU", 0)
    hourly = (
        vcpus * machines.vcpu_hour
        + memory_gib * machines.memory_gib_hour
        + gpus * machines.gpu_hour
    )
    return Used(
        vcpu_seconds=vcpus * seconds,
        memory_gib_seconds=memory_gib * seconds,
        gpu_seconds=gpus * seconds,
        amount=hourly * seconds / HOUR,
    )


def _sum(some: Iterable[Used]) -> Used:
    return reduce(Used.__add__, some, Used())


def _rounded(used: Used) -> Used:
    told = {name: round(getattr(used, name), 6) for name in Used.model_fields}
    return Used.model_validate(told)
