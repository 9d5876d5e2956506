"""How much of its quota a group has in use: the tally, and whether one run more fits.

::

    admit(tally, entry, quota, at) ─┬─▶ the next tally, to be saved before the run is created
                                    └─▶ Over: which quota, and when to come again

Every run that was admitted and is not known to have settled has an entry, so that what is in use
is never more than the entries say. Nobody takes an entry out when a run settles: whoever would
be refused looks first whether runs of the entries are over (``is_over``), and then asks again.
All of that is decided on one tally and saved under its version.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pydantic import AwareDatetime

from chalicelib.core.errors import Forbidden
from chalicelib.core.group_rules import Quota
from chalicelib.core.limits import QUOTA_LIVE_RUNS
from chalicelib.core.noun import Noun
from chalicelib.core.plans.plan import JobAction, Plan, StagePlan

GRACE: Final = timedelta(seconds=960)
"""How long after its entry a run may still be created: longer than any Lambda lives."""
WINDOW_SECONDS: Final = 60
RETRY_SECONDS: Final = 15
"""When to come again where nobody knows when a run will end."""
USUAL_VCPUS: Final = 1.0
"""What a job has that does not say: the least that its definition asks Batch for."""


class Entry(Noun):
    """A run that counts."""

    run_id: str
    uid: str = ""
    """Which of the runs that have had the id."""
    generation: int = 1
    """The one that was admitted; the run may not have reached it yet."""
    vcpus: float = 0
    gpus: float = 0
    is_child: bool = False
    """Another run has started it, which counts for both as a run and as a submission."""
    at: AwareDatetime
    """When it was admitted, the last time."""


class Tally(Noun):
    """What a group has in use."""

    entries: tuple[Entry, ...] = ()
    """In the order in which they are looked at."""
    seconds: dict[int, int] = {}
    """Second (since 1970) → how many runs were submitted in it; those of the last minute."""


class Over(NamedTuple):
    """One run more would be more than the quota."""

    quota: str
    """Its name in ``Quota``, or ours for what no tally can hold."""
    limit: float
    retry_after_seconds: int

    @property
    def is_of_runs(self) -> bool:
        """Whether it helps that a run is over."""
        return self.quota != "submissions_per_minute"


class Found(NamedTuple):
    """A run of the group as it is stored."""

    generation: int
    has_settled: bool


def admit(tally: Tally, entry: Entry, quota: Quota, at: datetime) -> Tally | Over:
    """Return the tally with the entry, or what it would be over.

    A run that is among the entries keeps its place there, whatever the quota is by now. It counts
    as a submission if it enters a new generation, or is another run under the id of one that may
    have been deleted; that one may take up what its forerunner had, and no more unasked.
    """
    before = next((each for each in tally.entries if each.run_id == entry.run_id), None)
    others = tuple(each for each in tally.entries if each.run_id != entry.run_id)
    seconds = {s: n for s, n in tally.seconds.items() if s >= _second(at) - WINDOW_SECONDS}
    is_submission = _is_news(before, entry) and not entry.is_child
    over = _too_many(seconds, quota, at) if is_submission else None
    over = over or (None if _has_room(before, entry) else _over(others, entry, quota))
    if over is not None:
        return over
    if is_submission and quota.submissions_per_minute is not None:
        seconds[_second(at)] = seconds.get(_second(at), 0) + 1
    entries = (*others, entry) if quota.counts_runs else ()
    return Tally(entries=entries, seconds=seconds)


def is_over(entry: Entry, found: Found | None, at: datetime) -> bool:
    """Tell whether the entry counts no longer; ``found`` is None where there is no such run.

    A run that is not there, or not in that generation yet, may be about to be.
    """
    if found is not None and found.generation >= entry.generation:
        return found.has_settled
    return at - entry.at > GRACE


def to_look_at(tally: Tally, most: int) -> tuple[Entry, ...]:
    """Return the entries that nobody has looked at for the longest time."""
    return tally.entries[:most]


def looked_through(tally: Tally, looked: int, over: Collection[Entry]) -> Tally:
    """Return the tally after its first entries were looked at, without those that are over.

    The others go behind those that were not looked at: a group with more live runs than anybody
    looks at has all of them looked at in time.
    """
    live = tuple(each for each in tally.entries[:looked] if each not in over)
    return tally.model_copy(update={"entries": (*tally.entries[looked:], *live)})


def check_fits(entry: Entry, quota: Quota) -> None:
    """Raise Forbidden for a run that is larger than the whole quota: no waiting would help."""
    for name, wanted in (("vcpus", entry.vcpus), ("gpus", entry.gpus)):
        limit = getattr(quota, name)
        if limit is not None and wanted > limit:
            raise Forbidden(
                f"the run has {wanted:g} {name} at one time, and its group {limit:g} in all",
                field=f"resource_requirements.{name}",
                value=wanted,
                mend=f"ask for {limit:g} at most",
            )


def most_at_once(plan: Plan) -> tuple[float, float]:
    """Return the vCPUs and GPUs that the plan's jobs can have at one time, at most.

    Of stages of which one comes after the other only one runs. What a worker divides is counted
    as one job, for nobody knows yet whether there will be more.
    """
    before = _before(plan)
    found = (0.0, 0.0)
    for stage in plan.stages:
        beside = [
            each
            for each in plan.stages
            if each.name not in before[stage.name] and stage.name not in before[each.name]
        ]
        sizes = [_size(each) for each in beside]
        vcpus, gpus = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
        found = (max(found[0], vcpus), max(found[1], gpus))
    return found


def _second(at: datetime) -> int:
    return math.floor(at.timestamp())


def _too_many(seconds: dict[int, int], quota: Quota, at: datetime) -> Over | None:
    limit = quota.submissions_per_minute
    if limit is None or sum(seconds.values()) < limit:
        return None
    free_at = min(seconds) + WINDOW_SECONDS + 1
    wait = min(WINDOW_SECONDS + 1, max(1, math.ceil(free_at - at.timestamp())))
    return Over("submissions_per_minute", limit, wait)


def _is_news(before: Entry | None, entry: Entry) -> bool:
    return before is None or before.uid != entry.uid or before.generation < entry.generation


def _has_room(before: Entry | None, entry: Entry) -> bool:
    """Tell whether the entry is no more than the one in whose place it comes."""
    return before is not None and (
        entry.vcpus <= before.vcpus
        and entry.gpus <= before.gpus
        and entry.is_child >= before.is_child
    )


def _over(others: tuple[Entry, ...], entry: Entry, quota: Quota) -> Over | None:
    if not quota.counts_runs:
        return None
    everything = (*others, entry)
    mine = 0 if entry.is_child else sum(not each.is_child for each in everything)
    in_use = {
        "live_runs": (mine, quota.live_runs),
        "live_runs_and_children": (len(everything), QUOTA_LIVE_RUNS),
        "vcpus": (sum(each.vcpus for each in everything), quota.vcpus),
        "gpus": (sum(each.gpus for each in everything), quota.gpus),
    }
    for name, (used, limit) in in_use.items():
        if limit is not None and used > limit:
            return Over(name, limit, RETRY_SECONDS)
    return None


def _before(plan: Plan) -> dict[str, set[str]]:
    """Name of a stage → the names of all that have ended when it begins."""
    found: dict[str, set[str]] = {}
    others = {stage.name for stage in plan.stages if not stage.is_closing}
    for stage in plan.stages:
        mine = {*stage.after, *(others if stage.is_closing else ())}
        for name in stage.after:
            mine |= found.get(name, set())
        found[stage.name] = mine
    return found


def _size(stage: StagePlan) -> tuple[float, float]:
    """The largest of the stage's jobs, which follow each other."""
    if not isinstance(stage.action, JobAction):
        return (0.0, 0.0)
    jobs = [
        each for each in (stage.action, stage.action.preparation, stage.action.fan_out) if each
    ]
    return (
        max(_amount(job, "VCPU", USUAL_VCPUS) for job in jobs),
        max(_amount(job, "GPU", 0.0) for job in jobs),
    )


def _amount(job: JobAction, kind: str, usual: float) -> float:
    """What is no number Batch refuses later on, and in its own words."""
    for each in job.resource_requirements:
        if each["type"] == kind:
            with suppress(ValueError):
                return float(each["value"])
    return usual
