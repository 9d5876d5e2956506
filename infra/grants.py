"""The table of what each function may do; ``infra.policies`` makes documents of it.

All functions but ``on_notice`` drive the engine, and the engine performs what is owed whoever woke
it: the next job, a child run of any kind, a work's end. So each has ``ENGINE``, and beside it what
its own event needs. Actions are those that tests see called (``tests/deploy/test_calls.py``), or
say why they are needed all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from infra.granting import (
    NO_RESOURCE,
    TELLS_ALL,
    Grant,
    consuming,
    listing,
    objects,
    sending,
    table,
)

_DEFINITIONS: Final = ("job-definition/*",)
"""Their names are users' own: executors and functions bring theirs with the request."""
_SHELVES: Final = ("works/", "results/")
_KEPT: Final = ("GetObject", "PutObject", "DeleteObject")
ENGINE: Final = (
    table("KeepState", "GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
    objects("KeepDocuments", "scratch", "GetObject", "PutObject", below=["runs/", "scratch/"]),
    objects("KeepWorks", "scratch", *_KEPT, below=_SHELVES),
    objects("ExchangeElsewhere", "data", "GetObject", "PutObject", below=["scratch/"]),
    listing("SeeThatNothingIsThere", "scratch", "data"),
    Grant(
        "SubmitJobs",
        "batch",
        ("SubmitJob",),
        ("job-queue/{queues}", "job/*", *_DEFINITIONS),
        why="a run may name a definition that is there; whose role that has is looked at before"
        " (chalicelib/core/definition_rights.py), for SubmitJob asks for no PassRole",
    ),
    Grant("DefineJobs", "batch", ("RegisterJobDefinition",), _DEFINITIONS),
    Grant(
        "TakeDefinitionsBack",
        "batch",
        ("DeregisterJobDefinition",),
        ("job-definition/{stage}-*",),
        {"Null": {"aws:ResourceTag/falsework:digest": "false"}},
        why="a function's definition goes when its run has ended: by its name and the tag that"
        " each of ours has (aws/batch_arguments.py), and nobody else's",
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
        why=TELLS_ALL,
    ),
    Grant(
        "GiveJobsTheirRoles",
        "iam",
        ("PassRole",),
        ("role/{name}-job-worker", "role/{name}-job-execution", "role/{name}-user-*"),
        {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        why="RegisterJobDefinition asks for it; moto does not check. The first two are our own,"
        " which no user's job gets (chalicelib/core/job_roles.py)",
    ),
    Grant(
        "FindImages",
        "ecr",
        ("DescribeRepositories", "DescribeImages"),
        ("repository/*",),
        why="an execution may name any repository of the account",
    ),
    Grant(
        "FindFileSystems",
        "elasticfilesystem",
        ("DescribeFileSystems", "DescribeAccessPoints"),
        ("file-system/*", "access-point/*"),
        why="file systems are found by their tags among all of them",
    ),
    Grant(
        "ReadSecrets",
        "secretsmanager",
        ("GetSecretValue",),
        ("secret:{prefix}/{stage}/*",),
        why="a work's end is told to Slack; which secrets there are is the site's to name",
    ),
    sending("WakeLater", "wake"),
    sending("AnnounceRuns", "notices"),
)
_RECEIPTS: Final = ("GetObject", "PutObject")
DROPPED: Final = (
    objects("ReadRequests", "requests", "GetObject", "GetObjectVersion", below=["requests/"]),
    objects("WriteReceipts", "requests", *_RECEIPTS, below=["receipts/"]),
    listing("SeeRequests", "requests"),
    sending("SendParts", "submissions"),
)
PARTS: Final = (
    objects("ReadRequests", "requests", "GetObject", "GetObjectVersion", below=["requests/"]),
    objects("WriteAnswers", "requests", *_RECEIPTS, below=["receipt-parts/"]),
    listing("SeeRequests", "requests"),
    sending("SendParts", "submissions"),
)
MISSED: Final = (
    objects("ReadRequests", "requests", "GetObject", below=["requests/"]),
    objects("WriteReceipts", "requests", *_RECEIPTS, below=["receipts/", "receipt-parts/.swept"]),
    listing("SeeRequests", "requests"),
    sending("SendParts", "submissions"),
)
REFUSING: Final = (
    sending("RefuseMessages", "dead-letters"),
    objects("PutLongOnesAside", "scratch", "PutObject", below=["dead-letters/"]),
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
_LISTS: Final = (
    "by_group",
    "by_state",
    "by_day",
    "by_work_state",
    "by_work_turn",
    "by_work_check",
)
API: Final = (
    table("RemoveState", "DeleteItem", "Query"),
    table("TakeManyWorks", "BatchWriteItem", why="works are deposited many at a time"),
    table("ReadLists", "Query", indexes=_LISTS),
    objects("KeepArchives", "scratch", *_KEPT, below=["archives/"]),
    Grant(
        "GiveUpArchives",
        "s3",
        ("AbortMultipartUpload",),
        ("{scratch}/archives/*",),
        why="one that fails half way is taken back",
    ),
    objects("RemoveDocuments", "scratch", "DeleteObject", below=["runs/"]),
    objects("ReadDeadLetters", "scratch", "GetObject", below=["dead-letters/"]),
    objects("ShowAndRemoveFiles", "data", "GetObject", "DeleteObject", below=[""]),
    Grant(
        "TakeDeadLetters",
        "sqs",
        ("ReceiveMessage", "DeleteMessage"),
        ("{name}-dead-letters", "{name}-notice-dead-letters"),
    ),
    sending("SendBack", "submissions"),
    Grant(
        "ShowLogs", "logs", ("GetLogEvents",), ("log-group:/{prefix}/{stage}/jobs:log-stream:*",),
        why="GET /runs/{id}/logs; tests/contract calls it",
    ),
)  # fmt: skip
SWEEP: Final = (
    table("CountWorks", "Query"),
    table("FindWhatIsDue", "Query", indexes=["by_check_time", "by_work_state", "by_work_turn"]),
    table("TendConfigs", "DeleteItem", "BatchWriteItem", why="stages of configs are deposited"),
)
TENDING: Final = (
    table(
        "TendConfigs",
        "Query",
        "DeleteItem",
        "BatchWriteItem",
        why="when the run of a pushed work ends, the next stage of its config is deposited",
    ),
    table("FindQueuedWorks", "Query", indexes=["by_work_turn"]),
)
TELLING: Final = (
    consuming("notices"),
    Grant("PutNoticesOff", "sqs", ("ChangeMessageVisibility",), ("{name}-notices",)),
    sending("RefuseNotices", "notice-dead-letters"),
    objects("PutLongOnesAside", "scratch", "PutObject", below=["dead-letters/"]),
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
    "api_handler": (*ENGINE, *API),
    "on_object_created": (*ENGINE, *DROPPED, *EVENTS),
    "on_submission": (*ENGINE, consuming("submissions"), *REFUSING, *PARTS),
    "on_job_change": (*ENGINE, *TENDING, *EVENTS),
    "on_wake": (*ENGINE, consuming("wake"), *REFUSING),
    "on_sweep": (*ENGINE, *SWEEP, *MISSED),
    "on_cleanup_time": (*ENGINE, *EVENTS),
    "on_notice": TELLING,
}
