"""What a saved run uses, for the day on which it is to go on.

A plan never changes, and neither do the queues, roles and places in it: so it is the plan that is
asked, and not what today's site would make of the request. Only where the plan tells less than the
request (the paths of a job over files) is the request read again.

Runs that others start are compared when they are started; works run where the operator says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from chalicelib.core import file_requests
from chalicelib.core.object_names import parse_object
from chalicelib.core.plans import archives, demand_execution, work_runs
from chalicelib.core.plans.plan import JobAction, JobDefinition, Plan, PutDocuments
from chalicelib.core.run import Run
from chalicelib.core.site import FileSystems, Site
from chalicelib.core.submission import parse_submission
from chalicelib.core.submission_checks import PARAMETERS, named_places
from chalicelib.core.uses import (
    Listed,
    Use,
    use_of_path,
    used_by_batch_job,
    used_by_file_job,
    used_fallback,
)
from chalicelib.core.worker_documents import StageInOrder, StageOutOrder

_FILE_JOBS: Final = {file_requests.SYNC, *file_requests.KINDS}
_PLATFORM: Final = "demand_execution.execution_platform.aws_batch"

Definitions = Mapping[str, JobDefinition]
"""What jobs name as their definition → what that is, as far as it is known."""


def used_by_run(run: Run, site: Site, efs: FileSystems, definitions: Definitions) -> Iterator[Use]:
    """Yield what the run uses. Raises InvalidRequest for a request that is none any more."""
    if run.kind == work_runs.KIND:
        return
    if run.kind == demand_execution.KIND:
        yield from _by_demand(run, definitions)
    elif run.kind in _FILE_JOBS:
        submission = file_requests.parse_file_request(run.kind, _document(run), site)
        yield from used_by_file_job(submission, _first_queue(run.plan))
    elif run.kind == archives.KIND:
        yield Use("site.default_job_queue", Listed.QUEUE, _first_queue(run.plan))
    else:
        yield from _by_jobs(run.plan, efs, definitions)


def users_jobs(plan: Plan) -> list[JobAction]:
    """Return the jobs that are not our worker's."""
    return [job for job in _jobs(plan) if not job.is_worker]


def _jobs(plan: Plan) -> list[JobAction]:
    return [stage.action for stage in plan.stages if isinstance(stage.action, JobAction)]


def _first_queue(plan: Plan) -> str:
    return _jobs(plan)[0].queue


def _document(run: Run) -> dict[str, Any]:
    """The submission as it was kept, in the form in which it is submitted."""
    request, options = run.plan.request["request"], run.plan.request["options"]
    assert isinstance(request, dict)  # noqa: S101 -- as KindSubmission.document makes it
    return {**request, "options": options}


def _by_demand(run: Run, definitions: Definitions) -> Iterator[Use]:
    for job in users_jobs(run.plan):
        yield Use(f"{_PLATFORM}.job_queue_name", Listed.QUEUE, job.queue)
        yield from used_fallback(job.fallback_queue)
        role = definitions[job.definition].job_role_arn
        if role:
            yield Use(f"{_PLATFORM}.job_role", Listed.ROLE, role)
    for field, path in named_places(parse_submission(_document(run)).request):
        if path:
            yield use_of_path(field, path)
    yield from _by_orders(run.plan)


def _by_orders(plan: Plan) -> Iterator[Use]:
    """Where inputs come from and outputs go to, and what is mounted."""
    orders = json.loads(next(iter(_documents(plan).values())))
    coming = StageInOrder.model_validate(orders["stage-in"])
    for sync in coming.syncs:
        yield use_of_path(f"{PARAMETERS}.params.{sync.param}", sync.request.source_path)
    for sync in StageOutOrder.model_validate(orders["stage-out"]).syncs:
        yield use_of_path(f"{PARAMETERS}.params.{sync.param}", sync.request.destination_path)
    for mount in coming.mounts:
        root = f"{mount.file_system_id}:{mount.root}"
        yield Use("file_system_configurations", Listed.ROOT, root)


def _by_jobs(plan: Plan, efs: FileSystems, definitions: Definitions) -> Iterator[Use]:
    for job in users_jobs(plan):
        definition = definitions.get(job.definition, JobDefinition(name="", image=""))
        yield from used_by_batch_job(job.queue, job.fallback_queue, definition, efs)
    for uri in _documents(plan):
        yield Use("bucket_name", Listed.BUCKET, parse_object(uri).bucket)


def _documents(plan: Plan) -> dict[str, str]:
    return {
        uri: text
        for stage in plan.stages
        if isinstance(stage.action, PutDocuments)
        for uri, text in stage.action.documents.items()
    }
