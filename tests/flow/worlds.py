"""A small world to run demands in: real stores on disk, a virtual clock, and a Batch of our own.

Ports can be wrapped so that the engine dies before or after its n-th call to the outside.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib import calls, engine, intake
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import Run
from chalicelib.core.site import Site
from chalicelib.core.worker_documents import Outcome, read_order
from chalicelib.job_ports import JobRequest, JobSeen
from chalicelib.local.claims import LocalClaims
from chalicelib.local.database import Database
from chalicelib.local.dead_letters import LocalDeadLetters
from chalicelib.local.documents import LocalDocuments
from chalicelib.local.facilities import LocalFacilities
from chalicelib.local.folders import Folders, own_file_systems
from chalicelib.local.home import Unpaced
from chalicelib.local.notices import LocalNotices
from chalicelib.local.object_store import LocalObjectStore
from chalicelib.local.run_store import LocalRunStore
from chalicelib.local.timers import LocalTimers
from chalicelib.ports import Ports

SITE = Site(writes_file_systems=True, submit_grace_seconds=10, check_seconds=30)


def a_demand(**changes: Any) -> dict[str, Any]:
    """A demand with two inputs and an output, of which the fake Batch copies nothing."""
    return {
        "execution_type": "align",
        "execution_id": "e1",
        "execution_image": "python:3.11",
        "execution_parameters": {
            "command": ["align", "${READS}"],
            "params": {"reads": "s3://data/reads @ reads", "ref": "s3://data/ref", "out": "out"},
            "inputs": ["reads", "ref"],
            "outputs": ["out"],
            "output_s3_prefix": "s3://data/results",
        },
        "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
        **changes,
    }


class Killed(BaseException):
    """The process is gone; what it had in memory is lost."""


class FakeBatch:
    """Batch with its events in hand: it accepts what it is given, twice the same name as well.

    A worker's job claims and writes its result document when it ends, as the real one does.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = itertools.count(1)
        self.requests: dict[str, JobRequest] = {}
        self.jobs: dict[str, JobSeen] = {}
        self.accepted: Counter[str] = Counter()
        self.stopped: list[str] = []
        self.failing: set[str] = set()

    def define(self, definition: Any) -> str:
        return f"arn:aws:batch:us-east-1:000000000000:job-definition/{definition.name}:1"

    def submit(self, job: JobRequest) -> str:
        job_id = f"id-{next(self._ids)}"
        self.requests[job_id] = job
        self.jobs[job_id] = JobSeen(
            job_id=job_id,
            name=job.name,
            queue=job.queue,
            status=JobStatus.RUNNABLE,
            run_id=job.environment["FALSEWORK_RUN_ID"],
        )
        self.accepted[job.environment["FALSEWORK_STAGE"]] += 1
        return job_id

    def find(self, queue: str, name: str) -> tuple[JobSeen, ...]:
        found = [job for job in self.jobs.values() if (job.queue, job.name) == (queue, name)]
        return tuple(reversed(found))

    def describe(self, job_ids: Any) -> tuple[JobSeen, ...]:
        return tuple(self.jobs[job_id] for job_id in job_ids if job_id in self.jobs)

    def stop(self, job_id: str, reason: str) -> None:
        job = self.jobs.get(job_id)
        if job is not None and job.status not in (JobStatus.SUCCEEDED, JobStatus.FAILED):
            self.stopped.append(job_id)
            self.end(job_id, JobStatus.FAILED)

    def log(self, log_stream: str, limit_bytes: int) -> bytes:
        return b""

    def end(self, job_id: str, status: JobStatus) -> None:
        code = {JobStatus.SUCCEEDED: 0, JobStatus.FAILED: 1}.get(status)
        changes = {"status": status, "ended_attempts": 1, "exit_code": code}
        self.jobs[job_id] = self.jobs[job_id].model_copy(update=changes)

    def finish(self) -> list[JobSeen]:
        """Let every job that is there run to its end; return what changed."""
        running = [j for j in self.jobs.values() if j.status is JobStatus.RUNNABLE]
        for job in running:
            environment = self.requests[job.job_id].environment
            has_failed = environment["FALSEWORK_STAGE"] in self.failing
            if "FALSEWORK_REQUEST_URI" in environment and not has_failed:
                self._work(job, environment)
            self.end(job.job_id, JobStatus.FAILED if has_failed else JobStatus.SUCCEEDED)
        return [self.jobs[job.job_id] for job in running]

    def _work(self, job: JobSeen, environment: dict[str, str]) -> None:
        holder = self._world.claims.claim(job.name, 0, job.job_id, 1)
        if holder.job_id != job.job_id:
            return
        assert read_order(self._world.objects.read, environment["FALSEWORK_REQUEST_URI"])
        outcome = Outcome(
            job_name=job.name,
            job_id=job.job_id,
            attempt=1,
            result={"outputs": {"out": {"uri": "s3://data/results/out/"}}},
        )
        uri = environment["FALSEWORK_OUTCOME_URI"]
        self._world.objects.write(uri, outcome.model_dump_json().encode())


class World:
    """The stores, the Batch and the clock; ``ports()`` counts every call that the engine makes."""

    def __init__(self, root: Path, site: Site = SITE) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.calls = 0
        self.trace: list[str] = []
        self.die_at = 0
        self.dies_after = False
        database = Database(root)
        file_systems = own_file_systems(site)
        self.runs = LocalRunStore(database)
        self.claims = LocalClaims(database)
        self.timers = LocalTimers(database)
        self.notices = LocalNotices(database, lambda: self.now)
        self.objects = LocalObjectStore(root)
        self.facilities = LocalFacilities(file_systems, Folders(root, file_systems))
        self.batch = FakeBatch(self)
        self._uids = itertools.count()
        self.ports = Ports(
            runs=self._counting(self.runs),
            claims=self._counting(self.claims),
            jobs=self._counting(self.batch),
            objects=self._counting(self.objects),
            facilities=self._counting(self.facilities),
            timers=self._counting(self.timers),
            pace=Unpaced(),
            dead_letters=LocalDeadLetters(self.notices),
            documents=self._counting(LocalDocuments(database, lambda: self.now)),
            site=site,
            clock=lambda: self.now,
            mint_uid=lambda: f"{'a' * 17}{'bcdefghijk'[next(self._uids) % 10]}22",
            pause=lambda _: None,
            announcer=self._counting(self.notices),
        )

    def submit(self, document: object) -> Run:
        return intake.submit(document, self.ports)

    def pass_time(self, seconds: float = 31) -> None:
        self.now += timedelta(seconds=seconds)

    def deliver(self, run_id: str, *, is_lossy: bool = False) -> None:
        """Let the jobs end, and tell the engine of it unless the events are lost."""
        for job in self.batch.finish():
            event = calls.job_changed(job, run_id, self.now)
            if event is not None and not is_lossy:
                engine.handle(event, self.ports)

    def _counting(self, target: Any) -> Any:
        return _Counting(self, target)

    def about_to_call(self, name: str) -> Callable[[], None]:
        """Count the call and die before it, or return what dies after it."""
        self.calls += 1
        self.trace.append(name)
        is_last = self.calls == self.die_at
        if is_last and not self.dies_after:
            raise Killed(name)

        def after() -> None:
            if is_last:
                raise Killed(name)

        return after


class _Counting:
    """A port, each of whose calls the world hears of first."""

    def __init__(self, world: World, target: Any) -> None:
        self._world = world
        self._target = target

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            after = self._world.about_to_call(f"{type(self._target).__name__}.{name}")
            result = method(*args, **kwargs)
            after()
            return result

        return call
