"""A Batch job as AWS tells of it, read in one way whoever tells: the event bus or DescribeJobs.

The ``detail`` of a "Batch Job State Change" resembles the JobDetail of DescribeJobs (AWS Batch
user guide, "Job state change events"), and a JobSummary of ListJobs is a smaller one. AWS may add
properties at any time, so what we do not know is ignored. Times are epoch milliseconds.

An ended job counts as one ended attempt even where no attempt is listed: it may have been stopped
before it started, and a summary lists none. So an end is an end, whoever tells of it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.job_state import ENDED_JOBS, JobStatus
from chalicelib.job_ports import JobSeen

DETAIL_TYPE: Final = "Batch Job State Change"
RUN_VARIABLE: Final = "FALSEWORK_RUN_ID"
RUN_TAG: Final = "falsework:run"
_WITH_A_HOST: Final = (
    JobStatus.STARTING,
    JobStatus.RUNNING,
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
)
_T = TypeVar("_T")


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class _Variable(_Told):
    name: str = ""
    value: str = ""


class _Container(_Told):
    """Of the job (its latest attempt), or of one attempt."""

    exit_code: int | None = None
    reason: str | None = None
    log_stream_name: str | None = None
    environment: tuple[_Variable, ...] = ()


class _Attempt(_Told):
    container: Annotated[_Container, BeforeValidator(_or_empty)] = _Container()
    started_at: int | None = None
    stopped_at: int | None = None
    status_reason: str | None = None


class _Array(_Told):
    index: int | None = None
    status_summary: Annotated[dict[str, int], BeforeValidator(_or_empty)] = {}
    """Of a parent: how many of its children are how."""


class _Node(_Told):
    node_index: int | None = None


class _Job(_Told):
    """JobDetail, its event form, and JobSummary."""

    job_name: str
    job_id: str
    job_queue: str = ""
    status: JobStatus
    status_reason: str | None = None
    attempts: tuple[_Attempt, ...] = ()
    created_at: int | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    container: Annotated[_Container, BeforeValidator(_or_empty)] = _Container()
    tags: Annotated[dict[str, str], BeforeValidator(_or_empty)] = {}
    array_properties: Annotated[_Array, BeforeValidator(_or_empty)] = _Array()
    node_properties: Annotated[_Node, BeforeValidator(_or_empty)] = _Node()


def read_event(event: Mapping[str, Any]) -> JobSeen | None:
    """Return the job of a whole event; None if it is of another type or of a child.

    Raises InvalidRequest for one that cannot be read.
    """
    if event.get("detail-type") != DETAIL_TYPE:
        return None
    return read_job(event.get("detail") or {})


def read_job(
    detail: Mapping[str, Any], *, queue: str = "", is_child_wanted: bool = False
) -> JobSeen | None:
    """Return the job; None for a child of an array or a node, which moves no run.

    ``queue`` is the one that was asked, for summaries, which do not name it. ``is_child_wanted``:
    an array's child was asked for by its id. Raises InvalidRequest.
    """
    try:
        job = _Job.model_validate(detail)
    except ValidationError as exc:
        raise InvalidRequest(f"not a Batch job: {_what_is_wrong(exc)}", field="detail") from None
    is_child = job.array_properties.index is not None and not is_child_wanted
    if is_child or job.node_properties.node_index is not None:
        return None
    last = job.attempts[-1].container if job.attempts else _Container()
    return JobSeen(
        job_id=job.job_id,
        name=job.job_name,
        queue=job.job_queue or queue,
        status=_status(job),
        run_id=_run_id(job),
        ended_attempts=_ended_attempts(job),
        exit_code=_first(job.container.exit_code, last.exit_code),
        reason=_reason(job),
        log_stream=_first(job.container.log_stream_name, last.log_stream_name),
        started_at=_time(job.started_at),
        stopped_at=_time(job.stopped_at),
        all_attempts_seconds=_all_attempts_seconds(job),
    )


def _status(job: _Job) -> JobStatus:
    """The parent of an array is PENDING until its last child has ended; its children tell more."""
    counts = job.array_properties.status_summary
    has_host = any(counts.get(status) for status in _WITH_A_HOST)
    is_waiting = job.status not in ENDED_JOBS
    return JobStatus.RUNNING if is_waiting and has_host else job.status


def _what_is_wrong(error: ValidationError) -> str:
    """The values stay out of it: among them are the job's environment variables."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
        for each in error.errors(include_input=False, include_url=False)
    )


def _run_id(job: _Job) -> str | None:
    for variable in job.container.environment:
        if variable.name == RUN_VARIABLE:
            return variable.value
    return job.tags.get(RUN_TAG)


def _ended_attempts(job: _Job) -> int:
    if job.status in ENDED_JOBS:
        return max(1, len(job.attempts))
    return sum(attempt.stopped_at is not None for attempt in job.attempts)


def _all_attempts_seconds(job: _Job) -> float | None:
    """The job's own times are those of one attempt, and between two it waited."""
    if len(job.attempts) < 2:
        return None
    spells = ((attempt.started_at, attempt.stopped_at) for attempt in job.attempts)
    return (
        sum(max(0, stopped - started) for started, stopped in spells if started and stopped) / 1000
    )


def _reason(job: _Job) -> str | None:
    """Batch's words first ("Host EC2 (instance i-…) terminated."), then the container's."""
    last = job.attempts[-1] if job.attempts else _Attempt()
    words = (
        _first(job.status_reason, last.status_reason),
        _first(job.container.reason, last.container.reason),
    )
    return "; ".join(dict.fromkeys(word for word in words if word)) or None


def _first(one: _T | None, other: _T | None) -> _T | None:
    return other if one is None else one


def _time(milliseconds: int | None) -> datetime | None:
    """A job that never started has no time, or 0."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
