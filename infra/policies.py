"""What each function may do: the table that ``.chalice/policy-<stage>-<function>.json`` are from.

All functions but ``on_notice`` drive the engine, and the engine performs what is owed whoever woke
it: so each has ``ENGINE``, and beside it what its own event needs. Region and account are ``*`` in
the files: nobody knows them before a deployment; ``pinned`` puts them in (``infra.build`` does).

``python -m infra.policies`` writes the files anew; a test tells when they are old.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

STAGES: Final = ("dev", "prod")
CHALICE: Final = Path(__file__).parents[1] / ".chalice"


class Grant(NamedTuple):
    """A statement; ``resources`` are the ends of ARNs, after the account's colon."""

    sid: str
    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Any] | None = None
    why: str = ""
    """Why it is needed although no test calls it, or why it cannot name a resource."""


NO_RESOURCE: Final = ("*",)
_TELLS_ALL: Final = "AWS knows no resource for it (service authorization reference)"


def _table(sid: str, *actions: str, indexes: Iterable[str] = (), why: str = "") -> Grant:
    names = ("table/{name}",) if not indexes else ()
    resources = (*names, *(f"table/{{name}}/index/{each}" for each in indexes))
    return Grant(sid, "dynamodb", actions, resources, why=why)


def _objects(sid: str, bucket: str, *actions: str, below: Iterable[str]) -> Grant:
    return Grant(sid, "s3", actions, tuple(f"{{{bucket}}}/{each}*" for each in below))


def _listing(sid: str, *buckets: str) -> Grant:
    why = "without it S3 answers 403 for an object that is not there"
    return Grant(sid, "s3", ("ListBucket",), tuple(f"{{{each}}}" for each in buckets), why=why)


def _sending(sid: str, *queues: str) -> Grant:
    return Grant(sid, "sqs", ("SendMessage",), tuple(f"{{name}}-{each}" for each in queues))


def _consuming(queue: str) -> Grant:
    return Grant(
        "BeGivenMessages",
        "sqs",
        ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
        (f"{{name}}-{queue}",),
        why="Lambda takes them from the queue with the function's role (Lambda guide, SQS)",
    )


