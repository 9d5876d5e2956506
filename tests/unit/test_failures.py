"""Why a job failed: one row for each text that is documented, or that is ours."""

from __future__ import annotations

import pytest

from chalicelib.core.commands import StopReason
from chalicelib.core.failures import RULES, Failure, classify
from chalicelib.local.lost_jobs import HOST_LOST

USER, INFRASTRUCTURE, OUT_OF_MEMORY, TIMEOUT, CANCELED, MISCONFIGURED = Failure
EXITED = "Essential container in task exited"
TO_START = "Task failed to start"
TIMED_OUT = "Could not transition to created; timed out after waiting 4m0s"
MEMORY = "OutOfMemoryError: Container killed due to memory usage"
START = "CannotStartContainerError:"
PULL = "CannotPullContainerError:"
INIT = "ResourceInitializationError:"
EFS = f"{INIT} failed to invoke EFS utils commands to set up EFS volumes: mount.nfs4:"
DAEMON = "Error response from daemon:"
GIVEN_UP = "Canceled by JobStateTimeLimit action due to reason:"

TEXTS = {
    # The command's own end: its code counts.
    "exit-1": (USER, 1, EXITED),
    "exit-126": (USER, 126, EXITED),
    "exit-127": (USER, 127, EXITED),
    "exit-137-alone": (USER, 137, EXITED),
    "unknown-with-a-code": (USER, 3, "something new"),
    "no-reason-with-a-code": (USER, 3, None),
    # Nothing known: it did not even exit.
    "unknown-without-a-code": (INFRASTRUCTURE, None, "something new"),
    "nothing-at-all": (INFRASTRUCTURE, None, None),
    "empty": (INFRASTRUCTURE, None, ""),
    # job_retries
    "spot-reclaim": (INFRASTRUCTURE, None, "Host EC2 (instance i-0123456789abcdef0) terminated."),
    "spot-reclaim-with-a-code": (INFRASTRUCTURE, 143, "Host EC2 (instance i-1) stopped."),
    "agent": (INFRASTRUCTURE, 1, "AGENT"),
    "failed-to-start": (INFRASTRUCTURE, None, TO_START),
    "failed-to-start-with-a-code": (INFRASTRUCTURE, 1, TO_START),
    # fargate-capacity-providers
    "fargate-spot": (INFRASTRUCTURE, 137, "Your Spot Task was interrupted."),
    # job_stuck_in_runnable
    "no-capacity": (
        INFRASTRUCTURE,
        1,
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested",
    ),
    "no-capacity-given-up": (
        INFRASTRUCTURE,
        1,
        f"{GIVEN_UP} CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    ),
    "too-large-for-its-hosts": (
        MISCONFIGURED,
        None,
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource",
    ),
    "too-large-given-up": (
        MISCONFIGURED,
        None,
        f"{GIVEN_UP} MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    ),
    # job_timeouts
    "timeout": (TIMEOUT, None, "Job attempt duration exceeded timeout"),
    "timeout-killed": (TIMEOUT, 137, "Job attempt duration exceeded timeout"),
    "timeout-and-memory": (
        TIMEOUT,
        137,
        f"Job attempt duration exceeded timeout; {MEMORY}",
    ),
    # stopped-task-error-codes
    "memory": (OUT_OF_MEMORY, 137, f"{EXITED}; {MEMORY}"),
    "memory-without-a-code": (OUT_OF_MEMORY, None, MEMORY),
    "memory-in-other-words": (OUT_OF_MEMORY, 137, f"{EXITED}; OOMKilled"),
    "those-words-with-another-code": (USER, 1, f"{EXITED}; OOMKilled"),
    "docker-timeout": (INFRASTRUCTURE, None, f"{TO_START}; DockerTimeoutError: {TIMED_OUT}"),
    "containerd-timeout": (INFRASTRUCTURE, None, f"ContainerRuntimeTimeoutError: {TIMED_OUT}"),
    "inspect": (INFRASTRUCTURE, 0, f"CannotInspectContainerError: {TIMED_OUT}"),
    "start-of-the-daemon": (INFRASTRUCTURE, None, f"{START} failed to get container status: x"),
    "start-without-memory": (INFRASTRUCTURE, 127, f"{START} [Errno 12] Cannot allocate memory"),
    "create-without-disk": (
        INFRASTRUCTURE,
        None,
        f"{TO_START}; CannotCreateContainerError: API error (500): devmapper",
    ),
    "logging": (INFRASTRUCTURE, None, f"{INIT} failed to initialize logging driver: x"),
    "efs-timeout": (INFRASTRUCTURE, None, f"{EFS} Connection timed out"),
    "efs-denied": (MISCONFIGURED, None, f"{EFS} access denied by server while mounting"),
    "secret-missing": (
        MISCONFIGURED,
        None,
        f"{INIT} unable to pull secrets or registry auth: ResourceNotFoundException: Secrets",
    ),
    "role": (MISCONFIGURED, None, "ECS was unable to assume the role 'arn:aws:iam::1:role/r'"),
    # A command that does not exist, said by the container runtime and by this machine.
    "no-such-executable": (
        MISCONFIGURED,
        127,
        f'{TO_START}; {START} {DAEMON} exec: "nope": executable file not found in $PATH: unknown',
    ),
    "not-executable": (MISCONFIGURED, 126, f'{START} {DAEMON} exec: "/": permission denied'),
    "no-such-program-here": (
        MISCONFIGURED,
        127,
        f"{START} [Errno 2] No such file or directory: 'nope'",
    ),
    # task_cannot_pull_image
    "pull-unreachable": (
        INFRASTRUCTURE,
        None,
        f"{TO_START}; {PULL} net/http: request canceled while waiting for connection",
    ),
    "pull-canceled": (INFRASTRUCTURE, None, f"{PULL} context canceled"),
    "pull-no-disk": (INFRASTRUCTURE, None, f"{PULL} write /var/tmp: no space left on device"),
    "pull-rate": (INFRASTRUCTURE, None, f"{PULL} 429 Too Many Requests: toomanyrequests: You"),
    "pull-no-image": (
        MISCONFIGURED,
        None,
        f"{TO_START}; {PULL} API error (404): repository 1.dkr.ecr.amazonaws.com/a/b not found",
    ),
    "pull-no-tag": (MISCONFIGURED, None, f"{PULL} {DAEMON} manifest for a:b: manifest unknown"),
    "pull-denied": (
        MISCONFIGURED,
        None,
        f"{PULL} {DAEMON} pull access denied for a, repository does not exist or may require",
    ),
    "pull-other-platform": (
        MISCONFIGURED,
        None,
        f"{PULL} image Manifest does not contain descriptor matching platform 'linux/amd64'",
    ),
    # Ours.
    "host-lost": (INFRASTRUCTURE, None, HOST_LOST),
    "host-lost-with-a-code": (INFRASTRUCTURE, 1, HOST_LOST),
    "canceled-then-killed": (CANCELED, 137, f"{StopReason.CANCELED}; {EXITED}"),
    "canceled-and-memory": (
        CANCELED,
        137,
        f"{StopReason.CANCELED}; {MEMORY}",
    ),
    # What a user's command or image may hold is not Batch's word.
    "quoted-in-a-command": (
        USER,
        1,
        f"{EXITED}; CannotX: exec: Host EC2 OutOfMemoryError AGENT MISCONFIGURATION:",
    ),
    "more-than-our-words": (USER, 1, f"{StopReason.STAGE_ENDED} well"),
}


@pytest.mark.parametrize(("failure", "exit_code", "reason"), TEXTS.values(), ids=TEXTS.keys())
def test_a_documented_text_has_its_failure(failure, exit_code, reason):
    assert classify(exit_code, reason) is failure


@pytest.mark.parametrize("reason", StopReason, ids=lambda reason: reason.name.lower())
@pytest.mark.parametrize("exit_code", [None, 137, 143])
def test_a_job_that_we_had_stopped_is_canceled(reason, exit_code):
    assert classify(exit_code, reason.value) is Failure.CANCELED


@pytest.mark.parametrize("number", range(len(RULES)))
def test_every_rule_decides_some_text_and_names_its_source(number):
    rule = RULES[number]
    decided = [
        reason
        for _, exit_code, reason in (*TEXTS.values(), (CANCELED, None, StopReason.NO_RUN))
        if reason
        and rule
        is next(
            (r for r in RULES if r.exit_code in {None, exit_code} and r.pattern.search(reason)),
            None,
        )
    ]
    assert decided
    assert rule.source
