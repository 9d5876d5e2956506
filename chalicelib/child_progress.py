"""How far the runs of a stage's attempt are: a document of its own, saved under its version.

A run's id follows from the attempt and the index, so that everybody who tends them means the same.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pydantic import AwareDatetime, Field

from chalicelib.core.commands import TendRuns
from chalicelib.core.errors import NotFound
from chalicelib.core.noun import Noun, is_empty
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run
from chalicelib.core.states.failures import StatesFailure
from chalicelib.ports import Ports

RUN_ID_CHARACTERS: Final = 128
_KEPT: Final = timedelta(days=400)
"""Longer than a run may last: 365 days."""


class Progress(Noun):
    """How far an attempt's runs are."""

    count: int
    next: int = 0
    """The first index that was never started."""
    open: tuple[int, ...] = ()
    """Started, or about to be, and not seen to have settled."""
    failed: StatesFailure | None = None
    """What the first one that failed ended of."""
    is_closed: bool = False
    """Whoever still means to start one, for he has an older state of the run, must not."""
    opened_at: AwareDatetime | None = None
    """When somebody last set out to start those in ``open`` that are not there."""
    cause: str | None = Field(default=None, exclude_if=is_empty)
    """Of ``failed``, in the word of RunError.cause; None: a run failed."""
    kept: dict[str, tuple[int, ...]] = Field(default={}, exclude_if=is_empty)
    """Key of an earlier attempt → indexes whose runs of then have succeeded: they stand for this
    attempt's, which are never started."""
    version: int = Field(default=0, exclude=True)

    def owners(self) -> dict[int, str]:
        """Return index → key of the earlier attempt whose run stands for it."""
        return {index: key for key, indexes in self.kept.items() for index in indexes}

    def started(self) -> list[int]:
        """Return the indexes of this attempt's own runs, as far as it has come."""
        owners = self.owners()
        return [index for index in range(self.next) if index not in owners]


class Family(NamedTuple):
    """The runs of one attempt."""

    run: Run
    command: TendRuns
    action: RunsAction
    ports: Ports

    @property
    def partition(self) -> str:
        return partition_of(self.run)

    @property
    def key(self) -> str:
        command = self.command
        return key_of(command.stage, command.generation, command.attempt)

    def child_id(self, index: int) -> str:
        """Return the id that the run of that index has, or will have."""
        return child_id(self.run, self.key, index)


def partition_of(run: Run) -> str:
    """Return where the documents of all attempts of a run are."""
    return f"children#{run.uid}"


def key_of(stage: str, generation: int, attempt: int) -> str:
    """Return the key of an attempt's document."""
    return f"{stage}#{generation}#{attempt}"


def child_id(run: Run, key: str, index: int) -> str:
    """Return the id of an attempt's run; readable, and nobody else's."""
    mark = hashlib.sha256(f"{run.uid}#{key}#{index}".encode()).hexdigest()[:10]
    end = f".{key.partition('#')[0][:40]}.{index}.{mark}"
    return f"{run.id[: RUN_ID_CHARACTERS - len(end)]}{end}"


def child_of(family: Family, index: int, key: str | None = None) -> Run | None:
    """Return the run of that index; None where it is not there. ``key``: of another attempt."""
    try:
        return family.ports.runs.load(child_id(family.run, key or family.key, index))
    except NotFound:
        return None


def is_accepted(family: Family, index: int) -> bool:
    """Whether the run of that index is there, and the family's own; then it is waited for."""
    child = child_of(family, index)
    return child is not None and child.plan.parent == family.run.id


def is_past(progress: Progress, seconds: float, at: datetime) -> bool:
    """Tell whether at that time so many seconds were over since somebody set out to start runs."""
    return progress.opened_at is None or at > progress.opened_at + timedelta(seconds=seconds)


def load(family: Family, count: int) -> Progress:
    """Return how far they are; ``count`` of them, if nobody has begun."""
    return load_of(family, family.key) or Progress(count=count)


def load_of(family: Family, key: str) -> Progress | None:
    """Return how far the runs of the attempt of that key are; None if nobody has begun it."""
    found = family.ports.documents.load(family.partition, key)
    if found is None:
        return None
    return Progress.model_validate({**found.content, "version": found.version})


def save(family: Family, progress: Progress) -> Progress:
    """Save it. Raises StaleDocument where somebody else tends them at this moment."""
    saved = family.ports.documents.save(
        family.partition,
        family.key,
        progress.model_dump(mode="json"),
        version=progress.version,
        expires_at=family.ports.clock() + _KEPT,
    )
    return progress.model_copy(update={"version": saved.version})
