"""What a run's error means in plain words, and what whoever reads it can do. Sentences only.

An ended run goes on with ``resume``, within the same request. What can only be mended in the
request needs another id, for a run never changes what it was asked for.
"""

from __future__ import annotations

import shlex
from typing import Final, NamedTuple

from chalicelib.core.job_state import JobState
from chalicelib.core.lifecycle.attempts import is_exhausted
from chalicelib.core.lifecycle.endings import WITHOUT_REASON
from chalicelib.core.run import Run, RunError
from chalicelib.core.states.failures import child_named


class Advice(NamedTuple):
    """For one cause; ``{run}``, ``{stage}``, ``{job}``, ``{queue}``, ``{resume}`` are put in."""

    meaning: str
    mend: str
    then: str = ""
    """What to do after that, as a sentence of its own."""


_LOGS: Final = "falsework logs {run} --stage {stage}"
_ANEW: Final = "submit it again under another id"
_RESUME: Final = "resume it: falsework resume {run}"
_SPENT: Final = _ANEW + ", for its attempts are used up"
_ANEW_OR_RESUME: Final = (
    f"If the request has to change, {_ANEW}; else, when the cause is mended, {{resume}}"
)

ADVICE: Final = {
    "user": Advice(
        "the command ran and failed",
        f"Look at what it wrote: {_LOGS}",
        _ANEW_OR_RESUME,
    ),
    "infrastructure": Advice(
        "the host or the network failed under the job, not the command",
        "There is nothing to correct: {resume}",
    ),
    "out_of_memory": Advice(
        "the job needed more memory than it had asked for, and was killed",
        "Give it more (resource_requirements.memory, in MiB) and " + _ANEW + ".",
        "If it only needs less this time, {resume}",
    ),
    "timeout": Advice(
        "it took longer than it is allowed to, and was stopped",
        f"The message says whose limit it was. Find out what took so long: {_LOGS}",
        "For less to do, or another limit (options.timeout_seconds, or that of queue {queue} or "
        f"of the job definition), {_ANEW}; to try once more within the same one, {{resume}}",
    ),
    "queue_wait": Advice(
        "no host took its job in the time that it may wait",
        "Are the hosts of queue {queue} enabled, in order, and as large as the job asks for? "
        "When they are, {resume}",
        "For smaller resource_requirements, a longer options.queue_wait_timeout_seconds or an "
        f"options.fallback_job_queue_name, {_ANEW}.",
    ),
    "attempts_exhausted": Advice(
        "the attempts that all stages share (retry_policy GLOBAL) were used up before its turn",
        f"Give it a larger options.max_attempts and {_ANEW}.",
    ),
    "canceled": Advice(
        "Falsework had the job stopped",
        "The message says why. If the work is still wanted, {resume}",
    ),
    "misconfigured": Advice(
        "the job could not be started as it was described",
        "As it is it will never run: correct the image's name, the command, the resources or the "
        f"permissions that the message speaks of, and {_ANEW}.",
        "If what was wrong is not in the request, mend it and {resume}",
    ),
    "refused": Advice(
        "the job was refused when it was submitted",
        "Correct what the message speaks of.",
        _ANEW_OR_RESUME,
    ),
    "lost": Advice(
        "nobody knows what became of its job",
        "It may have run. Look for {job} in queue {queue} and at what it wrote before you "
        "{resume}",
    ),
    "worker": Advice(
        "the worker that copies or removes files failed",
        "If the message names something to correct, correct it; where the command has to run "
        f"again for that: falsework rollback {{run}} execute. What the worker wrote: {_LOGS}",
        _ANEW_OR_RESUME,
    ),
    "no_response": Advice(
        "the job ended well and left no response",
        "The program has to put its response, as JSON, where AWS_LAMBDA_EVENT_RESPONSE_LOCATION "
        "(an executor's --output-location) says. Does it, and may it write there? What it wrote "
        "to its log: falsework logs {run}",
        _ANEW_OR_RESUME,
    ),
    "bad_response": Advice(
        "what was left as the response cannot be taken as one",
        "A response is one JSON value in UTF-8, of 256 KiB at most: let the program put what is "
        "larger into an object of its own and answer with the name of that.",
        _ANEW_OR_RESUME,
    ),
    "function": Advice(
        "the function was called, and raised an error",
        "The message is its own; its log (on AWS: CloudWatch, /aws/lambda/<its name>) tells where "
        "it came from.",
        f"If the payload has to change, {_ANEW}; else, when the function is mended, {{resume}}",
    ),
    "child": Advice(
        "a run that it started did not succeed, or could not be started",
        "What it came to: falsework why {child}",
        "If the document has to change, {anew}; else, when the cause is mended, {resume}. Its "
        "stage then keeps the runs that succeeded, and starts the others anew.",
    ),
    "pipeline": Advice(
        "what its document refers to could not be worked out, or is more than can be kept",
        f"Correct what the message speaks of and {_ANEW}.",
    ),
    "fault": Advice(
        "an error that nobody foresaw came up in a step that Falsework performs itself: most "
        "likely a fault of ours",
        "Tell whoever runs this deployment: the log of the engine has its traceback.",
        "When it is mended, {resume}",
    ),
    "call": Advice(
        "a step that Falsework performs itself could not be done",
        f"If the message speaks of something in the request, correct it and {_ANEW}; else the "
        "log of the engine tells more.",
        "When the cause is mended, {resume}",
    ),
}

_UNKNOWN: Final = Advice("it failed", "The message tells what is known.")
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
    advice = ADVICE.get(error.cause, _UNKNOWN)
    failed = "" if code is None else f" (exit code {code})"
    names = {
        "run": shlex.quote(run.id),
        "stage": error.stage,
        "job": job.name if job else "its job",
        "queue": job.queue if job else "its queue",
        "resume": _resume(top or run),
        "anew": _ANEW,
        "child": _child(error),
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
    return _SPENT if is_exhausted(run) else _RESUME.format(run=shlex.quote(run.id))


def _child(error: RunError) -> str:
    """The message says whose end it was, unless the run was never there."""
    found = child_named(error.message)
    return shlex.quote(found) if found else "RUN, where the message names one"


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
