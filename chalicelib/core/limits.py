"""Every limit of the outside world that we rely on, once, with its source.

Our own choices (intervals, bounds) stand beside the code that makes them.
"""

from __future__ import annotations

from typing import Final

BATCH_JOB_NAME_CHARACTERS: Final = 128
"""AWS Batch API reference, SubmitJob, jobName."""

BATCH_OVERRIDES_BYTES: Final = 8192
"""Amazon ECS API reference, ContainerOverride: "total character limit of 8192 for overrides",
the formatting characters of the JSON included."""

BATCH_JOB_DEFINITION_BYTES: Final = 24 * 1024
"""AWS Batch user guide, service quotas: "Maximum size of a job definition"."""

BATCH_DESCRIBE_IDS: Final = 100
"""AWS Batch API reference, DescribeJobs, jobs: a list of up to 100 job ids."""

BATCH_ARRAY_CHILDREN: Final = 10_000
"""AWS Batch user guide, array jobs: "between 2 and 10,000"; one child is a plain job."""

BATCH_PAYLOAD_BYTES: Final = 30 * 1024
"""AWS Batch user guide, service quotas: "Maximum job payload size (for SubmitJob API
operations)"."""

BATCH_REASON_CHARACTERS: Final = 1024
"""AWS Batch API reference, TerminateJob, reason."""

BATCH_TAGS: Final = 50
"""AWS Batch user guide, tag restrictions: tags per resource. A job whose tags and whose
definition's tags are more than 50 together is moved to FAILED where they are propagated (API
reference, SubmitJob, propagateTags)."""

BATCH_TAG_KEY_CHARACTERS: Final = 128
"""AWS Batch user guide, tag restrictions."""

BATCH_TAG_VALUE_CHARACTERS: Final = 256
"""AWS Batch user guide, tag restrictions."""

BATCH_SUBMISSIONS_PER_SECOND: Final = 50
"""AWS Batch user guide, service quotas: SubmitJob transactions per second and account."""

BATCH_REMEMBERS_ENDED_JOBS_SECONDS: Final = 7 * 24 * 3600
"""AWS Batch user guide, job states: SUCCEEDED and FAILED jobs are kept "at least 7 days"."""

DYNAMODB_ITEM_BYTES: Final = 400 * 1024
"""Amazon DynamoDB developer guide, service quotas: item size, attribute names included."""

DYNAMODB_BATCH_GET_KEYS: Final = 100
"""Amazon DynamoDB API reference, BatchGetItem: "as many as 100 items"."""

DYNAMODB_PARTITION_KEY_BYTES: Final = 2048
DYNAMODB_SORT_KEY_BYTES: Final = 1024
"""Amazon DynamoDB developer guide, service quotas: partition key and sort key length."""

SQS_DELAY_SECONDS: Final = 900
"""Amazon SQS developer guide, message quotas: DelaySeconds."""

SQS_MESSAGE_BYTES: Final = 256 * 1024
"""What every queue takes. Amazon SQS developer guide, message quotas: 1 MiB since August 2025,
less where the queue's MaximumMessageSize says so; a batch of messages has the same limit."""

SQS_BATCH_ENTRIES: Final = 10
"""Amazon SQS API reference, SendMessageBatch."""

API_GATEWAY_SECONDS: Final = 29
"""Amazon API Gateway developer guide, quotas: the integration timeout, unless it was raised."""

LAMBDA_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""AWS Lambda developer guide, quotas: synchronous invocation payload, request and response."""

LAMBDA_ENVIRONMENT_BYTES: Final = 4096
"""AWS Lambda developer guide, quotas: environment variables of a function, in aggregate."""

STATES_PAYLOAD_BYTES: Final = 256 * 1024
"""AWS Step Functions API reference, StateEnteredEventDetails, input: "Maximum length of 262144",
"in bytes in UTF-8 encoding"; the same of every input and output."""

STATES_DEFINITION_BYTES: Final = 1_048_576
"""AWS Step Functions API reference, CreateStateMachine: "Maximum length of 1048576"."""

STATE_NAME_CHARACTERS: Final = 80
"""Amazon States Language specification (states-language.net), States: "less than or equal to 80
Unicode characters"; AWS Step Functions API reference, StateExitedEventDetails, name: the same."""

