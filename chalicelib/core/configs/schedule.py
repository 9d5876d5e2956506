"""A schedule: a config, when it is deployed again, and how often still. Decided here."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Self

from pydantic import AwareDatetime

from chalicelib.core.configs.model import FOREVER
from chalicelib.core.noun import Noun

MOST_HISTORY: Final = 50
"""Spawned configs that a schedule names; the last ones."""


class Spawned(Noun):
    """A config that a schedule has deployed."""

    at: AwareDatetime
    config: str


class Schedule(Noun):
    """A schedule as it is kept."""

    id: str
    crontab: str
    lives: int
    """How often it will still spawn."""
    has_spawned: int = 0
    next_time: AwareDatetime | None
    """None: never again."""
    history: tuple[Spawned, ...] = ()
    config: dict[str, Any]
    creation: AwareDatetime

    @property
    def name(self) -> str:
        """The name of its config."""
        return str(self.config["name"])

    def after(self, config_id: str | None, following: datetime | None) -> Self:
        """Return the schedule after it has spawned that config, or could not, at its time."""
        if self.next_time is None:
            raise AssertionError("a schedule that is over never spawns")
        lives = self.lives if self.lives == FOREVER else self.lives - 1
        spawned = [Spawned(at=self.next_time, config=config_id)] if config_id else []
        return self.model_copy(
            update={
                "lives": lives,
                "has_spawned": self.has_spawned + len(spawned),
                "next_time": following if lives else None,
                "history": (*self.history, *spawned)[-MOST_HISTORY:],
            }
        )

    def document(self, *, is_running: bool) -> dict[str, Any]:
        """Return what clients see; ``is_running``: whether its last config is not over yet."""
        live = "running" if is_running else "active"
        return {
            "id": self.id,
            "status": "expired" if self.next_time is None else live,
            "lives": self.lives,
            "has_spawned": self.has_spawned,
            "next_time": self.next_time and self.next_time.isoformat(),
            "crontab": self.crontab,
            "history": [[each.at.isoformat(), each.config] for each in self.history],
            "creation": self.creation.timestamp(),
            "config": self.config,
        }
