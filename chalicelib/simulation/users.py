"""What users do: submit, submit again, cancel, resume, roll back, and ask again when in doubt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chalicelib import engine, intake
from chalicelib.core.events import CancelRequested, ResumeRequested, RollbackRequested
from chalicelib.core.run import Run, RunState
from chalicelib.ports import Ports
from chalicelib.simulation.batch_jobs import DAY, HOUR
from chalicelib.simulation.dice import Dice, Fault
from chalicelib.simulation.lambdas import Lambdas, patient
from chalicelib.simulation.schedule import Deed, Schedule

MOST_GENERATIONS: Final = 3
"""Nobody resumes for ever."""


class Users:
    """All users of one world."""

    def __init__(self, schedule: Schedule, dice: Dice, lambdas: Lambdas) -> None:
        self._schedule = schedule
        self._dice = dice
        self._lambdas = lambdas
        self._how = dice.stream("users")
        self.ports: Callable[[], Ports]
        self.submit: Callable[[object, Ports], Run] = intake.submit
        """The way in of what they ask for."""
        self.begin_again: Callable[[ResumeRequested | RollbackRequested, Ports], Run] = (
            engine.handle
        )
        """The way in of what lets a run go on."""

    def plan(self, document: dict[str, Any], run_id: str, at: float) -> None:
        """Have somebody submit the document, and perhaps change his mind."""

        def submit() -> None:
            self.submit(document, self.ports())

        self._plan(at, f"submit {run_id}", submit)
        if self._dice.strikes(Fault.SUBMIT_TWICE):
            later = at + self._how.choice((0.0, 1.0, 3600.0, DAY)) * self._how.random()
            self._plan(later, f"submit {run_id} once more", submit)
        if self._dice.strikes(Fault.CANCEL):
            later = at + self._how.choice((10.0, 600.0, 3600.0, DAY)) * self._how.random()
            self._plan(later, f"cancel {run_id}", lambda: self._cancel(run_id))

    def hear(self, before: Run | None, after: Run) -> None:
        """Somebody looks at a run that has just ended, and may want it to go on."""
        has_ended = after.is_terminal and not (before and before.is_terminal)
        if not has_ended or after.generation >= MOST_GENERATIONS:
            return
        at = self._schedule.seconds + self._how.choice((2.0, 60.0, HOUR, DAY)) * self._how.random()
        if after.state is not RunState.SUCCESS and self._dice.strikes(Fault.RESUME):
            self._plan_twice(at, f"resume {after.id}", self._resume(after))
        elif self._dice.strikes(Fault.ROLL_BACK):
            stages = [plan.name for plan in after.plan.stages if not plan.is_closing]
            stage = self._how.choice(stages)
            self._plan_twice(at, f"roll {after.id} back to {stage}", self._roll_back(after, stage))

    def _plan_twice(self, at: float, words: str, deed: Deed) -> None:
        self._plan(at, words, deed)
        if self._how.random() < 0.3:
            self._plan(at + self._how.choice((0.0, 60.0)), f"{words} once more", deed)

    def _plan(self, at: float, words: str, deed: Deed) -> None:
        self._schedule.at(at, words, lambda: self._invoke(words, deed))

    def _invoke(self, words: str, deed: Deed) -> None:
        self._lambdas.invoke(words, deed, patient)

    def _cancel(self, run_id: str) -> None:
        ports = self.ports()
        engine.handle(CancelRequested(run_id=run_id, at=ports.clock()), ports)

    def _resume(self, run: Run) -> Deed:
        def deed() -> None:
            ports = self.ports()
            event = ResumeRequested(run_id=run.id, at=ports.clock(), generation=run.generation)
            self.begin_again(event, ports)

        return deed

    def _roll_back(self, run: Run, stage: str) -> Deed:
        def deed() -> None:
            ports = self.ports()
            event = RollbackRequested(
                run_id=run.id, at=ports.clock(), stage=stage, generation=run.generation
            )
            self.begin_again(event, ports)

        return deed
