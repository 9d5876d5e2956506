"""What each cause of failure means in plain words, and what can be done about it: a table.

An ended run goes on with ``resume``, within the same request. What can only be mended in the
request needs another id, for a run never changes what it was asked for.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Advice(NamedTuple):
    """For one cause; ``{run}``, ``{stage}``, ``{job}`` and the like are put in."""

    meaning: str
    mend: str
    then: str = ""
    """What to do after that, as a sentence of its own."""


_LOGS: Final = "falsework logs {run} --stage {stage}"
ANEW: Final = "submit it again under another id"
RESUME: Final = "resume it: falsework resume {run}"
SPENT: Final = ANEW + ", for its attempts are used up"
_ANEW_OR_RESUME: Final = (
    f"If the request has to change, {ANEW}; else, when the cause is mended, {{resume}}"
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
        "Give it more (resource_requirements.memory, in MiB) and " + ANEW + ".",
        "If it only needs less this time, {resume}",
    ),
    "timeout": Advice(
        "it took longer than it is allowed to, and was stopped",
        f"The message says whose limit it was. Find out what took so long: {_LOGS}",
        "For less to do, or another limit (options.timeout_seconds, or that of queue {queue} or "
        f"of the job definition), {ANEW}; to try once more within the same one, {{resume}}",
    ),
    "queue_wait": Advice(
        "no host took its job in the time that it may wait",
        "Are the hosts of queue {queue} enabled, in order, and as large as the job asks for? "
        "When they are, {resume}",
        "For smaller resource_requirements, a longer options.queue_wait_timeout_seconds or an "
        f"options.fallback_job_queue_name, {ANEW}.",
    ),
    "attempts_exhausted": Advice(
        "the attempts that all stages share (retry_policy GLOBAL) were used up before its turn",
        f"Give it a larger options.max_attempts and {ANEW}.",
    ),
    "canceled": Advice(
        "Falsework had the job stopped",
        "The message says why. If the work is still wanted, {resume}",
    ),
    "misconfigured": Advice(
        "the job could not be started as it was described",
        "As it is it will never run: correct the image's name, the command, the resources or the "
        f"permissions that the message speaks of, and {ANEW}.",
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
        "If the message names something to correct, correct it{rerun}. What the worker wrote: "
        + _LOGS,
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
        f"If the payload has to change, {ANEW}; else, when the function is mended, {{resume}}",
    ),
    "child": Advice(
        "a run that it started did not succeed, or could not be started",
        "What it came to: falsework why {child}",
        "If the document has to change, {anew}; else, when the cause is mended, {resume}. Its "
        "stage then keeps the runs that succeeded, and starts the others anew.",
    ),
    "pipeline": Advice(
        "what its document refers to could not be worked out, or is more than can be kept",
        f"Correct what the message speaks of and {ANEW}.",
    ),
    "fault": Advice(
        "an error that nobody foresaw came up in a step that Falsework performs itself: most "
        "likely a fault of ours",
        "Tell whoever runs this deployment: the log of the engine has its traceback.",
        "When it is mended, {resume}",
    ),
    "call": Advice(
        "a step that Falsework performs itself could not be done",
        f"If the message speaks of something in the request, correct it and {ANEW}; else the "
        "log of the engine tells more.",
        "When the cause is mended, {resume}",
    ),
}

UNKNOWN: Final = Advice("it failed", "The message tells what is known.")
