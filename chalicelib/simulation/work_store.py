"""The work queue's store, in memory: strict about what may become of a work, and who has it.

It is written from the specification (work, section 3.2) and not from our code: ``attempt`` never
falls, and rises when the work is taken; what is over is taken again only while its retries allow;
nothing goes but what a user deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.scopes import Scope
from chalicelib.simulation.violations import Findings
from chalicelib.work_ports import Accept, Kept

_S = WorkStatus
OVER: Final = frozenset({_S.SUCCESS, _S.FAILURE})


@dataclass
class Row:
    """A work as it is stored."""

    work: Work
    version: int

    @property
    def kept(self) -> Kept:
        """Return it as the port shows it."""
        return Kept(self.work.document(), self.version)


class StrictWorkStore:
    """The WorkStore. ``may_delete`` says whether a user asked for it; ``changed`` is called after
    each change."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.rows: dict[str, Row] = {}
        self.seen: dict[str, Work] = {}
        """Every work that there ever was, as it was last."""
        self.may_delete: Callable[[str], bool] = lambda _: False
        self.changed: Callable[[], None] = lambda: None

    def add(self, works: Sequence[Work]) -> None:
        """Add works under fresh ids."""
        for work in works:
            is_new = work.id is not None and work.id not in self.seen
            self._findings.check(is_new, f"work {work.id} was deposited twice")
            fresh = (work.status, work.attempt) == (_S.QUEUED, 0)
            self._findings.check(fresh, f"work {work.id} was deposited as {work.status}")
            self.rows[work.id or ""] = Row(work, 1)
            self.seen[work.id or ""] = work
        self.changed()

    def take(self, scope: Scope, accept: Accept) -> Work | None:
        """Replace the first queued work that is accepted."""
        for kept in self.walk(Scope(site=scope.site, priority=scope.priority, is_in_turn=True)):
            if scope.pipelines is None or kept.document["pipeline"] in scope.pipelines:
                work = accept(kept.document)
                if work is not None and self.replace(kept, work):
                    return work
        return None

    def get(self, ids: Collection[str]) -> tuple[Kept, ...]:
        """Return those that exist."""
        return tuple(self.rows[each].kept for each in sorted(ids) if each in self.rows)

    def replace(self, kept: Kept, work: Work | None) -> bool:
        """Replace the work if nobody has done so since."""
        work_id = kept.document["id"]
        row = self.rows.get(work_id)
        if row is None or row.version != kept.version:
            return False
        if work is None:
            self._findings.check(self.may_delete(work_id), f"work {work_id} was removed")
            del self.rows[work_id]
        else:
            for words in wrong_about(row.work, work):
                self._findings.violate(f"work {work_id}: {words}")
            self.rows[work_id] = Row(work, row.version + 1)
            self.seen[work_id] = work
        self.changed()
        return True

    def walk(self, scope: Scope) -> Iterator[Kept]:
        """Yield the works of the scope, as they are now."""
        rows = [row for row in self.rows.values() if _is_in(row.work, scope)]
        rows.sort(key=lambda row: _place(row.work, is_in_turn=scope.is_in_turn))
        return iter([row.kept for row in rows])

    def counts(self, scope: Scope | None = None) -> dict[str, dict[WorkStatus, int]]:  # noqa: ARG002
        """Return how many there are; nobody relies on it here."""
        found: dict[str, dict[WorkStatus, int]] = {}
        for row in self.rows.values():
            counts = found.setdefault(row.work.pipeline, {})
            counts[row.work.status] = counts.get(row.work.status, 0) + 1
        return found


def wrong_about(old: Work, new: Work) -> Iterator[str]:
    """Yield what may not be about ``new`` in the place of ``old``."""
    if (old.id, old.pipeline) != (new.id, new.pipeline):
        yield f"it became {new.id} of {new.pipeline}"
    if new.attempt < old.attempt:
        yield f"its attempt went back from {old.attempt} to {new.attempt}"
    if new.attempt > max(1, new.retries):
        yield f"it was taken {new.attempt} times, and may be {max(1, new.retries)} times"
    if new.attempt > old.attempt and (old.status, new.attempt) != (_S.QUEUED, old.attempt + 1):
        yield f"attempt {new.attempt} was taken from {old.status}, attempt {old.attempt}"
    if old.status is _S.SUCCESS and new != old:
        yield f"it had succeeded, and is {new.status}"
    is_again = new.status is _S.QUEUED and old.status is not _S.QUEUED
    if is_again and not (old.status is _S.FAILURE and old.attempt < old.retries):
        yield f"it was queued again from {old.status}, attempt {old.attempt}"


def is_over(work: Work) -> bool:
    """Tell whether nothing will become of the work any more."""
    return work.status in OVER and not work.is_retryable


def _is_in(work: Work, scope: Scope) -> bool:
    told: list[tuple[Any, bool]] = [
        (scope.site, work.site == scope.site),
        (scope.priority, work.priority == scope.priority),
        (scope.ids, work.id in (scope.ids or ())),
        (scope.statuses, work.status in (scope.statuses or ())),
        (scope.is_in_turn or None, work.status is _S.QUEUED),
        (scope.is_retryable or None, work.is_retryable),
        (
            scope.overdue_at,
            work.deadline is not None and work.deadline < (scope.overdue_at or 0),
        ),
    ]
    return all(holds for asked, holds in told if asked is not None)


def _place(work: Work, *, is_in_turn: bool) -> tuple[int, float, str]:
    return -work.priority if is_in_turn else 0, work.creation or 0.0, work.id or ""
