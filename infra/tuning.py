"""What ``chalice deploy`` leaves open, set afterwards. All of it survives the next deploy.

Not ReportBatchItemFailures: between Chalice's work and ours a function that reports failures
would lose them. Such a deployment says no, and a batch with a failure comes again as a whole.
"""

from __future__ import annotations

from typing import Any, Final

from infra.outputs import Place

EVENT_FUNCTIONS: Final = ("on_object_created", "on_job_change", "on_cleanup_time")


def tune(lambdas: Any, place: Place) -> None:
    """Let wake-ups follow each other, and keep events that functions fail on."""
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
