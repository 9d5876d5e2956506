"""``decide``: one event in, the next run and its commands out. Pure; every event is idempotent.

The commands of a decision are those that the new state is owed and the old one was not, and, for
the one event that confers the right to it, the submission. An event that is old news changes
nothing, and then its commands are what the run is promptly owed: the event may be a redelivery
after a crash between saving and performing.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from chalicelib.core.commands import (
    Command,
    ReadOutcome,
    StopJob,
    StopReason,
    SubmitJob,
    WakeAt,
)
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.events import (
    Announced,
    CallEnded,
    CancelRequested,
    ChildrenEnded,
    ChildrenTimed,
    Event,
    JobChanged,
    JobNotFound,
    OutcomeRead,
    ResumeRequested,
    RollbackRequested,
    RunRequested,
    StageTried,
    SubmissionDeferred,
    SubmissionRefused,
    SubmissionStarted,
    SubmissionUnclear,
    TimerFired,
)
from chalicelib.core.job_state import ENDED_JOBS
from chalicelib.core.lifecycle import (
    again,
    calls,
    child_times,
    children,
    faults,
    jobs,
    lost,
    notices,
    outcomes,
    stages,
)
from chalicelib.core.lifecycle.advance import advance, is_attended, next_check_at, ready
from chalicelib.core.lifecycle.attempts import fail_stage
from chalicelib.core.lifecycle.deadlines import expire, expire_job, give_calls_up
from chalicelib.core.lifecycle.endings import WITHOUT_REASON, shortened
from chalicelib.core.lifecycle.owed import owed, prompt
from chalicelib.core.plans.plan import CleanUpPolicy, JobAction
from chalicelib.core.run import Run, RunError, RunState, Stage, StageStatus


class Decision(NamedTuple):
    """What to save, and then what to perform. ``run`` is the old one if nothing changed."""

    run: Run
    commands: tuple[Command, ...]


def decide(run: Run | None, event: Event) -> Decision:
    """Return the decision. Raises Conflict, or NotFound where there is no run for the event."""
    if isinstance(event, RunRequested):
        return _request(run, event)
    if run is None:
        raise NotFound(f"there is no run {event.run_id}")
    if isinstance(event, JobChanged) and not _is_ours(run, event):
        return _stop_stray(run, event)
    if isinstance(event, TimerFired):
        return _look(run, event)
    after = _apply(run, event)
    if after is run:
        return Decision(run, _repeated(run, event))
    after = _schedule(advance(after, event.at), event)
    granted = (*_granted(run, after, event), *children.heard_by_parent(run, after, event.at))
    return Decision(after, (*granted, *_newly_owed(run, after, event)))


def _apply(run: Run, event: Event) -> Run:  # noqa: C901, PLR0911, PLR0912 -- one line an event
    match event:
        case SubmissionStarted():
            return _start(run, event)
        case SubmissionRefused():
            return _refuse(run, event)
        case SubmissionUnclear():
            return run
        case SubmissionDeferred():
            return jobs.defer(run, event)
        case JobChanged():
            return expire_job(jobs.report(run, event), event)
        case JobNotFound():
            return lost.lose(run, event)
        case OutcomeRead():
            return outcomes.read(run, event)
        case ChildrenTimed():
            return child_times.take(run, event)
        case CallEnded():
            return calls.end(run, event)
        case ChildrenEnded():
            return children.end(run, event)
        case StageTried():
            return faults.note(run, event)
        case CancelRequested():
            return _cancel(run, event)
        case ResumeRequested():
            return again.resume(run, event)
        case RollbackRequested():
            return again.rollback(run, event)
        case Announced():
            return notices.note(run, event)
        case TimerFired() | RunRequested():
            raise AssertionError(event)
        case _:
            assert_never(event)


def _request(run: Run | None, event: RunRequested) -> Decision:
    if run is not None:
        if run.plan.request_digest != event.plan.request_digest or run.kind != event.kind:
            raise Conflict(f"run {run.id} exists already, with another request; choose another id")
        return Decision(run, prompt(run))
    new = Run(
        id=event.run_id,
        uid=event.uid,
        kind=event.kind,
        group=event.group,
        created_at=event.at,
        plan=event.plan,
        stages=tuple(
            Stage(task_id=event.run_id, stage_name=plan.name, status=StageStatus.CREATED)
            for plan in event.plan.stages
        ),
    )
    after = _schedule(advance(new, event.at), event)
    return Decision(after, (*children.heard_by_parent(new, after, event.at), *prompt(after)))


def _start(run: Run, event: SubmissionStarted) -> Run:
    """Only the next serial of a stage whose turn it is; anything else is yesterday's news."""
    is_next = event.serial == run.serial + 1
    is_ready = any(
        plan.name == event.stage and isinstance(plan.action, JobAction) for plan in ready(run)
    )
    return jobs.intend(run, event) if is_next and is_ready else run


