"""The plan of a demand execution::

    scaffold ─▶ define-jobs ─▶ stage-in ─▶ execute ─▶ stage-out ─▶ clean-up
      call         call         job          job        job          job, closing

``scaffold`` stores what the workers will read: their orders, and the scaffolding itself for
whoever wants to look. A stage with nothing to do costs no job: without inputs the environment
file is written by a call where the file systems are at hand, without outputs nothing is brought
home, and with nothing to remove nothing is taken down.
"""

from __future__ import annotations

import json
from typing import Final

from chalicelib.core.demand.batch_args import CreateDefinitionAndPrepareArgsRequest
from chalicelib.core.demand.scaffolding import Scaffolding
from chalicelib.core.plans.combinators import sequence
from chalicelib.core.plans.demand_orders import clean_up_order, stage_in_order, stage_out_order
from chalicelib.core.plans.plan import (
    Action,
    CleanUpPolicy,
    DefineJobs,
    JobAction,
    JobDefinition,
    NoAction,
    Plan,
    PutDocuments,
    StagePlan,
    WriteFile,
)
from chalicelib.core.plans.workers import divisible, worker_definition, worker_job
from chalicelib.core.site import Site
from chalicelib.core.submission import Submission

KIND: Final = "demand-execution"
STAGES: Final = ("scaffold", "define-jobs", "stage-in", "execute", "stage-out", "clean-up")
CLOSING: Final = ("clean-up",)
WITH_FILES: Final = ("stage-in", "execute")
"""What clean-up removes is theirs; what ``stage-out`` makes is in S3, and stays."""
KEEP_OUTPUTS: Final = "--keep-outputs"
AGAIN: Final = "--again"
"""Moves aside what an earlier attempt left, then brings everything to its place as at first."""
WORKER_RESOURCES: Final = ({"type": "MEMORY", "value": "2048"}, {"type": "VCPU", "value": "1"})
"""What copying needs: a few threads and their buffers."""


def plan_demand(
    submission: Submission,
    scaffolding: Scaffolding,
    site: Site,
    uid: str,
    *,
    has_file_systems: bool,
) -> Plan:
    """Return the plan; ``uid`` is the run's own, and so are the documents below it.

    ``has_file_systems``: whether calls can write onto them, so that no job is needed for it.
    """
    home = f"s3://{site.scratch_bucket}/runs/{submission.run_id}/{uid}/"
    builder = _Demand(submission, scaffolding, site, home)
    chain = sequence(
        builder.stage("scaffold", builder.scaffold()),
        builder.stage("define-jobs", builder.define_jobs()),
        builder.stage("stage-in", builder.stage_in(has_file_systems=has_file_systems)),
        builder.stage("execute", builder.execute()),
        builder.stage("stage-out", builder.stage_out()),
        builder.stage("clean-up", builder.clean_up(), after=("stage-out",)),
    )
    options = submission.options
    return Plan(
        stages=chain.all(),
        request=submission.document(),
        request_digest=submission.digest(),
        clean_up=options.cleanup or CleanUpPolicy.ON_SUCCESS,
        outputs_from="stage-out",
        results_prefix=f"{home}outcomes/",
        job_name_prefix=site.prefix,
        submit_grace_seconds=site.submit_grace_seconds,
        check_seconds=site.check_seconds,
        **options.limits(),
    )


