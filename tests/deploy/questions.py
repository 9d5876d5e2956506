"""What a call of AWS asks IAM for, with a deployment's names.

A call may ask more than once: SubmitJob for its queue, its definition, the job and the tagging of
it. Resources are those of the service authorization reference. What tests name otherwise than
``foundation.yaml`` does is called here as it is called there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

HERE = "us-east-1:111122223333"
NAME = "falsework-dev"
BUCKETS = {"requests": f"{NAME}-requests-1", "falsework": f"{NAME}-scratch-1"}
DATA = f"{NAME}-data-1"
QUEUES = {
    "submissions": "submissions",
    "wake": "wake",
    "dead": "dead-letters",
    "notices": "notices",
    "notices-dead": "notice-dead-letters",
}
SAME_RIGHT = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "Invoke": "InvokeFunction",
}
"""Operation → action, where they are not called the same (service authorization reference)."""
SERVICES = {"efs": "elasticfilesystem", "sesv2": "ses"}


class Question(NamedTuple):
    """May I?"""

    action: str
    arn: str
    context: tuple[tuple[str, str], ...] = ()
    """Condition keys and their values."""


_PLACES = {"efs": f"elasticfilesystem:{HERE}", "sesv2": f"ses:{HERE}"}
_ENDS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "sqs": lambda told: [f"{NAME}-{QUEUES[_last(told['QueueUrl'])]}"],
    "ecr": lambda told: [
        f"repository/{each}" for each in told.get("repositoryNames") or [told["repositoryName"]]
    ],
    "efs": lambda told: [f"file-system/{told.get('FileSystemId', '*')}"],
    "secretsmanager": lambda told: [
        f"secret:falsework/dev/{told['SecretId'].split(':secret:')[-1]}-AbCdEf"
    ],
    "sesv2": lambda told: [f"identity/{told['FromEmailAddress']}"],
    "sns": lambda told: [f"{NAME}-{_last(told['TopicArn'], ':')}"],
    "events": lambda told: sorted({_bus(each) for each in told["Entries"]}),
    "lambda": lambda told: [f"function:{_last(told['FunctionName'], ':')}"],
    "logs": lambda told: [
        f"log-group:/falsework/dev/jobs:log-stream:{told['logStreamName']}",
    ],
}
"""Service → the ends of the ARNs that a call is on."""


def asked_by(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Question]:
    """Yield the questions. Raises KeyError for a call whose resource nobody has told here."""
    match service:
        case "s3":
            yield from _of_s3(operation, params)
        case "dynamodb":
            yield from _of_table(operation, params)
        case "batch":
            yield from _of_batch(operation, params)
        case _:
            action = f"{SERVICES.get(service, service)}:{SAME_RIGHT.get(operation, operation)}"
            place = _PLACES.get(service, f"{service}:{HERE}")
            for end in _ENDS[service](params):
                yield Question(action, f"arn:aws:{place}:{end}")


def _of_s3(operation: str, params: Mapping[str, Any]) -> Iterator[Question]:
    action = SAME_RIGHT.get(operation, operation)
    bucket = f"arn:aws:s3:::{BUCKETS.get(params['Bucket'], DATA)}"
    if action == "GetObject" and "VersionId" in params:
        action = "GetObjectVersion"
    keys = [params["Key"]] if "Key" in params else []
    if operation == "DeleteObjects":
        keys = [each["Key"] for each in params["Delete"]["Objects"]]
    for arn in [f"{bucket}/{key}" for key in keys] or [bucket]:
        yield Question(f"s3:{action}", arn)
    if "CopySource" in params:
        yield from _of_copy(f"{bucket}/{params['Key']}", params["CopySource"])


def _of_copy(destination: str, source: str | Mapping[str, str]) -> Iterator[Question]:
    """An object that has tags is copied with them (S3 user guide, CopyObject, permissions)."""
    if isinstance(source, str):
        bucket, _, key = unquote(source.lstrip("/")).partition("/")
        source = {"Bucket": bucket, "Key": key.partition("?versionId=")[0]}
    for operation in ("GetObject", "GetObjectTagging"):
        yield from _of_s3(operation, {"Bucket": source["Bucket"], "Key": source["Key"]})
    yield Question("s3:PutObjectTagging", destination)


def _of_table(operation: str, params: Mapping[str, Any]) -> Iterator[Question]:
    """The leading key is told where a policy has a condition on it: claims, of one item each."""
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    found = (params.get("Key") or params.get("Item") or {}).get("pk", {})
    leading = str(found.get("S", "") if isinstance(found, Mapping) else found)
    context = (("dynamodb:LeadingKeys", leading.partition("#")[0] + "#x"),) if leading else ()
    arn = f"arn:aws:dynamodb:{HERE}:table/{NAME}{index}"
    yield Question(f"dynamodb:{operation}", arn, context)


def _of_batch(operation: str, params: Mapping[str, Any]) -> Iterator[Question]:
    here, action = f"arn:aws:batch:{HERE}:", f"batch:{operation}"
    match operation:
        case "SubmitJob":
            yield Question(action, f"{here}job-queue/{NAME}-{_last(params['jobQueue'])}")
            yield Question(action, f"{here}job-definition/{_last(params['jobDefinition'])}")
            yield Question(action, f"{here}job/some-id")
            yield from _tagging(params, f"{here}job/some-id")
        case "RegisterJobDefinition":
            arn = f"{here}job-definition/{params['jobDefinitionName']}"
            yield Question(action, arn)
            yield from _tagging(params, f"{arn}:1")
            container = params["containerProperties"]
            for kind in ("jobRoleArn", "executionRoleArn"):
                if kind in container:
                    yield _passing(container[kind])
        case "DeregisterJobDefinition":
            tags = params["tags"].items()
            context = tuple((f"aws:ResourceTag/{key}", value) for key, value in tags)
            yield Question(
                action, f"{here}job-definition/{_last(params['jobDefinition'])}", context
            )
        case "TerminateJob":
            yield Question(action, f"{here}job/{params['jobId']}")
        case _:
            assert operation.startswith(("Describe", "List")), operation
            yield Question(action, "*")


def _tagging(params: Mapping[str, Any], arn: str) -> Iterator[Question]:
    if params.get("tags"):
        yield Question("batch:TagResource", arn)


def _passing(role: str) -> Question:
    """Tests call roles as a deployment does whose prefix is ``falsework``."""
    end = _last(role).removeprefix("falsework-")
    context = (("iam:PassedToService", "ecs-tasks.amazonaws.com"),)
    return Question("iam:PassRole", f"arn:aws:iam::111122223333:role/{NAME}-{end}", context)


def _bus(entry: Mapping[str, Any]) -> str:
    name = _last(entry.get("EventBusName") or "default")
    return f"event-bus/{name if name == 'default' else f'{NAME}-{name}'}"


def _last(text: str, mark: str = "/") -> str:
    return text.rpartition(mark)[2]
