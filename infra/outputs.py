"""A place: one deployment's own account, region and names, as its foundation tells them.

What a foundation gives out becomes environment variables of the functions, and the ARNs of their
policies. ``VARIABLES`` is the only list of which becomes which.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from infra import mounts, policies, reach

VARIABLES: Final[Mapping[str, str]] = {
    "FALSEWORK_TABLE": "TableName",
    "FALSEWORK_REQUESTS_BUCKET": "RequestsBucket",
    "FALSEWORK_SCRATCH_BUCKET": "ScratchBucket",
    "FALSEWORK_SUBMISSIONS_QUEUE_URL": "SubmissionsQueueUrl",
    "FALSEWORK_WAKE_QUEUE_URL": "WakeQueueUrl",
    "FALSEWORK_DEAD_LETTER_QUEUE_URL": "DeadLetterQueueUrl",
    "FALSEWORK_NOTICES_QUEUE_URL": "NoticesQueueUrl",
    "FALSEWORK_NOTICE_DEAD_LETTER_QUEUE_URL": "NoticeDeadLetterQueueUrl",
    "FALSEWORK_DEFAULT_JOB_QUEUE": "DefaultJobQueue",
    "FALSEWORK_FAIR_SHARE_QUEUES": "FairShareQueues",
    "FALSEWORK_JOB_LOG_GROUP": "JobLogGroup",
    "FALSEWORK_WORKER_IMAGE": "WorkerImage",
    "FALSEWORK_WORKER_ROLE_ARN": "WorkerRoleArn",
    "FALSEWORK_JOB_EXECUTION_ROLE_ARN": "JobExecutionRoleArn",
}
"""Environment variable → output of ``foundation.yaml``."""


_ENDINGS: Final[Mapping[str, str]] = {"aws-cn": ".cn"}


class Place(NamedTuple):
    """Where a stage is deployed."""

    stage: str
    outputs: Mapping[str, str]
    prefix: str = "falsework"

    @property
    def name(self) -> str:
        """The first word of every name there."""
        return f"{self.prefix}-{self.stage}"

    @property
    def variables(self) -> dict[str, str]:
        """What the functions are told."""
        told = {variable: self.outputs[output] for variable, output in VARIABLES.items()}
        ours = [self.outputs[each] for each in ("RequestsBucket", "ScratchBucket", "DataBucket")]
        account = self.outputs["TableArn"].split(":")[4]
        return told | {
            "FALSEWORK_ACCOUNT_ID": account,
            "FALSEWORK_BUCKET_OWNERS": json.dumps(dict.fromkeys(ours, account)),
        }

    def object_url(self, bucket: str, key: str) -> str:
        """Return the object's address in the form that CloudFormation takes."""
        _, partition, _, region, *_ = self.outputs["TableArn"].split(":")
        return f"https://{bucket}.s3.{region}.amazonaws.com{_ENDINGS.get(partition, '')}/{key}"

    def pin(self, policy: Mapping[str, Any], function: str) -> dict[str, Any]:
        """Return the function's policy with this place's own names in its ARNs, and its mount.

        Its table may be one that was restored; then the ARNs of the table's own name become that.
        """
        _, partition, _, region, account, _ = self.outputs["TableArn"].split(":", 5)
        names = {
            f"{self.name}-{each.lower()}-*": self.outputs[f"{each}Bucket"]
            for each in ("Scratch", "Requests", "Data")
        }
        names[f"table/{self.name}"] = self.outputs["TableArn"].rpartition(":")[2]
        queue = self.outputs["DefaultJobQueue"]
        if queue.startswith("arn:"):
            names[f"job-queue/{self.name}-*"] = queue.rpartition(":")[2]
        pinned = policies.pinned(
            policy, partition=partition, region=region, account=account, names=names
        )
        if function in mounts.MOUNTING:
            pinned["Statement"] += mounts.statements(self.outputs)
        pinned["Statement"] += reach.statements(function, self.outputs)
        return pinned
