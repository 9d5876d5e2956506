"""What a run announces, and to whom: a part of its plan, made when the request is accepted.

A target is named, never described: where a webhook leads and what it is signed with stand in the
site alone, and are looked up when the notice is delivered.
"""

from __future__ import annotations

from typing import Final, Literal

from chalicelib.core.noun import Noun

StateName = Literal["PENDING", "RUNNING", "SUCCESS", "ERROR", "CANCELED"]
"""``RunState``, which cannot be imported here: a run has a plan."""
StageStatusName = Literal["RUNNING", "RETRY", "COMPLETE", "ERROR", "CANCELED"]
"""Those of ``StageStatus`` that a stage comes into."""
ENDS: Final[tuple[StateName, ...]] = ("SUCCESS", "ERROR", "CANCELED")
EVERY_STAGE: Final = "*"


class Target(Noun):
    """Somebody who is told."""

    kind: Literal["mail", "topic", "webhook", "events"]
    name: str
    """An e-mail address, the site's name of the topic or webhook, or that of the event bus."""


class Announcement(Noun):
    """Changes that are told, and to whom."""

    states: tuple[StateName, ...] = ()
    """Of the run."""
    stages: tuple[str, ...] = ()
    """Names of stages, or ``*`` for all of them."""
    stages_on: tuple[StageStatusName, ...] = ()
    targets: tuple[Target, ...]

    def is_of_run(self, state: str) -> bool:
        """Tell whether a run's coming into the state is told."""
        return state in self.states

    def is_of_stage(self, name: str, status: str) -> bool:
        """Tell whether a stage's coming into the status is told."""
        is_named = name in self.stages or EVERY_STAGE in self.stages
        return is_named and status in self.stages_on
