"""A run and its world as an explicit state machine, small enough to be gone through whole.

The world: jobs of a Batch that takes submissions late or never, runs a second job of a name, loses
hosts. The messages: whatever was ever true of a job may be told at any time, any number of times,
in any order, or never; so duplicates, late and lost events need no state of their own. The engine:
whatever a saved run is owed may be performed at any time, or later, or by somebody else; the right
to submit may be used once, or die with its process.

Times are kept only as far as a decision can see them: is a backoff over, is a grace half over, or
over. That makes the states finite.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from chalicelib.core.commands import FindJob, ReadOutcome, StartJob, StopJob, SubmitJob, WatchJob
from chalicelib.core.errors import Conflict
from chalicelib.core.events import (
    CancelRequested,
    Event,
    JobChanged,
    JobNotFound,
    OutcomeRead,
    ResumeRequested,
    RunRequested,
    SubmissionStarted,
    TimerFired,
)
from chalicelib.core.job_state import ENDED_JOBS, JobStatus
from chalicelib.core.lifecycle import decide, owed
from chalicelib.core.plans.plan import JobAction, Plan, RetryPolicy, StagePlan
from chalicelib.core.run import Run
from chalicelib.simulation.invariants import check_save

UID = "abcdefghijklmnop2345"
START = datetime(2026, 1, 1, tzinfo=datetime.fromisoformat("2026-01-01T00:00:00+00:00").tzinfo)
GRACE = 10
TICK = timedelta(seconds=5)
"""Half a grace, and longer than the backoff of the first two attempts."""
SPOT = "Host EC2 (instance i-0) terminated."


class Budget(NamedTuple):
    """How often each misfortune may still strike; without bounds there would be no end."""

    losses: int = 0
    """Processes that die with the right to submit."""
    reclaims: int = 0
    failures: int = 0
    """Jobs that fail by themselves."""
    copies: int = 0
    resumes: int = 0
    cancels: int = 0


class Job(NamedTuple):
    """A job that was accepted."""

    serial: int
    is_copy: bool = False
    status: JobStatus = JobStatus.SUBMITTED
    was: tuple[JobStatus, ...] = (JobStatus.SUBMITTED,)
    exit_code: int | None = None
    reason: str | None = None
    is_stopping: bool = False
    has_claim: bool = False
    has_written: bool = False

    @property
    def id(self) -> str:
        return f"j{self.serial}{'c' if self.is_copy else ''}"

    @property
    def is_live(self) -> bool:
        return self.status not in ENDED_JOBS

    def moved(self, status: JobStatus, **changes: object) -> Job:
        return self._replace(status=status, was=(*self.was, status), **changes)  # type: ignore[arg-type]


class State(NamedTuple):
    """Everything there is."""

    run: Run
    now: datetime
    budget: Budget
    jobs: tuple[Job, ...] = ()
    grants: frozenset[int] = frozenset()
    """Serials that somebody has the right to submit, and has not yet."""

    @property
    def key(self) -> tuple[object, ...]:
        """What can make a difference to anything that follows."""
        return (run_key(self.run, self.now), self.jobs, self.grants, self.budget)


class Wrong(AssertionError):
    """An invariant does not hold."""


def a_plan(*, is_worker: bool = False, max_attempts: int = 1) -> Plan:
    """One stage with a job."""
    action = JobAction(definition="user", queue="q", is_worker=is_worker)
    return Plan(
        stages=(StagePlan(name="work", action=action),),
        submit_grace_seconds=GRACE,
        check_seconds=3600,
        retry_policy=RetryPolicy.STAGE if max_attempts > 1 else RetryPolicy.NONE,
        max_attempts=max_attempts,
    )


def begin(plan: Plan, budget: Budget, run_id: str = "r1") -> State:
    """Return the state after the run was requested."""
    event = RunRequested(run_id=run_id, at=START, uid=UID, kind="k", group="default", plan=plan)
    return State(decide(None, event).run, START, budget)


def run_key(run: Run, now: datetime) -> tuple[object, ...]:
    """Return the run without what no decision depends on."""
    stages = tuple(
        (
            stage.status,
            stage.attempts,
            stage.free_attempts,
            stage.uses_fallback,
            None if stage.retry_at is None else now >= stage.retry_at,
            len(stage.history),
        )
        for stage in run.stages
    )
    jobs = tuple(
        (
            job.serial,
            job.attempt,
            job.generation,
            job.job_id,
            job.status,
            job.stop,
            job.is_own,
            job.is_absent,
            job.is_read,
            _age(now - job.submit_started_at) if job.job_id is None else None,
        )
        for job in run.jobs
    )
    cause = run.error.cause if run.error else None
    settled = run.settled_at is not None
    return (run.state, run.generation, run.serial, stages, jobs, cause, settled)


def _age(since: timedelta) -> int:
    return min(2, int(since / TICK))


def successors(state: State) -> Iterator[tuple[str, State]]:
    """Yield everything that can happen next."""
    yield from _engine(state)
    yield from _submissions(state)
    yield from _batch(state)
    yield from _messages(state)
    yield from _users(state)
    if all(_may_wait(state, serial) for serial in state.grants):
        yield "tick", state._replace(now=state.now + TICK)


def _may_wait(state: State, serial: int) -> bool:
    """Nobody submits once the grace is over: a Lambda does not live that long."""
    intent = next(job for job in state.run.jobs if job.serial == serial)
    return state.now + TICK < intent.submit_started_at + timedelta(seconds=GRACE)


def _engine(state: State) -> Iterator[tuple[str, State]]:
    """The saved run's own commands, performed by whoever comes by; and the sweep itself."""
    yield "timer", _after(state, TimerFired(run_id=state.run.id, at=state.now))
    for command in owed(state.run, state.now):
        match command:
            case StartJob(stage=stage, serial=serial):
                event = SubmissionStarted(
                    run_id=state.run.id, at=state.now, stage=stage, serial=serial
                )
                yield f"start {serial}", _after(state, event)
            case StopJob(job_id=job_id):
                yield f"stop {job_id}", _change(state, job_id, is_stopping=True)
            case WatchJob(job_id=job_id):
                yield f"watch {job_id}", _after(state, _told(state, _job(state, job_id)))
            case FindJob(serial=serial, is_overdue=is_overdue):
                yield f"find {serial}", _find(state, serial, is_overdue=is_overdue)
            case ReadOutcome(serial=serial):
                yield f"read {serial}", _after(state, _outcome(state, serial))


