"""Facts, past tense. Everything that ``decide`` may know of the world arrives in one of these.

``at`` is when we took the fact in hand, by our own clock: times that others report stand in
fields of their own, for a fact may be an hour old when it reaches us.
"""

from __future__ import annotations

from pydantic import AwareDatetime, JsonValue

from chalicelib.core.job_state import ChildTimes, JobStatus
from chalicelib.core.noun import Noun
from chalicelib.core.plans.plan import Plan


class RunRequested(Noun):
    """Somebody wants a run; its plan is made and everything in the request was checked."""

    run_id: str
    at: AwareDatetime
    uid: str
    """20 base32 characters, fresh."""
    kind: str
    group: str
    plan: Plan


class SubmissionStarted(Noun):
    """We are about to submit the stage's job. The save of this fact is the right to do it."""

    run_id: str
    at: AwareDatetime
    stage: str
    serial: int
    """The one it will have: the run's last + 1. Any other is yesterday's news."""


class SubmissionRefused(Noun):
    """The backend said that it will never accept this job; it did not."""

    run_id: str
    at: AwareDatetime
    stage: str
    serial: int
    message: str


class SubmissionUnclear(Noun):
    """The backend did not answer; the job may exist. Only looking its name up can tell."""

    run_id: str
    at: AwareDatetime
    stage: str
    serial: int


class SubmissionDeferred(Noun):
    """The backend turned the submission away for now: it certainly had no effect."""

    run_id: str
    at: AwareDatetime
    stage: str
    serial: int


class JobChanged(Noun):
    """A job that bears one of our names was seen in some status."""

    run_id: str
    at: AwareDatetime
    uid: str
    serial: int
    """Both from the job's name."""
    job_id: str
    queue: str
    status: JobStatus
    ended_attempts: int = 0
    exit_code: int | None = None
    reason: str | None = None
    log_stream: str | None = None
    started_at: AwareDatetime | None = None
    stopped_at: AwareDatetime | None = None
    is_fresh: bool = False
    """The backend was asked just now; an event may have been on its way for hours."""


class JobNotFound(Noun):
    """The backend was asked, after the grace, and knows no job of that name or id."""

    run_id: str
    at: AwareDatetime
    stage: str
    serial: int
    job_id: str | None = None
    """None: the name was looked for. Else the id, which the backend knew once."""


class OutcomeRead(Noun):
    """What our worker left behind was read: who holds the claim, and what the holder wrote."""

    run_id: str
    at: AwareDatetime
    stage: str
    serial: int
    holder_job_id: str | None = None
    is_written: bool = False
    result: JsonValue = None
    error: str | None = None
    batches_left: int | None = None
    """Of a job that did batches: how many of its stage's are still not done."""


class ChildrenTimed(Noun):
    """The backend told how long some children of an array that has ended ran."""

    run_id: str
    at: AwareDatetime
    job_id: str
    first: int
    """Where the piece begins; the next one begins at ``times.next``."""
    times: ChildTimes
    """Of the piece alone."""


class CallEnded(Noun):
    """A call came to its end: with a result, or with the reason why it never will."""

    run_id: str
    at: AwareDatetime
    stage: str
    attempt: int
    generation: int = 1
    result: JsonValue = None
    error: str | None = None
    cause: str = "call"
    """Of the error, in the word of RunError.cause."""
    is_passing: bool = False
    """Nobody answered: the next time may be better."""


class ChildrenEnded(Noun):
    """The runs that a stage's attempt had started have all ended and settled."""

    run_id: str
    at: AwareDatetime
    stage: str
    generation: int
    attempt: int
    result: JsonValue = None
    error: str | None = None
    """Of the first that failed, or why not all of them could be started."""
    cause: str = "child"
    """Of the error, in the word of RunError.cause."""


class StageTried(Noun):
    """A step of a stage was performed, or could not be, for a reason that nobody foresaw."""

    run_id: str
    at: AwareDatetime
    stage: str
    generation: int
    attempt: int
    fault: str | None
    """What was raised and where, without its text, which may hold anything; None: it went well."""


class CancelRequested(Noun):
    """Somebody wants the run to stop."""

    run_id: str
    at: AwareDatetime
    reason: str | None = None
    """In his words, if he gave any."""


class ResumeRequested(Noun):
    """Somebody wants an ended run to go on: what is COMPLETE stays, the rest runs again."""

    run_id: str
    at: AwareDatetime
    generation: int | None = None
    """The generation that is to be left; None: whichever the run is in. A repeated request that
    names it changes nothing the second time, and is a Conflict once that was in vain."""


class RollbackRequested(Noun):
    """Somebody wants an ended run to run again from a stage on."""

    run_id: str
    at: AwareDatetime
    stage: str
    generation: int | None = None
    """As in ResumeRequested."""


class Announced(Noun):
    """Changes of the run were handed on to all who want to be told of them."""

    run_id: str
    at: AwareDatetime
    keys: tuple[str, ...]
    """As in Announce."""


class TimerFired(Noun):
    """It is time to look at the run: a wake-up, or the sweep."""

    run_id: str
    at: AwareDatetime


Event = (
    RunRequested
    | SubmissionStarted
    | SubmissionRefused
    | SubmissionUnclear
    | SubmissionDeferred
    | JobChanged
    | JobNotFound
    | OutcomeRead
    | ChildrenTimed
    | CallEnded
    | ChildrenEnded
    | StageTried
    | CancelRequested
    | ResumeRequested
    | RollbackRequested
    | Announced
    | TimerFired
)
