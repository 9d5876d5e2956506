"""Chains of stages that do nothing, through the real engine in the real embedded home, on SQLite.

``FalseworkCalls``: every stage is a call inside the engine, as a step of the peers is a function
in their process. One save a stage. This is the like-for-like row.

``FalseworkJobs``: every stage is a job of a runner that has it ended as soon as it was accepted,
and reports that. Three saves a stage: the intent, the acceptance, the end. The peers have nothing
like it; the row shows what exactly-once submission costs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from chalicelib import calls, engine
from chalicelib.core.events import RunRequested
from chalicelib.core.job_state import JobStatus
from chalicelib.core.plans.plan import (
    Action,
    DefineJobs,
    JobAction,
    JobDefinition,
    Plan,
    PutDocuments,
    StagePlan,
)
from chalicelib.core.run import RunState
from chalicelib.job_ports import JobRequest, JobSeen
from chalicelib.local.home import open_home
from chalicelib.settings import Settings, host_environment
from chalicelib.version import VERSION


class InstantJobs:
    """A JobRunner whose jobs have ended before anybody can ask; it keeps them in memory."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.ended: list[JobSeen] = []

    def define(self, definition: JobDefinition) -> str:
        """Return an ARN."""
        return f"arn:aws:batch:us-east-1:000000000000:job-definition/{definition.name}:1"

    def submit(self, job: JobRequest) -> str:
        """Accept the job, and have it ended."""
        job_id = f"job-{next(self._numbers)}"
        seen = JobSeen(
            job_id=job_id,
            name=job.name,
            queue=job.queue,
            status=JobStatus.SUCCEEDED,
            run_id=job.environment["FALSEWORK_RUN_ID"],
            ended_attempts=1,
            exit_code=0,
        )
        self.ended.append(seen)
        return job_id

    def find(self, queue: str, name: str) -> tuple[JobSeen, ...]:  # noqa: ARG002
        """Nobody ever has to look here."""
        return ()

    def describe(self, job_ids: Sequence[str]) -> tuple[JobSeen, ...]:  # noqa: ARG002
        """Nobody ever has to look here."""
        return ()

    def stop(self, job_id: str, reason: str) -> None:
        """Everything has ended."""

    def log(self, log_stream: str, limit_bytes: int) -> bytes:  # noqa: ARG002
        """Nothing was written."""
        return b""


class FalseworkCalls:
    """The engine with stages that are calls."""

    synchronous = "NORMAL"
    version = VERSION

    def __init__(self, root: Path) -> None:
        home = open_home(Settings(root=root), host_environment())
        self._database = home.database
        self.path = home.database.path
        self.jobs = InstantJobs()
        self.ports = home.ports._replace(jobs=self.jobs)
        self._numbers = itertools.count(1)

    def run(self, stages: int) -> None:
        """Request a run and see it to its end."""
        run_id = f"run-{next(self._numbers)}"
        uid = self.ports.mint_uid()
        event = RunRequested(
            run_id=run_id,
            at=self.ports.clock(),
            uid=uid,
            kind="benchmark",
            group="default",
            plan=self.plan(stages),
        )
        run = engine.handle(event, self.ports)
        while self.jobs.ended:
            told = calls.job_changed(self.jobs.ended.pop(0), run_id, self.ports.clock())
            assert told is not None
            run = engine.handle(told, self.ports)
        assert run.state is RunState.SUCCESS, run.error
        assert run.settled_at is not None

    def plan(self, stages: int) -> Plan:
        """Return a chain of calls that store nothing."""
        return chain([PutDocuments(documents={}, result=n) for n in range(stages)])

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class FalseworkJobs(FalseworkCalls):
    """The engine with stages that are jobs, after one that defines them."""

    def plan(self, stages: int) -> Plan:
        """Return a chain of jobs; the stage that defines them comes on top and is not counted."""
        define = DefineJobs(definitions={"noop": JobDefinition(name="noop", image="noop")})
        job = JobAction(definition="noop", queue="default")
        return chain([define, *[job] * stages])


def chain(actions: Sequence[Action]) -> Plan:
    """Return a plan whose stages come after each other."""
    names = [f"stage-{n}" for n in range(len(actions))]
    before: list[tuple[str, ...]] = [(), *((name,) for name in names)]
    stages = zip(names, before, actions, strict=False)
    return Plan(stages=tuple(StagePlan(name=n, after=a, action=c) for n, a, c in stages))