VOLUME_NAME_BUDGET_CHARACTERS: Final = 139
"""What ECS and the EFS mount helper leave for ``<job definition name>`` + 3 + ``<volume name>``.

OpenSSL keeps a CA database path in 256 bytes, so the path has at most 246; minus
``/var/run/efs/`` (13) and ``/database/index.txt`` (19) the state directory has 214; minus the
file-system id (20), a dot, ``var.lib.ecs.volumes.`` (20), a dot, the port (5) and ``+`` the ECS
volume name has 166; minus ``ecs-``, three dashes and 20 hex digits: 139.
"""

S3_KEY_BYTES: Final = 1024
"""Amazon S3 user guide, object key naming: UTF-8, at most 1,024 bytes."""

S3_DELETE_KEYS: Final = 1000
"""Amazon S3 API reference, DeleteObjects: "up to 1,000 objects"."""

S3_COPY_BYTES: Final = 5 * 1024**3
"""Amazon S3 API reference, CopyObject: "up to 5 GB in a single atomic action"; above that
UploadPartCopy, whose parts have the same limit."""

FILE_NAME_BYTES: Final = 255
"""NAME_MAX of Linux, and of EFS (Amazon EFS user guide, quotas for NFS clients)."""

WORK_PIPELINE_CHARACTERS: Final = 128
WORK_TIMEOUT_SECONDS: Final = (1, 259_200)
WORK_RETRIES: Final = 5
WORK_PRIORITIES: Final = (1, 5)
"""What the client of CHIME/FRB's work queue accepts (``workflow.core`` 1.12.3, its Work model)."""

WORK_RESULTS_BYTES: Final = 4_000_000
"""The same client's documentation: larger results are dropped; the work is kept."""

DYNAMODB_BATCH_WRITE_ITEMS: Final = 25
DYNAMODB_BATCH_WRITE_BYTES: Final = 16 * 1024 * 1024
"""Amazon DynamoDB API reference, BatchWriteItem: "up to 16 MB of data", 25 put requests."""

DYNAMODB_COLLECTION_BYTES: Final = 10 * 1024**3
"""Amazon DynamoDB API reference, LocalSecondaryIndex: items of one partition key, and what the
local indexes hold of them."""

REQUEST_LIST_ITEMS: Final = 25_000
"""Our own: what any list or object of a request may hold, and a list of works. Each work is an
item, and DynamoDB takes about a thousand a second in the 29 that API Gateway waits."""

TOKEN_GROUPS: Final = 1000
"""Our own: names of 128 characters, which must fit an item of DynamoDB."""

DESCENDANTS: Final = 10_000
"""Our own, and a site's to change: runs that one run may start, their own runs included. At 40 a
stage at a time that is some hours of work of the engine."""

QUOTA_LIVE_RUNS: Final = 1000
"""Our own: an entry of a tally has 300 bytes at most, and a tally must fit an item of DynamoDB."""

QUOTA_SUBMISSIONS_PER_MINUTE: Final = 100_000
"""Our own, against typing errors: what is counted are the seconds of a minute."""

HTTP_CONNECTIONS: Final = 128
"""Our own: of ``serve``, each with a thread. Fifty clients at once are nothing, and a browser may
have six connections."""

IDEMPOTENCY_KEY_CHARACTERS: Final = 255
"""Our own; as much as others take who have such a header."""

DOCUMENT_CHARACTERS: Final = 60_000
"""Of text in one document: JSON spells a character with 6 bytes at most, which is 360 of the
400 KB of DynamoDB's item."""

SNS_SUBJECT_CHARACTERS: Final = 99
"""Amazon SNS API reference, Publish, Subject: "less than 100 characters long", ASCII, no line
breaks."""

SQS_HIDDEN_SECONDS: Final = 12 * 3600
"""Amazon SQS API reference, ChangeMessageVisibility: at most 12 hours."""

VISIBILITY_FACTOR: Final = 6
"""AWS Lambda developer guide, Creating and configuring an Amazon SQS event source mapping: a queue
hides a message for at least six times the function's timeout."""

EMF_VALUES: Final = 100
"""Amazon CloudWatch user guide, embedded metric format specification: values of one metric."""

SIGNATURE_SECONDS: Final = 300
"""AWS General Reference, Signature Version 4: a request must arrive within five minutes of its
time."""
