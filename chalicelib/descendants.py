"""How many runs one run may come to, its runs' runs included, whether they have ended or not.

A pipeline of a thousand items whose runs are such pipelines would start a million. Where a group
has no quota nothing else would stop it, so every run that nobody else has started has a tally: one
document, into which those are counted that are about to be started.

Never more are started than the site allows. Whoever dies, or is overtaken, between counting and
starting finds again in ``latest`` what he has counted; only where more than ``REMEMBERED`` other
stages have started runs in between, up to ``MOST_AT_ONCE`` are counted twice. A run of an earlier
attempt that is kept is not started, and so not counted again. Runs that were begun before there
was a tally count from their own runs on.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from typing import Final

from chalicelib.child_progress import Family
from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.core.noun import Noun
from chalicelib.core.run import Run
from chalicelib.document_ports import StaleDocument

KEY: Final = "tally"
REMEMBERED: Final = 50
"""Stages; each takes some hundred bytes of the document."""
TRIES: Final = 20
PAUSE_SECONDS: Final = 0.02
"""Longest pause before the second try; it doubles up to half a second, and is drawn by lot."""
_KEPT: Final = timedelta(days=400)


class Tally(Noun):
    """The runs that a run has come to."""

    count: int = 0
    latest: tuple[tuple[str, int], ...] = ()
    """Attempts of stages that were counted last, each with the first index that was not."""


def root_of(run: Run) -> str:
    """Return the uid of the run in whose tally its runs are counted."""
    return run.plan.root or run.uid


def partition_of(run: Run) -> str:
    """Return where that tally is; each has a partition of its own, for it is written often."""
    return f"descendants#{root_of(run)}"


def admit(family: Family, fresh: Collection[int]) -> None:
    """Count the runs of these indexes, unless there would be too many. Raises Forbidden.

    Counting them again changes nothing. Raises Unavailable where too many count at once.
    """
    if not fresh:
        return
    for lost in range(TRIES):
        with suppress(StaleDocument):
            _admit_once(family, fresh)
            return
        family.ports.pause(random.uniform(0, min(0.5, PAUSE_SECONDS * 2**lost)))  # noqa: S311
    raise Unavailable(f"run {family.run.id}: others count its runs' kin {TRIES} times in a row")


def _admit_once(family: Family, fresh: Collection[int]) -> None:
    documents, partition = family.ports.documents, partition_of(family.run)
    kept = documents.load(partition, KEY)
    tally = Tally.model_validate(kept.content) if kept else Tally()
    counted = _counted(tally, f"{family.run.uid}#{family.key}", fresh)
    if counted is tally:
        return
    most = family.ports.site.most_descendants
    if counted.count > most:
        raise _too_many(family, counted.count, most)
    documents.save(
        partition,
        KEY,
        counted.model_dump(mode="json"),
        version=kept.version if kept else 0,
        expires_at=family.ports.clock() + _KEPT,
    )


def _counted(tally: Tally, key: str, fresh: Collection[int]) -> Tally:
    """Return the tally with them, the very same one if they are in it already."""
    upto = dict(tally.latest).get(key, 0)
    more = sum(index >= upto for index in fresh)
    if not more:
        return tally
    others = tuple(each for each in tally.latest if each[0] != key)
    latest = (*others, (key, max(fresh) + 1))[-REMEMBERED:]
    return Tally(count=tally.count + more, latest=latest)


def _too_many(family: Family, count: int, most: int) -> Forbidden:
    stage = family.command.stage
    return Forbidden(
        f"stages.{stage} would bring the runs that belong together to {count:,}, and this site"
        f" allows {most:,} (most_descendants): let each run take several items, or submit several"
        " pipelines",
        field=f"stages.{stage}",
        value=count,
        mend="let each run take several items, or submit several pipelines",
    )
