"""Why a run ended as it did, and what whoever reads it can do. Sentences only.

What each cause means stands in ``remedies.py``; here it is told of this run: the names of its own
stages and jobs, and never of some that it does not have.
"""

from __future__ import annotations

import shlex
from typing import Final

from chalicelib.core.job_state import JobState
from chalicelib.core.lifecycle.attempts import is_exhausted
from chalicelib.core.lifecycle.endings import WITHOUT_REASON
from chalicelib.core.plans.plan import JobAction
from chalicelib.core.remedies import ADVICE, ANEW, RESUME, SPENT, UNKNOWN
from chalicelib.core.run import Run, RunError, StageStatus
from chalicelib.core.states.failures import child_named

_CANCELED: Final = (
    "was canceled by a request (falsework cancel, or POST /runs/{id}/cancel); whose it "
    "was tells GET /runs/{id}/audit."
)
_IMAGE: Final = (
    "The image cannot be pulled: either its name or tag is wrong, or its registry does not let "
    "the job's host (its execution role) have it, or has none for the host's processor."
)
_IMAGE_NOW: Final = "The image could not be pulled this time: its registry was not reached."
_CODES: Final = {
    125: "125 is what docker says where it could not start the container: often the image cannot "
    "be pulled, for want of its name, its tag or a login. Its log says which.",
    126: "126 is what a shell says of a command that it may not execute.",
    127: "127 is what a shell says of a command that it does not find.",
}
"""docker run, exit status; POSIX shell command language, 2.8.2, exit status for commands."""


def explain(
    run: Run, error: RunError, *, subject: str = "The run", top: Run | None = None
) -> list[str]:
    """Return why the run ended so: where, the cause in words, the message, and what to do.

    ``top``: the run that is to go on, where that is another one.
    """
    if error.stage is None:
        if error.cause == "canceled":
            given = error.message != WITHOUT_REASON
            reason = [f"The reason that was given: {error.message}"] if given else []
            then = f"If it is still wanted, {_resume(top or run)}"
            return [f"{subject} {_CANCELED}", *reason, then]
        return [f"{subject} failed: {error.message}"]
    job = run.job(error.stage) or _last(run, error.stage)
    code = job.exit_code if job is not None and _is_told(job, error) else None
    advice = ADVICE.get(error.cause, UNKNOWN)
    failed = "" if code is None else f" (exit code {code})"
    names = {
        "run": shlex.quote(run.id),
        "stage": error.stage,
        "job": job.name if job else "its job",
        "queue": job.queue if job else "its queue",
        "resume": _resume(top or run),
        "anew": ANEW,
        "child": _child(error),
        "rerun": _rerun(run),
    }
    return [
        f"{subject} failed in stage {error.stage}: {advice.meaning}{failed}.",
        f"The message is: {error.message}",
        *_attempts(run, error.stage),
        *_image(error),
        *(_code(code) if error.cause == "user" else ()),
        advice.mend.format(**names),
        *([advice.then.format(**names)] if advice.then else ()),
    ]


def waiting_for_room(job: JobState) -> str:
    """Return what to ask when a job has been waiting for a host for long."""
    return (
        f"That is long: are the hosts of queue {job.queue} enabled, in order, and as large as the "
        "job asks for (resource_requirements)?"
    )


def _resume(run: Run) -> str:
    """A run that has used up what GLOBAL allows is never resumed."""
    return SPENT if is_exhausted(run) else RESUME.format(run=shlex.quote(run.id))


def _child(error: RunError) -> str:
    """The message says whose end it was, unless the run was never there."""
    found = child_named(error.message)
    return shlex.quote(found) if found else "RUN, where the message names one"


def _rerun(run: Run) -> str:
    """How the user's own command is run once more, where one has run: clean-ups have none."""
    for plan in run.plan.stages:
        is_own = isinstance(plan.action, JobAction) and not plan.action.is_worker
        if is_own and run.stage(plan.name).status is StageStatus.COMPLETE:
            verb = f"falsework rollback {shlex.quote(run.id)} {plan.name}"
            return f"; where the command has to run again for that: {verb}"
    return ""


def _is_told(job: JobState, error: RunError) -> bool:
    """The exit code is this failure's; a time limit may strike after another attempt's end."""
    return f"exit code {job.exit_code}" in error.message


def _attempts(run: Run, stage: str) -> list[str]:
    tried = run.stage(stage).attempts
    if tried < 2:
        return []
    return [f"It was tried {tried} times: falsework show {shlex.quote(run.id)}"]


def _image(error: RunError) -> list[str]:
    """What the agent says of an image is long, and begins with a word that few know."""
    if "CannotPull" not in error.message:
        return []
    told = {"misconfigured": [_IMAGE], "infrastructure": [_IMAGE_NOW]}
    return told.get(error.cause, [])


def _last(run: Run, stage: str) -> JobState | None:
    """A submission that nobody ever saw is no longer the stage's own."""
    return next((job for job in reversed(run.jobs) if job.stage == stage), None)


def _code(code: int | None) -> list[str]:
    """Return what an exit code gives away; above 128 it is a signal's number."""
    if code == 128 + 9:
        return ["137 is 128 + 9: it was killed (SIGKILL), often for taking too much memory."]
    if code is not None and 128 < code <= 128 + 64:
        return [f"{code} is 128 + {code - 128}: signal {code - 128} ended it."]
    return [_CODES[code]] if code in _CODES else []
