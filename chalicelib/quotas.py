"""A group's quota is looked at before a run is created, and takes the run into its tally.

One document for each group, saved under its version: of two who see the same tally one decides
again. A run is in the tally before it exists, so that a crash in between costs the group a place
for ``quotas.GRACE`` and never a run too many. Groups without a quota have no tally.
"""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import datetime
from typing import Final

from chalicelib.core import quotas
from chalicelib.core.allowances import rules_of
from chalicelib.core.errors import Conflict, NotFound, TooManyRequests, Unavailable
from chalicelib.core.events import RunRequested
from chalicelib.core.group_rules import Quota
from chalicelib.core.plans.plan import Plan
from chalicelib.core.quotas import Entry, Found, Over, Tally
from chalicelib.core.run import Run
from chalicelib.document_ports import Document, StaleDocument
from chalicelib.ports import Ports

PARTITION: Final = "quotas"
LOOKED_AT: Final = 32
"""How many runs a request looks at before it is refused: a quarter of a second of reads."""
TRIES: Final = 20
"""How often others may be faster, as when a burst of submissions comes in."""
PAUSE_SECONDS: Final = 0.02
"""Longest pause before the second try; it doubles up to half a second, and is drawn by lot."""


def admit_new(event: RunRequested, ports: Ports) -> None:
    """Let the run be created, unless it would be too many. One that is there is none.

    Raises TooManyRequests, or Forbidden for a group that has no rules or a run that never fits.
    """
    quota = _quota_of(event.group, ports)
    if quota is not None and not _is_there(event.run_id, ports):
        _admit(event.group, _new_entry(event), quota, ports)


def check_new(event: RunRequested, ports: Ports) -> None:
    """Raise Forbidden for a group that has no rules or a run that never fits; take up nothing."""
    quota = _quota_of(event.group, ports)
    if quota is not None:
        quotas.check_fits(_new_entry(event), quota)


def admit_again(run: Run, ports: Ports) -> None:
    """Let an ended run enter its next generation. Raises as ``admit_new`` does."""
    quota = _quota_of(run.group, ports)
    if quota is not None:
        entry = _entry(run.id, run.uid, run.generation + 1, run.plan, ports.clock())
        _admit(run.group, entry, quota, ports)


def _quota_of(group: str, ports: Ports) -> Quota | None:
    rules = rules_of(group, ports.site.groups)
    return None if rules is None else rules.quota


def _new_entry(event: RunRequested) -> Entry:
    return _entry(event.run_id, event.uid, 1, event.plan, event.at)


def _entry(run_id: str, uid: str, generation: int, plan: Plan, at: datetime) -> Entry:
    vcpus, gpus = quotas.most_at_once(plan)
    return Entry(
        run_id=run_id,
        uid=uid,
        generation=generation,
        vcpus=vcpus,
        gpus=gpus,
        is_child=plan.parent is not None,
        at=at,
    )


def _is_there(run_id: str, ports: Ports) -> bool:
    try:
        ports.runs.load(run_id)
    except (NotFound, Conflict):  # a Conflict is one that is being deleted: the engine says so
        return False
    return True


def _admit(group: str, entry: Entry, quota: Quota, ports: Ports) -> None:
    quotas.check_fits(entry, quota)
    for lost in range(TRIES):
        with suppress(StaleDocument):
            _admit_once(group, entry, quota, ports)
            return
        ports.pause(random.uniform(0, min(0.5, PAUSE_SECONDS * 2**lost)))  # noqa: S311
    raise Unavailable(
        f"the quota of group {group} was changed by others {TRIES} times in a row; "
        "nothing was accepted"
    )


def _admit_once(group: str, entry: Entry, quota: Quota, ports: Ports) -> None:
    kept = ports.documents.load(PARTITION, group)
    tally = Tally.model_validate(kept.content) if kept else Tally()
    at = ports.clock()
    entry = entry.model_copy(update={"at": at})
    decided = quotas.admit(tally, entry, quota, at)
    if isinstance(decided, Over) and decided.is_of_runs:
        tally = _looked_through(group, tally, ports, at)
        decided = quotas.admit(tally, entry, quota, at)
    if isinstance(decided, Over):
        with suppress(StaleDocument):  # who was faster has looked as well
            _save(group, tally, kept, ports)
        raise _refusal(group, decided)
    _save(group, decided, kept, ports)


def _looked_through(group: str, tally: Tally, ports: Ports, at: datetime) -> Tally:
    looked = quotas.to_look_at(tally, LOOKED_AT)
    over = [each for each in looked if quotas.is_over(each, _found(group, each, ports), at)]
    return quotas.looked_through(tally, len(looked), over)


def _found(group: str, entry: Entry, ports: Ports) -> Found | None:
    try:
        run = ports.runs.load(entry.run_id)
    except NotFound:
        return None
    except Conflict:  # it is being deleted, as only a settled one can be
        return Found(entry.generation, has_settled=True)
    if run.group != group:
        return None
    return Found(run.generation, run.settled_at is not None)


def _save(group: str, tally: Tally, kept: Document | None, ports: Ports) -> None:
    content = tally.model_dump(mode="json")
    if kept is None or content != kept.content:
        ports.documents.save(PARTITION, group, content, version=kept.version if kept else 0)


def _refusal(group: str, over: Over) -> TooManyRequests:
    what = over.quota.replace("_", " ")
    return TooManyRequests(
        f"the group {group!r} has used up its quota of {over.limit:g} {what}; "
        f"nothing was accepted: try again in {over.retry_after_seconds} s",
        retry_after_seconds=over.retry_after_seconds,
    )
