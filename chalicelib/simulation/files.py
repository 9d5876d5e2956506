"""The working directory of a run, as much of it as shows what may not happen.

What a job finds there is written down: inputs, the leftovers of an attempt before it, outputs.
So a retry that starts in another's leftovers is seen, a clean-up that removes what nobody has
saved, and two jobs at work in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.simulation.batch_jobs import SimulatedJob
from chalicelib.simulation.violations import Findings

Attempt = tuple[str, str, int, int]
"""Run, stage, generation, attempt."""


@dataclass
class WorkingDirectory:
    """What lies below one run's root."""

    root: str | None = None
    has_inputs: bool = False
    leftovers_of: Attempt | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    """Parameter → name of the job that made it."""
    saved: dict[str, str] = field(default_factory=dict)
    """The same, of what stage-out has brought home with its manifest."""
    at_work: dict[str, SimulatedJob] = field(default_factory=dict)


class Files:
    """The working directories of all runs, and who did work at all."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._directories: dict[str, WorkingDirectory] = {}
        self.worked: dict[tuple[Attempt, bool], list[SimulatedJob]] = {}
        """By attempt, and whether it was its preparation."""
        self.too_late: Callable[[SimulatedJob], str] = lambda _: ""
        """Says how long the job's run has been over, if that is long enough to have stopped it."""
        self.copied: set[str] = set()
        """Names of which Batch itself ran a second job: nobody can prevent that both work."""

    def of(self, run_id: str) -> WorkingDirectory:
        """Return the run's working directory."""
        return self._directories.setdefault(run_id, WorkingDirectory())

    def did_work(self, job: SimulatedJob) -> None:
        """A job begins to work: alone in its run, in its time, and first in its attempt."""
        directory = self.of(job.run_id)
        for other in directory.at_work.values():
            if other.is_live and not self._is_excused(job, other):
                self._findings.violate(f"{_name(job)} began beside {_name(other)}")
        directory.at_work = {k: each for k, each in directory.at_work.items() if each.is_live}
        directory.at_work[job.job_id] = job
        before = self.worked.setdefault((job.attempt, job.intent.is_preparation), [])
        for other in before:
            if not self._is_excused(job, other):
                self._findings.violate(f"{_name(other)} and {_name(job)} did the same work")
        before.append(job)
        late = self.too_late(job)
        self._findings.check(not late, f"{_name(job)} began to work {late}")

    def begin(self, job: SimulatedJob, *, needs_inputs: bool) -> None:
        """The user's command begins."""
        directory = self.of(job.run_id)
        self.did_work(job)
        left = directory.leftovers_of
        is_clean = left is None or left == job.attempt or job.seen.name in self.copied
        self._findings.check(is_clean, f"{_name(job)} began in what {left} had left")
        is_ready = directory.has_inputs or not needs_inputs
        self._findings.check(is_ready, f"{_name(job)} began without its inputs")
        directory.leftovers_of = job.attempt

    def prepare(self, job: SimulatedJob) -> None:
        """The ground is cleared and the inputs are back."""
        directory = self.of(job.run_id)
        directory.leftovers_of = None
        directory.has_inputs = True
        directory.outputs.clear()

    def clean_up(self, job: SimulatedJob, root: str, *, keeps_outputs: bool) -> None:
        """All that the run has is removed, its outputs only if they have been saved."""
        directory = self.of(job.run_id)
        others = (d.root for run, d in self._directories.items() if run != job.run_id)
        is_shared = any(_overlap(root, other) for other in others if other)
        self._findings.check(not is_shared, f"{_name(job)} removes {root}, another run's")
        is_own = directory.root in {None, root}
        self._findings.check(is_own, f"{_name(job)} removes {root}, and not {directory.root}")
        if not keeps_outputs:
            lost = directory.outputs.items() - directory.saved.items()
            self._findings.check(not lost, f"{_name(job)} removes unsaved outputs: {sorted(lost)}")
            directory.outputs.clear()
        directory.has_inputs = False
        directory.leftovers_of = None

    def _is_excused(self, *jobs: SimulatedJob) -> bool:
        return any(job.seen.name in self.copied for job in jobs)


def _name(job: SimulatedJob) -> str:
    return f"{job.seen.name} ({job.job_id})"


def _overlap(one: str, other: str) -> bool:
    first, second = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return first.startswith(second) or second.startswith(first)
