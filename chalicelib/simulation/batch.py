"""AWS Batch: it takes two jobs of one name, shows them late, loses hosts and forgets.

::

    submit ─▶ SUBMITTED ─▶ RUNNABLE ─▶ STARTING ─▶ RUNNING ─▶ SUCCEEDED | FAILED ─ 7 days ─▶ gone
                              └─ no host ┘   └─ image, Docker ─▶ FAILED
                                                      └─ Spot: "Host EC2 (…) terminated."

It breaks off with a violation where our code does what it must never do.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from chalicelib.core.errors import Refused
from chalicelib.core.job_state import JobState, JobStatus
from chalicelib.core.limits import (
    BATCH_DESCRIBE_IDS,
    BATCH_JOB_NAME_CHARACTERS,
    BATCH_OVERRIDES_BYTES,
    BATCH_PAYLOAD_BYTES,
    BATCH_REASON_CHARACTERS,
    BATCH_REMEMBERS_ENDED_JOBS_SECONDS,
    BATCH_SUBMISSIONS_PER_SECOND,
)
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.job_ports import JobRequest, JobSeen
from chalicelib.simulation.batch_jobs import (
    Exit,
    Program,
    SimulatedJob,
    stopped,
    time_to_start,
    wait_for_host,
)
from chalicelib.simulation.bus import Bus
from chalicelib.simulation.dice import Dice, Fault
from chalicelib.simulation.schedule import Schedule
from chalicelib.simulation.violations import Findings

LISTING_LAG_SECONDS: Final = 60.0
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_NO_START: Final = {
    Fault.IMAGE_PULL: "Task failed to start; CannotPullContainerError: context deadline exceeded",
    Fault.DOCKER_TIMEOUT: "Task failed to start; DockerTimeoutError: Could not transition to "
    "started; timed out after waiting 3m0s",
}


class StrictBatch:
    """The JobRunner. ``intent`` finds a submission as it is saved, ``program`` what a job runs."""

    def __init__(self, schedule: Schedule, dice: Dice, bus: Bus, findings: Findings) -> None:
        self._schedule = schedule
        self._dice = dice
        self._bus = bus
        self._findings = findings
        self._how = dice.stream("batch")
        self._numbers = itertools.count(1)
        self._arns: dict[str, str] = {}
        self._by_second: Counter[int] = Counter()
        self.jobs: dict[str, SimulatedJob] = {}
        self.by_name: dict[str, list[SimulatedJob]] = {}
        self.copied: set[str] = set()
        """Names of which a second job was run that nobody asked for."""
        self.intent: Callable[[str, str], JobState | None]
        self.program: Callable[[SimulatedJob], Program]

    def define(self, definition: JobDefinition) -> str:
        """Return the ARN of the definition, the same for the same content."""
        key = definition.model_dump_json()
        name = f"arn:aws:batch:us-east-1:000000000000:job-definition/{definition.name}"
        return self._arns.setdefault(key, f"{name}:{len(self._arns) + 1}")

    def submit(self, job: JobRequest) -> str:
        """Take the job. Two calls for one intent are a violation."""
        intent = self._check(job)
        accepted = self._accept(job, intent, is_copy=False)
        if self._dice.strikes(Fault.EXTRA_COPY):
            self.copied.add(job.name)
            self._accept(job, intent, is_copy=True)
        return accepted.job_id

    def find(self, queue: str, name: str) -> tuple[JobSeen, ...]:
        """Return every job of that name that is shown already, newest first."""
        named = reversed(self.by_name.get(name, []))
        return tuple(job.seen for job in named if job.seen.queue == queue and self._is_shown(job))

    def describe(self, job_ids: Sequence[str]) -> tuple[JobSeen, ...]:
        """Return the jobs that are known, at most 100 of them."""
        if len(job_ids) > BATCH_DESCRIBE_IDS:
            raise self._findings.violate(f"DescribeJobs with {len(job_ids)} ids")
        known = (self.jobs[each] for each in dict.fromkeys(job_ids) if each in self.jobs)
        return tuple(job.seen for job in known if self._is_shown(job))

    def stop(self, job_id: str, reason: str) -> None:
        """Have the job end soon."""
        is_reason = 0 < len(reason) <= BATCH_REASON_CHARACTERS
        self._findings.check(is_reason, f"TerminateJob with a reason of {len(reason)} characters")
        job = self.jobs.get(job_id)
        if job is None or not job.is_live or job.is_stopping:
            return
        job.is_stopping = True
        has_begun = job.seen.status in {JobStatus.STARTING, JobStatus.RUNNING}
        wait = self._how.uniform(0.1, 40) if has_begun else self._how.uniform(0, 3)
        code = 137 if job.seen.status is JobStatus.RUNNING else None
        self._plan(job, wait, "is stopped", lambda: self._end(job, Exit(code, reason)))

    def log(self, log_stream: str, limit_bytes: int) -> bytes:  # noqa: ARG002 -- the port's
        """Jobs here say nothing."""
        return b""

    def _check(self, job: JobRequest) -> JobState:
        violate = self._findings.violate
        if len(job.name) > BATCH_JOB_NAME_CHARACTERS or not _NAME.fullmatch(job.name):
            raise violate(f"job name {job.name!r}")
        if len(job.model_dump_json()) > BATCH_PAYLOAD_BYTES:
            raise violate(f"the payload of job {job.name} is larger than Batch takes")
        overrides = job.model_dump_json(
            include={"command", "environment", "resource_requirements"}
        )
        if len(overrides) > BATCH_OVERRIDES_BYTES:
            raise violate(f"the overrides of job {job.name} are larger than ECS takes")
        second = int(self._schedule.seconds)
        self._by_second[second] += 1
        if self._by_second[second] > BATCH_SUBMISSIONS_PER_SECOND:
            raise violate(f"more than {BATCH_SUBMISSIONS_PER_SECOND} submissions in a second")
        if job.definition_arn not in self._arns.values():
            raise Refused(f"there is no job definition {job.definition_arn}")
        intent = self.intent(job.environment.get("FALSEWORK_RUN_ID", ""), job.name)
        if intent is None or intent.queue != job.queue:
            raise violate(f"SubmitJob of {job.name}, for which no intent is saved")
        if any(not each.is_copy for each in self.by_name.get(job.name, [])):
            raise violate(f"SubmitJob of {job.name} a second time")
        return intent

    def _accept(self, request: JobRequest, intent: JobState, *, is_copy: bool) -> SimulatedJob:
        lags = self._dice.strikes(Fault.LISTING_LAGS)
        lag = self._how.uniform(0, LISTING_LAG_SECONDS) if lags else 0.0
        job_id = f"job-{next(self._numbers)}"
        seen = JobSeen(
            job_id=job_id,
            name=request.name,
            queue=request.queue,
            status=JobStatus.SUBMITTED,
            run_id=request.environment["FALSEWORK_RUN_ID"],
        )
        shown_from = self._schedule.seconds + lag
        job = SimulatedJob(job_id, request, intent, seen, shown_from, is_copy)
        self._schedule.say(f"accepted: {request.name} ({job_id})" + " a copy" * is_copy)
        self.jobs[job_id] = job
        self.by_name.setdefault(request.name, []).append(job)
        self._bus.tell(seen)
        self._plan(job, 1.0, "RUNNABLE", lambda: self._make_runnable(job))
        return job

    def _make_runnable(self, job: SimulatedJob) -> None:
        self._move(job, JobStatus.RUNNABLE)
        wait = wait_for_host(self._how, is_long=self._dice.strikes(Fault.NO_HOST))
        self._plan(job, wait, "STARTING", lambda: self._start(job))

    def _start(self, job: SimulatedJob) -> None:
        self._move(job, JobStatus.STARTING)
        wait = time_to_start(self._how)
        for fault, reason in _NO_START.items():
            if self._dice.strikes(fault):
                self._plan(job, wait, str(fault), partial(self._end, job, Exit(None, reason)))
                return
        self._plan(job, wait, "RUNNING", lambda: self._run(job))
        if self._dice.strikes(Fault.SPOT):
            self._plan_reclaim(job, wait * 3)

    def _run(self, job: SimulatedJob) -> None:
        now = self._schedule.now()
        self._move(job, JobStatus.RUNNING, started_at=now, log_stream=f"log/{job.job_id}")
        job.program = self.program(job)
        self._go_on(job)
        if self._dice.strikes(Fault.SPOT):
            self._plan_reclaim(job, 3600)

    def _plan_reclaim(self, job: SimulatedJob, within: float) -> None:
        reason = f"Host EC2 (instance i-{self._how.getrandbits(32):08x}) terminated."
        when = self._how.uniform(0, within)
        self._plan(job, when, "loses its host", lambda: self._end(job, Exit(None, reason)))

    def _go_on(self, job: SimulatedJob) -> None:
        if job.program is None:
            return
        try:
            wait = next(job.program)
        except StopIteration as ended:
            self._end(job, ended.value)
        else:
            self._plan(job, wait, "works", lambda: self._go_on(job))

    def _end(self, job: SimulatedJob, how: Exit) -> None:
        status = JobStatus.SUCCEEDED if how.code == 0 else JobStatus.FAILED
        job.program = None
        job.ended = self._schedule.seconds
        self._move(job, status, **stopped(self._schedule.now(), how.code, how.reason))

    def _move(self, job: SimulatedJob, status: JobStatus, **changes: object) -> None:
        job.move(status, **changes)
        self._bus.tell(job.seen)

    def _plan(self, job: SimulatedJob, wait: float, words: str, deed: Callable[[], None]) -> None:
        """What was planned for a job does not happen once it has ended."""

        def if_live() -> None:
            if job.is_live:
                deed()

        self._schedule.after(wait, f"{job.seen.name} ({job.job_id}): {words}", if_live)

    def _is_shown(self, job: SimulatedJob) -> bool:
        now = self._schedule.seconds
        remembered = BATCH_REMEMBERS_ENDED_JOBS_SECONDS
        is_forgotten = job.ended is not None and now > job.ended + remembered
        return now >= job.shown_from and not is_forgotten