def _refuse(run: Run, event: SubmissionRefused) -> Run:
    job = run.job(event.stage)
    if job is None or job.serial != event.serial or job.job_id is not None or job.has_ended:
        return run
    run = jobs.replace_job(run, job, is_absent=True, reason=shortened(event.message))
    if run.stage(event.stage).status is not StageStatus.RUNNING:
        return run
    return fail_stage(run, event.stage, event.at, "refused", event.message)


def _cancel(run: Run, event: CancelRequested) -> Run:
    """Final at once; the jobs end behind it, and ``settled_at`` tells when they have."""
    if run.state is RunState.CANCELED and run.settled_at is None:
        return run
    if run.is_terminal:
        raise Conflict(f"run {run.id} has ended already: {run.state}")
    is_closing_kept = run.plan.clean_up is CleanUpPolicy.ALWAYS
    for plan in run.plan.stages:
        if not (plan.is_closing and is_closing_kept):
            run = stages.cancel(run, plan.name, event.at)
    message = shortened(event.reason) or WITHOUT_REASON
    error = RunError(stage=None, cause="canceled", message=message)
    return run.model_copy(
        update={"state": RunState.CANCELED, "ended_at": event.at, "error": error}
    )


def _look(run: Run, event: TimerFired) -> Decision:
    """The sweep came by, or a wake-up: everything owed, and the next look is put off."""
    is_done = run.settled_at is not None and not is_attended(run)
    if is_done and run.next_check_at is None:
        return Decision(run, ())
    after = child_times.give_up(run, event.at)
    after = advance(expire(give_calls_up(after, event.at), event.at), event.at)
    is_due = run.next_check_at is None or event.at >= run.next_check_at
    if after is not run or is_due:
        after = after.model_copy(update={"next_check_at": next_check_at(after, event.at)})
    told = children.heard_by_parent(run, after, event.at)
    return Decision(after, (*told, *owed(after, event.at)))


def _is_ours(run: Run, event: JobChanged) -> bool:
    """Serials are the run's own; one that it does not know was given in a life that was lost."""
    return event.uid == run.uid and any(job.serial == event.serial for job in run.jobs)


def _stop_stray(run: Run, event: JobChanged) -> Decision:
    """Another uid is another run: of another deployment in the same account, which bears the same
    id, or one that this run replaced. Its jobs are not ours to stop."""
    if event.uid != run.uid or event.status in ENDED_JOBS:
        return Decision(run, ())
    stop = StopJob(job_id=event.job_id, queue=event.queue, reason=StopReason.NO_RUN)
    return Decision(run, (stop,))


def _granted(before: Run, after: Run, event: Event) -> tuple[Command, ...]:
    """The right to submit belongs to the decision that set the intent, and to no other."""
    match event:
        case SubmissionStarted() if after is not before:
            return (SubmitJob(stage=event.stage, serial=event.serial),)
        case SubmissionUnclear():
            job = before.job(event.stage)
            if job is not None and job.serial == event.serial and job.job_id is None:
                return (WakeAt(at=jobs.grace_ends_at(before, job)),)
    return ()


def _repeated(run: Run, event: Event) -> tuple[Command, ...]:
    """An event may be a redelivery after a crash; an answer that we have just asked for is not.

    Were a fault's, its step would be tried again at once, and so for as long as a look lasts.
    """
    is_told = isinstance(event, Announced | StageTried | ChildrenTimed)
    if is_told or (isinstance(event, JobChanged) and event.is_fresh):
        return ()
    return (*prompt(run), *_granted(run, run, event))


def _newly_owed(before: Run, after: Run, event: Event) -> tuple[Command, ...]:
    known = set(prompt(before))
    if isinstance(event, OutcomeRead):
        # What was read was the loser's; the holder's own, which has ended too, is still to be.
        known.discard(ReadOutcome(stage=event.stage, serial=event.serial))
    return tuple(command for command in prompt(after) if command not in known)


def _schedule(run: Run, event: Event) -> Run:
    """A check that comes sooner than it must does no harm; moving it costs two index writes."""
    wanted, planned = next_check_at(run, event.at), run.next_check_at
    if wanted is not None and planned is not None and event.at < planned <= wanted:
        return run
    return run.model_copy(update={"next_check_at": wanted})
