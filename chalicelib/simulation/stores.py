"""Runs, claims and objects, in memory. As strict as DynamoDB and S3: what is saved is checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from chalicelib.core.errors import NotFound, StaleRun
from chalicelib.core.flowserv.states import check_deletable
from chalicelib.core.job_state import JobState
from chalicelib.core.limits import S3_KEY_BYTES
from chalicelib.core.run import Run, RunState
from chalicelib.ports import Claim, ObjectInfo, RunPage
from chalicelib.simulation.dice import Dice, Fault
from chalicelib.simulation.invariants import check_save
from chalicelib.simulation.schedule import Schedule
from chalicelib.simulation.violations import Findings

STALE_SECONDS: Final = 60.0


class StrictRunStore:
    """The RunStore: every save under its version, every save checked, a due index that lags."""

    def __init__(self, schedule: Schedule, dice: Dice, findings: Findings) -> None:
        self._schedule = schedule
        self._dice = dice
        self._findings = findings
        self.runs: dict[str, Run] = {}
        self.saved: list[Callable[[Run | None, Run], None]] = []
        """Called after each save with the run before and after it."""
        self._was_due_at: dict[str, tuple[float, datetime | None]] = {}
        """When the due index last changed, and what it said before."""

    def load(self, run_id: str) -> Run:
        """Return the run. Raises NotFound."""
        try:
            return self.runs[run_id]
        except KeyError:
            raise NotFound(f"there is no run {run_id}") from None

    def load_many(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        """Return those that are there."""
        return tuple(self.runs[each] for each in dict.fromkeys(run_ids) if each in self.runs)

    def save(self, run: Run) -> Run:
        """Save under the version condition. Raises StaleRun."""
        before = self.runs.get(run.id)
        if (before.version if before else 0) != run.version:
            raise StaleRun(f"run {run.id} was saved by somebody else")
        after = run.model_copy(update={"version": run.version + 1})
        self.runs[run.id] = after
        for words in check_save(before, after):
            self._findings.violate(words)
        self._was_due_at[run.id] = (
            self._schedule.seconds,
            before.next_check_at if before else None,
        )
        for hear in self.saved:
            hear(before, after)
        return after

    def list(
        self,
        *,
        group: str | None = None,
        state: RunState | None = None,
        cursor: str | None = None,
        limit: int = 50,
        created_before: datetime | None = None,
    ) -> RunPage:
        """Return a page, newest first; the cursor is the number of runs already seen."""
        every = (
            r for r in self.runs.values() if not created_before or r.created_at < created_before
        )
        runs = sorted(every, key=lambda run: run.created_at, reverse=True)
        kept = [r for r in runs if group in {None, r.group} and state in {None, r.state}]
        start = int(cursor or 0)
        is_more = len(kept) > start + limit
        return RunPage(tuple(kept[start : start + limit]), str(start + limit) if is_more else None)

    def delete(self, run_id: str) -> None:
        """Remove a settled run. Raises Conflict."""
        run = self.runs.get(run_id)
        if run is not None:
            check_deletable(run_id, run.state, is_settled=run.settled_at is not None)
            del self.runs[run_id]

    def due(self, now: datetime, limit: int = 100, skip: Collection[str] = ()) -> tuple[str, ...]:
        """Return what the index says, which may be what it said a minute ago."""
        is_stale = self._dice.strikes(Fault.STALE_DUE)
        times = (
            (self._next_check_at(run, is_stale=is_stale), run.id) for run in self.runs.values()
        )
        due = sorted(
            (at, run_id)
            for at, run_id in times
            if at is not None and at <= now and run_id not in skip
        )
        return tuple(run_id for _, run_id in due[:limit])

    def _next_check_at(self, run: Run, *, is_stale: bool) -> datetime | None:
        if is_stale:
            changed_at, before = self._was_due_at[run.id]
            if self._schedule.seconds - changed_at < STALE_SECONDS:
                return before
        return run.next_check_at

    def intent(self, run_id: str, name: str) -> JobState | None:
        """Return the submission of that name as it is saved."""
        run = self.runs.get(run_id)
        return next((job for job in run.jobs if job.name == name), None) if run else None


class StrictClaims:
    """The Claims."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], Claim] = {}

    def claim(self, job_name: str, index: int, job_id: str, attempt: int) -> Claim:
        """Claim; the holder may come again with the same or a higher attempt."""
        own = Claim(job_id, attempt)
        held = self._held.setdefault((job_name, index), own)
        if held.job_id == job_id and held.attempt <= attempt:
            self._held[job_name, index] = held = own
        return held

    def holder(self, job_name: str, index: int) -> Claim | None:
        """Return who holds it."""
        return self._held.get((job_name, index))


class StrictObjects:
    """The ObjectStore. ``may_touch`` says which objects a caller of ours has any business with."""

    def __init__(self, schedule: Schedule, findings: Findings) -> None:
        self._schedule = schedule
        self._findings = findings
        self.content: dict[str, tuple[bytes, datetime]] = {}
        self.may_touch: Callable[[str], bool] = lambda _: True

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        """Yield the object at ``uri`` and those below it, by key."""
        for name in sorted(self.content):
            if name == uri or name.startswith(uri.rstrip("/") + "/"):
                content, at = self.content[name]
                yield ObjectInfo(name, len(content), at)

    def read(self, uri: str) -> bytes:
        """Return the content. Raises NotFound."""
        try:
            return self.content[uri][0]
        except KeyError:
            raise NotFound(f"there is no object {uri}") from None

    def write(self, uri: str, content: bytes) -> None:
        """Put the object."""
        self._touch(uri)
        self.content[uri] = (content, self._schedule.now())

    def download(self, uri: str, path: Path) -> None:
        """Refuse: there is no disk here."""
        raise self._findings.violate(f"download of {uri} to {path}")

    def upload(self, path: Path, uri: str) -> None:
        """Refuse: there is no disk here."""
        raise self._findings.violate(f"upload of {path} to {uri}")

    def remove(self, uri: str) -> None:
        """Remove the object, if it is there."""
        self._touch(uri)
        self.content.pop(uri, None)

    def _touch(self, uri: str) -> None:
        self._findings.check(self.may_touch(uri), f"touched {uri}, which is nobody's here")
        key = uri.removeprefix("s3://").partition("/")[2]
        is_key = 0 < len(key.encode()) <= S3_KEY_BYTES
        self._findings.check(is_key, f"{uri} is no key that S3 takes")
