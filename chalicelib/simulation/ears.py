"""Those who want to be told of runs: what they must hear is worked out from what was saved.

Not from what our own code calls due: every state that a save shows, and every entry that it adds
to a history, was a change of its own, and has to be heard before the world is quiet. Twice is
allowed, what did not happen is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, Final

from chalicelib.core.notice import Notice
from chalicelib.core.run import Run, StageStatus
from chalicelib.simulation.violations import Findings

NAME: Final = "ears"
EVERY_STATE: Final = ("PENDING", "RUNNING", "SUCCESS", "ERROR", "CANCELED")
EVERY_STATUS: Final = ("RUNNING", "RETRY", "COMPLETE", "ERROR", "CANCELED")
NOTIFICATIONS: Final = {
    "webhooks": {NAME: {"url": "https://ears.example.org/", "secret": "env:EARS"}}
}

Heard = tuple[str, int, str, int, str]
"""Run, generation, stage or nothing, attempt or 0, what it came into."""


def draw_notify(throws: Random) -> dict[str, Any] | None:
    """Return what somebody wants to be told, for ``options.notify``; None: nothing at all."""
    drawn: dict[str, Any] = {"on": EVERY_STATE, "webhooks": [NAME]}
    match throws.choice(("nothing", "nothing", "the run", "all")):
        case "nothing":
            return None
        case "all":
            drawn |= {"stages": ["*"], "stages_on": EVERY_STATUS}
    return drawn


class Ears:
    """The Announcer, and what it should have been given."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._expected: dict[Heard, None] = {}
        self._heard: set[Heard] = set()
        self._ids: dict[str, Heard] = {}

    def announce(self, notice: Notice) -> None:
        """Hear it. One id is always the same change."""
        told, stage = notice.told, notice.told.stage
        name, attempt = (stage.name, stage.attempt) if stage else ("", 0)
        what = (stage.status if stage else told.state) or ""
        heard = (told.run.id, told.run.generation, name, attempt, what)
        if self._ids.setdefault(told.id, heard) != heard:
            raise self._findings.violate(f"notice {told.id} tells of two changes")
        self._heard.add(heard)

    def note_save(self, before: Run | None, after: Run) -> None:
        """Expect to hear of what has changed."""
        if not after.plan.notices:
            return
        self._expected.update(dict.fromkeys(_changes(before, after)))

    def unheard(self, runs: Iterable[Run]) -> Iterator[str]:
        """Yield what nobody was told, and what nobody should have been told."""
        wanting = {run.id: run for run in runs if run.plan.notices}
        for heard in self._expected:
            run = wanting[heard[0]]
            is_wanted = not heard[2] or any(told.stages for told in run.plan.notices)
            if is_wanted and heard not in self._heard:
                yield f"nobody was told of {heard}"
        for heard in sorted(self._heard - self._expected.keys()):
            if heard[0] not in wanting:
                yield f"run {heard[0]} wanted nothing told, and {heard} was"
            elif heard[4] != "RUNNING":  # which may begin and end within one save
                yield f"{heard} was told and never happened"
        for run in wanting.values():
            if run.left_over:
                yield f"run {run.id} still has to tell {run.left_over}"


def _changes(before: Run | None, after: Run) -> Iterator[Heard]:
    is_new = before is None or before.generation != after.generation
    if is_new:
        yield (after.id, after.generation, "", 0, "PENDING")
    yield (after.id, after.generation, "", 0, after.state.value)
    for place, stage in enumerate(after.stages):
        about = (after.id, after.generation, stage.stage_name)
        if stage.status is StageStatus.RUNNING:
            yield (*about, stage.attempts, "RUNNING")
        known = len(before.stages[place].history) if before is not None else 0
        for entry in stage.history[known:]:
            # What a generation that begins puts back is no change of its own; what has nothing
            # to do is done within the same save.
            is_put_back = before is not None and is_new
            if not (is_put_back and entry.end_status is StageStatus.CANCELED):
                yield (*about, entry.attempt, entry.end_status.value)
