"""Runs as they are shown, and what else is said of them."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import AwareDatetime, JsonValue

from chalicelib.children import Child
from chalicelib.core.audit import AuditEntry
from chalicelib.core.run import RunError, RunState, StageState
from chalicelib.web.described import Answer
from chalicelib.web.shapes.shape import Shape


class RunView(Shape):
    """A run: one tracked execution of a request."""

    id: str
    kind: str
    """What it executes: ``demand-execution``, ``data-sync``, ``remove-data-paths``, …"""
    group: str
    state: RunState
    generation: int
    """1, and one more for each time that it was resumed or rolled back."""
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    settled_at: AwareDatetime | None
    """When nothing was left to do: its jobs have ended and its clean-up is done."""
    outputs: dict[str, JsonValue]
    """Of a demand execution: ``{parameter: {uri, manifest, files, bytes}}``."""
    error: RunError | None
    stages: tuple[StageState, ...]
    """In their order."""


class RunPage(Shape):
    """A page of runs."""

    runs: tuple[RunView, ...]
    next_cursor: str | None
    """Give it as ``cursor`` to get the next page; null on the last one."""


class DeletedRuns(Shape):
    """What became of a page of obsolete runs."""

    deleted: int
    ids: tuple[str, ...]
    kept: dict[str, str]
    """Run id → why it could not be deleted."""
    next_cursor: str | None


class Explanation(Shape):
    """What a run waits for, or why it ended so."""

    run: str
    state: RunState
    why: tuple[str, ...]
    """Sentences, the most important first."""


class AuditPage(Shape):
    """Who asked what of a run, the oldest first."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None


class ChildPage(Shape):
    """Runs that a run has started, by stage, attempt and index."""

    children: tuple[Child, ...]
    """``state`` is null of one that was deleted, or is about to be started."""
    next_cursor: str | None


class Findings(Shape):
    """What a submission would do, in sentences."""

    findings: tuple[str, ...]


class DeadLetter(Shape):
    """A message that nobody could take in, or a notice that could not be delivered."""

    id: str
    origin: str
    """The queue that it would be sent back to."""
    about: str
    """Who or what it was for."""
    reason: str
    tries: int
    since: AwareDatetime


class DeadLetters(Shape):
    """Some of them, the oldest first. On AWS they are in queues, which show none: 422."""

    dead_letters: tuple[DeadLetter, ...]


class SentBack(Shape):
    """What became of the dead letters."""

    sent_back: dict[str, int]
    """By the name of the queue, how many messages."""
    left: int
    """How many could not be sent back; the log says why."""
    has_more: bool


class Health(Shape):
    """That we serve, which version, and from which home."""

    status: Literal["ok"]
    version: str
    home: Literal["aws", "embedded"]


SUBMITTED: Final[dict[int, Any]] = {
    202: Answer(RunView, headers=("Location",)),
    200: Answer(RunView, headers=("Location", "Link")),
}
"""Of what starts a run: 200 for one that has ended already, which only a resume moves."""