def _find(state: State, serial: int, *, is_overdue: bool) -> State:
    found = [job for job in state.jobs if job.serial == serial]
    for job in found:
        state = _after(state, _told(state, job))
    if found or not is_overdue:
        return state
    stage = state.run.stages[0].stage_name
    return _after(
        state, JobNotFound(run_id=state.run.id, at=state.now, stage=stage, serial=serial)
    )


def _submissions(state: State) -> Iterator[tuple[str, State]]:
    for serial in state.grants:
        used = state._replace(grants=state.grants - {serial})
        budget = state.budget
        yield f"submit {serial}", _accept(used, Job(serial))
        if budget.copies:
            twice = _accept(_accept(used, Job(serial)), Job(serial, is_copy=True))
            yield (
                f"submit {serial} twice",
                twice._replace(budget=budget._replace(copies=budget.copies - 1)),
            )
        if budget.losses:
            fewer = budget._replace(losses=budget.losses - 1)
            yield f"lose {serial}", used._replace(budget=fewer)


def _accept(state: State, job: Job) -> State:
    if any(other.id == job.id for other in state.jobs):
        raise Wrong(f"{job.id} was submitted twice")
    return state._replace(jobs=tuple(sorted((*state.jobs, job))))


def _batch(state: State) -> Iterator[tuple[str, State]]:
    is_worker = state.run.plan.stages[0].action.is_worker  # type: ignore[union-attr]
    for job in state.jobs:
        if not job.is_live:
            continue
        if job.is_stopping:
            yield f"{job.id} stops", _move(state, job, JobStatus.FAILED, reason="stopped")
        if job.status is JobStatus.SUBMITTED:
            yield f"{job.id} runs", _run(state, job)
            continue
        if is_worker and not job.has_claim:
            yield f"{job.id} leaves", _move(state, job, JobStatus.FAILED, exit_code=75)
        else:
            written = {"has_written": True} if is_worker else {}
            yield (
                f"{job.id} succeeds",
                _move(state, job, JobStatus.SUCCEEDED, exit_code=0, **written),
            )
            if state.budget.failures:
                fewer = state.budget._replace(failures=state.budget.failures - 1)
                failed = _move(state, job, JobStatus.FAILED, exit_code=1)
                yield f"{job.id} fails", failed._replace(budget=fewer)
        if state.budget.reclaims:
            fewer = state.budget._replace(reclaims=state.budget.reclaims - 1)
            lost = _move(state, job, JobStatus.FAILED, reason=SPOT)
            yield f"{job.id} loses its host", lost._replace(budget=fewer)


def _run(state: State, job: Job) -> State:
    """A job begins to work: here is where two that do the same are found."""
    is_first = not any(other.has_claim for other in state.jobs if other.serial == job.serial)
    is_worker = state.run.plan.stages[0].action.is_worker  # type: ignore[union-attr]
    after = _move(state, job, JobStatus.RUNNING, has_claim=is_first)
    if is_worker and not is_first:
        return after
    for other in after.jobs:
        is_beside = other.id != job.id and other.status is JobStatus.RUNNING
        is_excused = job.is_copy or other.is_copy or _has_copy(state, job, other)
        if is_beside and not is_excused and (other.has_claim or not is_worker):
            raise Wrong(f"{job.id} works beside {other.id}")
    return after


