"""Orders, imperative. Each is harmless when repeated; SubmitJob is not, and so is never owed.

``SubmitJob`` comes only out of the decision whose save set the intent. What a saved run is owed
when its submission's outcome is unknown is ``FindJob``: looking the name up.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime

from chalicelib.core.noun import Noun


class MakeCall(Noun):
    """Perform the stage's call, inside the Lambda."""

    stage: str
    attempt: int
    generation: int = 1


class StartJob(Noun):
    """Take the stage's job in hand: wait for the pace, then report SubmissionStarted."""

    stage: str
    serial: int


class SubmitJob(Noun):
    """Call the backend's submission, once, without retries."""

    stage: str
    serial: int


class FindJob(Noun):
    """Look a submission up by its name in the queue of its intent; adopt what is there."""

    stage: str
    serial: int
    is_overdue: bool
    """Past its grace: if it is not there now, it never will be."""


class WatchJob(Noun):
    """Ask the backend how the job is; the sweep asks for a hundred at a time."""

    stage: str
    serial: int
    job_id: str


class StopReason(StrEnum):
    """Why we have a job stopped; Batch gives it back as the reason of the job's end."""

    EXTRA_COPY = "an extra copy of a job of this run"
    CANCELED = "the run was canceled"
    STAGE_ENDED = "its stage has ended"
    TIMED_OUT = "it ran longer than it was allowed to"
    WAITED_TOO_LONG = "it waited in its queue longer than it was allowed to"
    NO_RUN = "a job of a run that is no longer there"


class StopJob(Noun):
    """End the job; nothing happens if it has ended already."""

    job_id: str
    queue: str
    reason: StopReason


class ReadOutcome(Noun):
    """Read the claim and the result document of a worker's job."""

    stage: str
    serial: int


class TimeChildren(Noun):
    """Ask how long the children of an array that has ended ran, from that one on."""

    serial: int
    job_id: str
    first: int


class TendRuns(Noun):
    """Start the runs of a stage's attempt, look at those under way, or cancel them."""

    stage: str
    generation: int
    attempt: int
    is_over: bool
    """Nobody waits for them any more: they are to be cancelled."""


class WakeParent(Noun):
    """Let the run that started this one look after it: it has ended."""

    run_id: str
    at: AwareDatetime


class Announce(Noun):
    """Hand the change on to those who want to be told of it."""

    key: str


class WakeAt(Noun):
    """Look at the run again at that time."""

    at: AwareDatetime


Command = (
    MakeCall
    | StartJob
    | SubmitJob
    | FindJob
    | WatchJob
    | StopJob
    | ReadOutcome
    | TimeChildren
    | TendRuns
    | WakeParent
    | WakeAt
    | Announce
)