_DEFINITIONS: Final = ("job-definition/*",)
"""Their names are users' own: executors and functions bring theirs with the request."""
ENGINE: Final = (
    _table("KeepState", "GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
    _objects("KeepDocuments", "scratch", "GetObject", "PutObject", below=["runs/"]),
    _listing("SeeThatNothingIsThere", "scratch"),
    Grant("SubmitJobs", "batch", ("SubmitJob",), ("job-queue/{queues}", *_DEFINITIONS)),
    Grant("DefineJobs", "batch", ("RegisterJobDefinition",), _DEFINITIONS),
    Grant(
        "TakeDefinitionsBack",
        "batch",
        ("DeregisterJobDefinition",),
        _DEFINITIONS,
        why="a function's definition goes when its run has ended",
    ),
    Grant(
        "TagWhatIsMade",
        "batch",
        ("TagResource",),
        ("job/*", *_DEFINITIONS),
        why="tags in SubmitJob and RegisterJobDefinition ask for it (Batch guide, tag on create)",
    ),
    Grant(
        "StopJobs",
        "batch",
        ("TerminateJob",),
        ("job/*",),
        why="extra copies are stopped by whoever sees them; a job's ARN ends in an id that nobody"
        " knows before",
    ),
    Grant(
        "LookAtJobs",
        "batch",
        ("DescribeJobs", "ListJobs", "DescribeJobDefinitions", "DescribeJobQueues"),
        NO_RESOURCE,
        why=_TELLS_ALL,
    ),
    Grant(
        "GiveJobsTheirRoles",
        "iam",
        ("PassRole",),
        ("role/{name}-job-*",),
        {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        why="RegisterJobDefinition asks for it; moto does not check",
    ),
    Grant(
        "FindImages",
        "ecr",
        ("DescribeRepositories", "DescribeImages"),
        ("repository/*",),
        why="an execution may name any repository of the account",
    ),
    _sending("WakeLater", "wake"),
    _sending("AnnounceRuns", "notices"),
)
INTAKE: Final = (
    Grant(
        "FindFileSystems",
        "elasticfilesystem",
        ("DescribeFileSystems", "DescribeAccessPoints"),
        ("file-system/*", "access-point/*"),
        why="file systems are found by their tags among all of them",
    ),
)
REQUESTS: Final = (
    _objects("ReadRequests", "requests", "GetObject", "GetObjectVersion", below=["requests/"]),
    _objects(
        "WriteReceipts",
        "requests",
        "GetObject",
        "PutObject",
        below=["receipts/", "receipt-parts/"],
    ),
    _listing("SeeRequests", "requests"),
    _sending("SendParts", "submissions"),
)
REFUSING: Final = (
    _sending("RefuseMessages", "dead-letters"),
    _objects("PutLongOnesAside", "scratch", "PutObject", below=["dead-letters/"]),
)
EVENTS: Final = (
    Grant(
        "TellOfFailures",
        "sqs",
        ("SendMessage",),
        ("{name}-event-failures",),
        why="Lambda sends failed events there with the function's role (destinations)",
    ),
)
_SHELVES: Final = ("works/", "results/")
_LISTS: Final = (
    "by_group",
    "by_state",
    "by_day",
    "by_work_state",
    "by_work_turn",
    "by_work_check",
)
_KEPT: Final = ("GetObject", "PutObject", "DeleteObject")
API: Final = (
    _table("RemoveState", "DeleteItem", "Query"),
    _table("TakeManyWorks", "BatchWriteItem", why="works are deposited many at a time"),
    _table(
        "ReadLists",
        "Query",
        indexes=_LISTS,
    ),
    _objects("KeepWorks", "scratch", *_KEPT, below=_SHELVES),
    _objects("KeepArchives", "scratch", *_KEPT, below=["archives/"]),
    Grant(
        "GiveUpArchives",
        "s3",
        ("AbortMultipartUpload",),
        ("{scratch}/archives/*",),
        why="one that fails half way is taken back",
    ),
    _objects("RemoveDocuments", "scratch", "DeleteObject", below=["runs/"]),
    _objects("ReadDeadLetters", "scratch", "GetObject", below=["dead-letters/"]),
    _objects("ShowAndRemoveFiles", "data", "GetObject", "DeleteObject", below=[""]),
    _listing("ListFiles", "data"),
    Grant(
        "TakeDeadLetters",
        "sqs",
        ("ReceiveMessage", "DeleteMessage"),
        ("{name}-dead-letters", "{name}-notice-dead-letters"),
    ),
    _sending("SendBack", "submissions"),
    Grant(
        "ReadKeys",
        "secretsmanager",
        ("GetSecretValue",),
        ("secret:{prefix}/{stage}/*",),
        why="keys that identities are checked with, where the site names one",
    ),
    Grant(
        "ShowLogs", "logs", ("GetLogEvents",), ("log-group:/{prefix}/{stage}/jobs:log-stream:*",),
        why="GET /runs/{id}/logs; tests/contract calls it",
    ),
)  # fmt: skip
SWEEP: Final = (
    _table("CountWorks", "Query"),
    _table("FindWhatIsDue", "Query", indexes=["by_check_time", "by_work_state"]),
    _table("TendConfigs", "DeleteItem", "BatchWriteItem", why="stages of configs are deposited"),
    _objects("KeepWorks", "scratch", *_KEPT, below=_SHELVES),
)

TELLING: Final = (
    _consuming("notices"),
    Grant("PutNoticesOff", "sqs", ("ChangeMessageVisibility",), ("{name}-notices",)),
    _sending("RefuseNotices", "notice-dead-letters"),
    _objects("PutLongOnesAside", "scratch", "PutObject", below=["dead-letters/"]),
    Grant(
        "SendMail",
        "ses",
        ("SendEmail",),
        ("identity/*",),
        why="the sender is the site's to name, and in the sandbox receivers are identities too",
    ),
    Grant("TellTopics", "sns", ("Publish",), ("{name}-*",)),
    Grant(
        "TellEncryptedTopics",
        "kms",
        ("GenerateDataKey", "Decrypt"),
        ("key/*",),
        {"StringLike": {"kms:ViaService": "sns.*.amazonaws.com"}},
        why="the foundation's topics are encrypted with its key, whose id nobody knows before",
    ),
    Grant("PutEvents", "events", ("PutEvents",), ("event-bus/default", "event-bus/{name}-*")),
    Grant(
        "ReadSigningSecrets",
        "secretsmanager",
        ("GetSecretValue",),
        ("secret:{prefix}/{stage}/*",),
        why="what webhooks are signed with is the site's to name",
    ),
)
"""The one function that drives no engine: it only delivers."""

FUNCTIONS: Final[Mapping[str, tuple[Grant, ...]]] = {
    "api_handler": (*ENGINE, *INTAKE, *API),
    "on_object_created": (*ENGINE, *INTAKE, *REQUESTS, *EVENTS),
    "on_submission": (*ENGINE, *INTAKE, _consuming("submissions"), *REFUSING, *REQUESTS),
    "on_job_change": (*ENGINE, *EVENTS),
    "on_wake": (*ENGINE, _consuming("wake"), *REFUSING),
    "on_sweep": (*ENGINE, *INTAKE, *SWEEP, *REQUESTS),
    "on_cleanup_time": (*ENGINE, *INTAKE, *EVENTS),
    "on_notice": TELLING,
}


def policy(function: str, stage: str, prefix: str = "falsework") -> dict[str, Any]:
    """Return the function's policy, with the names that ``foundation.yaml`` gives by default."""
    name = f"{prefix}-{stage}"
    log = "" if function == "api_handler" else f"-{function}"
    own = (
        Grant(
            "WriteOwnLogs",
            "logs",
            ("CreateLogStream", "PutLogEvents"),
            (f"log-group:/aws/lambda/{name}{log}:log-stream:*",),
        ),
        Grant(
            "MakeOwnLog",
            "logs",
            ("CreateLogGroup",),
            (f"log-group:/aws/lambda/{name}{log}",),
            why="plain `chalice deploy` makes none; merge.yaml does",
        ),
        Grant("Trace", "xray", ("PutTraceSegments", "PutTelemetryRecords"), NO_RESOURCE),
    )
    names = {
        "name": name,
        "stage": stage,
        "prefix": prefix,
        "queues": f"{name}-*",
        **{each: f"{name}-{each}-*" for each in ("scratch", "requests", "data")},
    }
    statements = [_statement(grant, names) for grant in (*FUNCTIONS[function], *own)]
    return {"Version": "2012-10-17", "Statement": statements}


def pinned(
    policy: Mapping[str, Any],
    *,
    partition: str,
    region: str,
    account: str,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return the policy for one place. ``names``: what stands in the file → what there is."""

    def pin(arn: str) -> str:
        if arn == "*":
            return arn
        _, _, service, _, _, rest = arn.split(":", 5)
        for written, real in names.items():
            rest = rest.replace(written, real)
        where = "" if service in {"s3", "iam"} else region
        return f"arn:{partition}:{service}:{where}:{'' if service == 's3' else account}:{rest}"

    return {
        **policy,
        "Statement": [
            {**each, "Resource": [pin(arn) for arn in each["Resource"]]}
            for each in policy["Statement"]
        ],
    }


def path(function: str, stage: str) -> Path:
    """Return where Chalice reads the function's policy."""
    return CHALICE / f"policy-{stage}-{function.replace('_', '-')}.json"


def text(policy: Mapping[str, Any]) -> str:
    """Return the policy as it is in the file."""
    return json.dumps(policy, indent=2) + "\n"


def _statement(grant: Grant, names: Mapping[str, str]) -> dict[str, Any]:
    ends = [each.format_map(names) for each in grant.resources]
    told: dict[str, Any] = {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": [f"{grant.service}:{each}" for each in grant.actions],
        "Resource": [_arn(grant.service, each) for each in ends],
    }
    return told | ({"Condition": dict(grant.condition)} if grant.condition else {})


_PLACES: Final[Mapping[str, str]] = {"s3": ":", "iam": ":*"}
"""Buckets have neither region nor account in their ARNs, roles no region."""


def _arn(service: str, end: str) -> str:
    return end if end == "*" else f"arn:*:{service}:{_PLACES.get(service, '*:*')}:{end}"


def main(write: Callable[[Path, str], Any] = Path.write_text) -> None:
    """Write every file."""
    for stage in STAGES:
        for function in FUNCTIONS:
            write(path(function, stage), text(policy(function, stage)))


if __name__ == "__main__":
    main()
