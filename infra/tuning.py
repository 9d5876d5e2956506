"""What ``chalice deploy`` leaves open, set afterwards. All of it survives the next deploy.

Not ReportBatchItemFailures: between Chalice's work and ours a function that reports failures
would lose them. Such a deployment says no, and a batch with a failure comes again as a whole.
"""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import ClientError

from infra import mounts
from infra.outputs import Place

EVENT_FUNCTIONS: Final = ("on_object_created", "on_job_change", "on_cleanup_time")


def prepare(lambdas: Any, place: Place) -> None:
    """Take a mount back that the place no longer has: Chalice leaves the VPC, which needs it gone.

    A function that is not there yet has none.
    """
    if mounts.access_point(place.outputs):
        return
    for function in _mounting(place):
        try:
            told = lambdas.get_function_configuration(FunctionName=function)
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            continue
        if told.get("FileSystemConfigs"):
            _mount(lambdas, function, [])


def tune(lambdas: Any, place: Place) -> None:
    """Let wake-ups follow each other, keep events that functions fail on, mount what there is."""
    if point := mounts.access_point(place.outputs):
        for function in _mounting(place):
            _mount(lambdas, function, [{"Arn": point, "LocalMountPath": mounts.FOLDER}])
    lambdas.put_function_recursion_config(
        FunctionName=f"{place.name}-on_wake", RecursiveLoop="Allow"
    )
    for function in EVENT_FUNCTIONS:
        lambdas.put_function_event_invoke_config(
            FunctionName=f"{place.name}-{function}",
            MaximumRetryAttempts=2,
            MaximumEventAgeInSeconds=21_600,
            DestinationConfig={
                "OnFailure": {"Destination": place.outputs["EventFailureQueueArn"]}
            },
        )
    lambdas.put_function_event_invoke_config(
        FunctionName=f"{place.name}-on_sweep", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60
    )


def _mounting(place: Place) -> list[str]:
    ends = ("" if name == "api_handler" else f"-{name}" for name in mounts.MOUNTING)
    return [f"{place.name}{end}" for end in ends]


def _mount(lambdas: Any, function: str, configs: list[dict[str, str]]) -> None:
    """Lambda refuses a change while another one is under way."""
    ready = lambdas.get_waiter("function_updated_v2")
    ready.wait(FunctionName=function)
    lambdas.update_function_configuration(FunctionName=function, FileSystemConfigs=configs)
    ready.wait(FunctionName=function)