def _has_copy(state: State, *jobs: Job) -> bool:
    serials = {job.serial for job in jobs}
    return any(job.is_copy and job.serial in serials for job in state.jobs)


def _messages(state: State) -> Iterator[tuple[str, State]]:
    """Everything that was ever true may be told now."""
    for job in state.jobs:
        for status in job.was:
            yield f"tell {job.id} {status}", _after(state, _told(state, job, status))


def _users(state: State) -> Iterator[tuple[str, State]]:
    budget, run = state.budget, state.run
    if budget.cancels and not run.is_terminal:
        fewer = state._replace(budget=budget._replace(cancels=budget.cancels - 1))
        yield "cancel", _after(fewer, CancelRequested(run_id=run.id, at=state.now))
    if budget.resumes and run.is_terminal and run.state != "SUCCESS":
        fewer = state._replace(budget=budget._replace(resumes=budget.resumes - 1))
        event = ResumeRequested(run_id=run.id, at=state.now, generation=run.generation)
        yield "resume", _after(fewer, event)


def _after(state: State, event: Event) -> State:
    """Decide, check and save; what the decision grants may be used, later or never."""
    try:
        decision = decide(state.run, event)
    except Conflict:
        return state
    wrong = list(check_save(state.run, decision.run))
    if wrong:
        raise Wrong(f"{type(event).__name__}: {wrong}")
    grants = {c.serial for c in decision.commands if isinstance(c, SubmitJob)}
    return state._replace(run=decision.run, grants=state.grants | grants)


def _told(state: State, job: Job, status: JobStatus | None = None) -> JobChanged:
    status = status or job.status
    has_ended = status in ENDED_JOBS
    return JobChanged(
        run_id=state.run.id,
        at=state.now,
        uid=UID,
        serial=job.serial,
        job_id=job.id,
        queue="q",
        status=status,
        ended_attempts=int(has_ended),
        exit_code=job.exit_code if has_ended else None,
        reason=job.reason if has_ended else None,
    )


def _outcome(state: State, serial: int) -> OutcomeRead:
    holder = next((j for j in state.jobs if j.serial == serial and j.has_claim), None)
    return OutcomeRead(
        run_id=state.run.id,
        at=state.now,
        stage=state.run.stages[0].stage_name,
        serial=serial,
        holder_job_id=holder.id if holder else None,
        is_written=holder is not None and holder.has_written,
    )


def _job(state: State, job_id: str) -> Job:
    return next(job for job in state.jobs if job.id == job_id)


def _change(state: State, job_id: str, **changes: object) -> State:
    jobs = tuple(
        job._replace(**changes) if job.id == job_id else job  # type: ignore[arg-type]
        for job in state.jobs
    )
    return state._replace(jobs=jobs)


def _move(state: State, job: Job, status: JobStatus, **changes: object) -> State:
    moved = job.moved(status, **changes)
    return state._replace(jobs=tuple(moved if each is job else each for each in state.jobs))


class Graph(NamedTuple):
    """All states that can be reached, and what leads from each to which."""

    states: list[State]
    edges: list[list[tuple[str, int]]]

    def cannot_end(self) -> list[int]:
        """Return the states from which no settled end can be reached."""
        backwards: list[list[int]] = [[] for _ in self.states]
        for source, edges in enumerate(self.edges):
            for _, target in edges:
                backwards[target].append(source)
        good = {n for n, state in enumerate(self.states) if is_quiet(state)}
        waiting = deque(good)
        while waiting:
            for source in backwards[waiting.popleft()]:
                if source not in good:
                    good.add(source)
                    waiting.append(source)
        return [n for n in range(len(self.states)) if n not in good]

    def way_to(self, number: int) -> list[str]:
        """Return a shortest way from the beginning."""
        came: dict[int, tuple[int, str]] = {}
        waiting = deque([0])
        while waiting:
            source = waiting.popleft()
            for words, target in self.edges[source]:
                if target and target not in came:
                    came[target] = (source, words)
                    waiting.append(target)
        way: list[str] = []
        while number:
            number, words = came[number]
            way.insert(0, words)
        return way


def is_quiet(state: State) -> bool:
    """Whether the run is settled and no job of it lives."""
    return state.run.settled_at is not None and not any(job.is_live for job in state.jobs)


def explore(start: State) -> Graph:
    """Go through everything, breadth first. Raises Wrong, with the way that leads there."""
    numbers, states = {start.key: 0}, [start]
    edges: list[list[tuple[str, int]]] = []
    number = 0
    while number < len(states):
        found: list[tuple[str, int]] = []
        try:
            for words, state in successors(states[number]):
                key = state.key
                if key not in numbers:
                    numbers[key] = len(states)
                    states.append(state)
                found.append((words, numbers[key]))
        except Wrong as exc:
            graph = Graph(states, [*edges, *([] for _ in states[len(edges) :])])
            raise Wrong(f"{exc}, after: {', '.join(graph.way_to(number))}") from exc
        edges.append(found)
        number += 1
    return Graph(states, edges)
