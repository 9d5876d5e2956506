"""What AWS sends to the handlers, read. Pure, and without boto3: a Lambda imports this first.

EventBridge and SQS deliver at least once, so every message may come again. What cannot be read is
an InvalidRequest; unknown properties are ignored, for AWS adds some at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_plus

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.aws.batch_events import DETAIL_TYPE, read_event
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.receipts import MANY, ONE, REQUESTS

JsonObject = dict[str, Any]


class DroppedObject(NamedTuple):
    """An object that was created in a bucket."""

    bucket: str
    key: str
    """As the event has it."""
    version_id: str | None
    etag: str

    def keys(self) -> Iterator[str]:
        """Yield what the key may be, the likeliest first.

        EventBridge has it as it is (S3 user guide, "EventBridge event message structure"); some
        emulators encode it as S3's own notifications do. A key may hold ``%`` itself, so whoever
        tries a later one checks the version or the ETag as well.
        """
        yield from dict.fromkeys((self.key, unquote(self.key), unquote_plus(self.key)))


class Message(NamedTuple):
    """A message of a queue."""

    id: str
    body: str


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Bucket(_Told):
    name: str


class _Object(_Told):
    key: str
    etag: str = ""
    version_id: str | None = Field(default=None, alias="version-id")


class _ObjectCreated(_Told):
    bucket: _Bucket
    object: _Object


class _Record(_Told):
    message_id: str = Field(alias="messageId")
    body: str


class _Wake(_Told):
    run_id: str = Field(min_length=1)


def created_pattern(bucket: str) -> JsonObject:
    """Return the event pattern for request files.

    A list means "or" in a pattern, so prefix and suffix together are a wildcard (EventBridge user
    guide, "Comparison operators"): not every object of the bucket costs an invocation.
    """
    names = [{"wildcard": f"{REQUESTS}*{ending}"} for ending in (ONE, MANY)]
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": names}},
    }


def job_pattern(prefix: str) -> JsonObject:
    """Return the event pattern for jobs of ours; children of arrays and nodes move no run.

    Nor does a job that waits, or one that is about to run: an event costs an invocation, and
    whoever wants to know has Batch asked. RUNNABLE is the first that shows an extra copy.
    """
    return {
        "source": ["aws.batch"],
        "detail-type": [DETAIL_TYPE],
        "detail": {
            "jobName": [{"prefix": f"{prefix}-"}],
            "status": ["RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED"],
            "arrayProperties": {"index": [{"exists": False}]},
            "nodeProperties": {"nodeIndex": [{"exists": False}]},
        },
    }


def read_object_created(event: Mapping[str, Any]) -> DroppedObject:
    """Return the object of an "Object Created". Raises InvalidRequest."""
    told = _read(_ObjectCreated, event.get("detail"))
    return DroppedObject(
        told.bucket.name, told.object.key, told.object.version_id, told.object.etag
    )


def read_messages(event: Mapping[str, Any]) -> list[Message]:
    """Return the messages of a batch. Raises InvalidRequest."""
    records = [_read(_Record, record) for record in event.get("Records", [])]
    return [Message(record.message_id, record.body) for record in records]


def read_wake(body: str) -> str:
    """Return the id of the run that is to be woken. Raises InvalidRequest."""
    try:
        return str(_read(_Wake, json.loads(body)).run_id)
    except ValueError as exc:
        raise InvalidRequest(f"not a wake-up call: {exc}") from None


def ids_of(event: Mapping[str, Any]) -> dict[str, str]:
    """Return what names the event, for logs: ``event_id`` and, of a job's, ``run_id``."""
    messages = [str(record.get("messageId", "")) for record in event.get("Records", [])]
    ids = {"event_id": str(event.get("id") or ",".join(messages))}
    try:
        seen = read_event(event)
    except InvalidRequest:
        return ids
    return {**ids, "run_id": seen.run_id} if seen and seen.run_id else ids


def _read(model: Any, told: object) -> Any:
    """The values stay out of the error: it is logged."""
    try:
        return model.model_validate(told)
    except ValidationError as exc:
        places = [".".join(map(str, each["loc"])) for each in exc.errors(include_input=False)]
        raise InvalidRequest(f"not what AWS sends: {', '.join(places) or 'no object'}") from None
