"""What a run's error means in plain words, and what whoever reads it can do. Sentences only."""

from __future__ import annotations

import shlex
from typing import Final, NamedTuple

from chalicelib.core.run import JobState, Run, RunError


class Advice(NamedTuple):
    """For one cause. ``{run}``, ``{stage}``, ``{job}`` and ``{queue}`` are put in."""

    meaning: str
    mend: str


_LOGS: Final = "falsework logs {run} --stage {stage}"
_AGAIN: Final = "submit it again under another id"

ADVICE: Final = {
    "user": Advice(
        "the command ran and failed",
        f"Look at what it wrote: {_LOGS}",
    ),
    "infrastructure": Advice(
        "the host or the network failed under the job, not the command",
        f"There is nothing to correct: {_AGAIN}.",
    ),
    "out_of_memory": Advice(
        "the job needed more memory than it had asked for, and was killed",
        "Give it more (resource_requirements.memory, in MiB) and " + _AGAIN + ".",
    ),
    "timeout": Advice(
        "the job ran longer than it is allowed to, and was stopped",
        f"Find out what took so long ({_LOGS}); give it less to do, or have the time limit of "
        f"queue {{queue}} or of the job definition raised, and {_AGAIN}.",
    ),
    "canceled": Advice(
        "Falsework had the job stopped",
        f"The message says why. If the work is still wanted, {_AGAIN}.",
    ),
    "misconfigured": Advice(
        "the job could not be started as it was described",
        "As it is it will never run: correct the image's name, the command, the resources or the "
        f"permissions that the message speaks of, and {_AGAIN}.",
    ),
    "refused": Advice(
        "the job was refused when it was submitted",
        f"Correct what the message speaks of, and {_AGAIN}.",
    ),
    "lost": Advice(
        "nobody knows what became of its job",
        "It may have run. Look for {job} in queue {queue} and at what it wrote before you "
        + _AGAIN
        + ".",
    ),
    "worker": Advice(
        "the worker that copies or removes files failed",
        f"Look at what it wrote: {_LOGS}",
    ),
    "call": Advice(
        "a step that Falsework performs itself could not be done",
        f"If the message speaks of something in the request, correct it and {_AGAIN}; else the "
        "log of the engine tells more.",
    ),
}

_UNKNOWN: Final = Advice("it failed", "The message tells what is known.")
_CANCELED: Final = (
    "The run was canceled by a request (falsework cancel, or POST /runs/{id}/cancel); "
    "whose it was is not recorded."
)
_CODES: Final = {
    126: "126 is what a shell says of a command that it may not execute.",
    127: "127 is what a shell says of a command that it does not find.",
}
"""POSIX shell command language, 2.8.2, exit status for commands."""


def explain(run: Run, error: RunError) -> list[str]:
    """Return why the run ended so: where, the cause in words, the message, and what to do."""
    if error.stage is None:
        return [_CANCELED if error.cause == "canceled" else f"The run failed: {error.message}"]
    job = run.job(error.stage) or _last(run, error.stage)
    code = None if job is None else job.exit_code
    advice = ADVICE.get(error.cause, _UNKNOWN)
    failed = "" if code is None else f" (exit code {code})"
    names = {
        "run": shlex.quote(run.id),
        "stage": error.stage,
        "job": job.name if job else "its job",
        "queue": job.queue if job else "its queue",
    }
    return [
        f"The run failed in stage {error.stage}: {advice.meaning}{failed}.",
        f"The message is: {error.message}",
        *(_code(code) if error.cause == "user" else ()),
        advice.mend.format(**names),
    ]


def waiting_for_room(job: JobState) -> str:
    """Return what to ask when a job has been waiting for a host for long."""
    return (
        f"That is long: are the hosts of queue {job.queue} enabled, in order, and as large as the "
        "job asks for (resource_requirements)?"
    )


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