class _Demand:
    """One demand's actions; holds what all of them are made from."""

    def __init__(
        self, submission: Submission, scaffolding: Scaffolding, site: Site, home: str
    ) -> None:
        self._demand = submission.request.demand_execution
        self._options = submission.options
        self._scaffolding = scaffolding
        self._response = scaffolding.response
        self._site = site
        self._home = home
        self._orders = f"{home}orders.json"

    def stage(self, name: str, action: Action, after: tuple[str, ...] = ()) -> StagePlan:
        return StagePlan(
            name=name,
            action=action,
            after=after,
            is_closing=name in CLOSING,
            timeout_seconds=self._options.stage_timeout(name),
            has_files=name in WITH_FILES,
        )

    def scaffold(self) -> Action:
        made, batches = self._scaffolding, f"{self._home}batches/"
        most = self._site.batch_bytes
        orders = {
            "stage-in": stage_in_order(made, f"{batches}stage-in/", most).model_dump(mode="json"),
            "stage-out": stage_out_order(made, f"{batches}stage-out/", most).model_dump(
                mode="json"
            ),
            "clean-up": clean_up_order(made, self._paths_to_remove()).model_dump(mode="json"),
            "scaffolding": self._response.to_wire(),
        }
        return PutDocuments(
            documents={self._orders: json.dumps(orders)},
            result={
                "working_directory": self._scaffolding.working_directory_efs,
                "scaffolding": f"{self._orders}#scaffolding",
            },
        )

    def define_jobs(self) -> Action:
        return DefineJobs(definitions={"user": self._user(), "worker": self._worker()})

    def stage_in(self, *, has_file_systems: bool) -> Action:
        file = self._scaffolding.environment_file
        if self._response.setup_configs.data_sync_requests:
            return divisible(self._worker_job("stage-in"))
        if file is None:
            return NoAction(message="no inputs")
        if has_file_systems:
            return WriteFile(path=file.efs_path, text=file.text)
        return self._worker_job("stage-in")

    def execute(self) -> Action:
        create = self._response.setup_configs.batch_create_request
        return JobAction(
            definition="user",
            queue=create.job_queue_name,
            environment=create.environment,
            resource_requirements=_requirements(create),
            tags=self._tags() | {"job_name": create.job_name or ""},
            fallback_queue=self._options.fallback_job_queue_name,
            preparation=self._worker_job("stage-in", AGAIN),
        )

    def stage_out(self) -> Action:
        if not self._response.cleanup_configs.data_sync_requests:
            return NoAction(message="no outputs")
        return divisible(self._worker_job("stage-out"))

    def clean_up(self) -> Action:
        if self._options.cleanup is CleanUpPolicy.NEVER:
            return NoAction(message="nothing is removed: options.cleanup is never")
        if not self._paths_to_remove():
            return NoAction(message="nothing is removed: the request keeps everything")
        job = self._worker_job("clean-up")
        return job.model_copy(update={"unsaved_argument": KEEP_OUTPUTS})

    def _worker_job(self, verb: str, *arguments: str) -> JobAction:
        queue = self._response.setup_configs.batch_create_request.job_queue_name
        order_uri = f"{self._orders}#{verb}"
        job = worker_job(self._site, verb, *arguments, queue=queue, order_uri=order_uri)
        return job.model_copy(
            update={
                "resource_requirements": WORKER_RESOURCES,
                "tags": self._tags(),
                "fallback_queue": self._options.fallback_job_queue_name,
            }
        )

    def _user(self) -> JobDefinition:
        create = self._response.setup_configs.batch_create_request
        return JobDefinition(
            name=create.job_definition_name,
            image=create.image,
            command=tuple(create.command),
            mount_points=tuple(create.mount_points),
            volumes=tuple(create.volumes),
            job_role_arn=create.job_role_arn,
            privileged=create.privileged,
            secrets=self._options.secrets,
            resource_requirements=_requirements(create),
            tags=self._tags() | create.job_definition_tags,
        )

    def _worker(self) -> JobDefinition:
        """The same volumes, every one of them writable: the worker fills the shared one."""
        create = self._response.setup_configs.batch_create_request
        volumes, mount_points = tuple(create.volumes), tuple(create.mount_points)
        return worker_definition(self._site, volumes, mount_points, WORKER_RESOURCES)

    def _paths_to_remove(self) -> tuple[str, ...]:
        """What the request's own switches name, or, where ``options.cleanup`` speaks, all."""
        if self._options.cleanup is not None:
            return (self._scaffolding.working_directory_efs,)
        requests = self._response.cleanup_configs.remove_data_paths_requests
        return tuple(path for request in requests for path in request.paths)

    def _tags(self) -> dict[str, str]:
        return {**self._site.default_tags, **(self._demand.execution_metadata.tags or {})}


def _requirements(create: CreateDefinitionAndPrepareArgsRequest) -> tuple[dict[str, str], ...]:
    return tuple({"type": kind, "value": value} for kind, value in create.requirement_pairs())
