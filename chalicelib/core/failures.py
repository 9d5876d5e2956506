"""Why a job failed, in one word, out of what Batch says of it. Pure: one table, read from above.

Batch tells three things: the job's ``statusReason``, the container's ``reason`` and its exit code.
Whoever parses a report joins the reasons with "; ", Batch's own first, so that ``JobState.reason``
holds both. The first rule that matches decides:

- what Batch did on purpose comes before what the container then says of it: a job that is stopped,
  or whose time is up, ends with exit code 137 as well;
- what nobody can mend by trying again (``misconfigured``) comes before the general name of the
  error (``infrastructure``), and the general "Task failed to start" comes last.

A rule's pattern is anchored to the start of a reason wherever the word is Batch's or the agent's:
what follows it may quote a user's command or image. Exit codes decide only where no text does:
whatever has an exit code did run, and its own code is the user's. So 126 and 127 of a shell are
``user`` (its output says which command it did not find), while a container that could not be
started for the same reason, and has no output, is ``misconfigured``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from chalicelib.core.commands import StopReason


class Failure(StrEnum):
    """Whose fault it was, as far as it changes what anybody should do about it."""

    USER = "user"
    """The command ran and failed."""
    INFRASTRUCTURE = "infrastructure"
    """The host, the network or AWS; the same job may well succeed elsewhere."""
    OUT_OF_MEMORY = "out_of_memory"
    """The container needed more than it had asked for."""
    TIMEOUT = "timeout"
    """It ran longer than it was allowed to."""
    CANCELED = "canceled"
    """We had it stopped."""
    MISCONFIGURED = "misconfigured"
    """It never will run as it is: image, command, permissions or resources are wrong."""


class Rule(NamedTuple):
    """A failure, the reasons it is known by, and who says so."""

    failure: Failure
    pattern: re.Pattern[str]
    source: str
    exit_code: int | None = None
    """The only exit code that the rule is for; None: any, and none at all."""


_AT_START: Final = r"(?:^|; )"
_BATCH: Final = "AWS Batch user guide, "
_ECS: Final = "Amazon ECS developer guide, "
_STOPPED: Final = _ECS + "Stopped tasks error codes (stopped-task-error-codes)"
_PULL: Final = _ECS + "CannotPullContainer task errors (task_cannot_pull_image)"
_STUCK: Final = _BATCH + "Jobs stuck in a RUNNABLE status (job_stuck_in_runnable)"
_AGENT: Final = "amazon-ecs-agent, names of errors (agent/api/errors, agent/dockerclient)"


def _rule(failure: Failure, words: str, source: str, exit_code: int | None = None) -> Rule:
    return Rule(failure, re.compile(_AT_START + words, re.DOTALL), source, exit_code)


_STOPS: Final = "(?:" + "|".join(map(re.escape, StopReason)) + r")(?:$|; )"
_NO_IMAGE: Final = (
    r"CannotPull(?:ECR)?ContainerError: .*(?:not found|manifest unknown|does not exist"
    r"|access denied|denied:|unauthorized:|no basic auth credentials|AccessDenied"
    r"|not authorized|403 Forbidden|invalid reference format|no matching manifest"
    r"|descriptor matching platform)"
)
_NO_COMMAND: Final = (
    r"Cannot(?:Start|Create)ContainerError: .*(?:executable file not found|no such file"
    r"|No such file|[Pp]ermission denied|[Ee]xec format error|[Nn]o command specified"
    r"|is not a directory|Not a directory|Argument list too long|there is no command to run"
    r"|embedded null byte)"
)
_NO_ACCESS: Final = (
    r"(?:ResourceInitializationError|CannotCreateVolumeError): .*(?:AccessDenied"
    r"|access denied|not authorized|ResourceNotFoundException|No such file or directory)"
)
_OF_THE_HOST: Final = (
    r"(?:CannotPullContainer|CannotCreateContainer|CannotStartContainer|CannotStopContainer"
    r"|CannotInspectContainer|CannotCreateVolume|CannotPullECRContainer|DockerTimeout"
    r"|DockerState|ContainerRuntime|ContainerRuntimeTimeout|ContainerVanished"
    r"|ResourceInitialization|Internal|HostConfig|DockerClientConfig)Error\b"
)

RULES: Final = (
    _rule(
        Failure.CANCELED,
        _STOPS,
        "AWS Batch API reference, TerminateJob, reason: returned by later DescribeJobs",
    ),
    _rule(
        Failure.TIMEOUT,
        "Job attempt duration exceeded timeout",
        _BATCH + "Job timeouts (job_timeouts); the text as reported, with exit code 137, in "
        "dmlc/gluon-nlp#825",
    ),
    _rule(Failure.MISCONFIGURED, "MISCONFIGURATION:", _STUCK),
    _rule(
        Failure.MISCONFIGURED,
        "Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:",
        _STUCK,
    ),
    _rule(Failure.INFRASTRUCTURE, "CAPACITY:", _STUCK),
    _rule(Failure.INFRASTRUCTURE, "Canceled by JobStateTimeLimit action", _STUCK),
    _rule(Failure.INFRASTRUCTURE, "Host EC2", _BATCH + "Automated job retries (job_retries)"),
    _rule(
        Failure.INFRASTRUCTURE,
        "Your Spot Task was interrupted",
        _ECS + "Fargate Spot termination notices (fargate-capacity-providers)",
    ),
    _rule(Failure.INFRASTRUCTURE, "Host lost: ", "chalicelib/local/lost_jobs.py"),
    _rule(Failure.OUT_OF_MEMORY, "OutOfMemoryError", _STOPPED + "; " + _AGENT),
    _rule(
        Failure.OUT_OF_MEMORY,
        r".*(?i:\bOOM|out of memory|due to memory usage)",
        "137 = 128 + SIGKILL, which alone does not tell who sent it (docker run, exit status)",
        exit_code=137,
    ),
    _rule(Failure.MISCONFIGURED, _NO_IMAGE, _PULL),
    _rule(Failure.MISCONFIGURED, _NO_COMMAND, _STOPPED + "; docker run, exit status 126 and 127"),
    _rule(Failure.MISCONFIGURED, _NO_ACCESS, _STOPPED),
    _rule(
        Failure.MISCONFIGURED,
        "(?:ClientException: )?ECS was unable to assume the role",
        "Amazon ECS, the message names its mend: the role's trust relationship",
    ),
    _rule(Failure.INFRASTRUCTURE, _OF_THE_HOST, _STOPPED + "; " + _AGENT),
    _rule(Failure.INFRASTRUCTURE, "AGENT", _BATCH + "Automated job retries (job_retries)"),
    _rule(
        Failure.INFRASTRUCTURE,
        "Task failed to start",
        _BATCH + "Automated job retries (job_retries)",
    ),
)
"""The sources are under docs.aws.amazon.com; the names in brackets are their pages."""


def classify(exit_code: int | None, reason: str | None) -> Failure:
    """Return why a job that ended in FAILED did so.

    Where no rule knows the reason: ``user`` if the container had an exit code, for then it ran;
    else ``infrastructure``.
    """
    for rule in RULES:
        if rule.exit_code in {None, exit_code} and rule.pattern.search(reason or ""):
            return rule.failure
    return Failure.INFRASTRUCTURE if exit_code is None else Failure.USER
