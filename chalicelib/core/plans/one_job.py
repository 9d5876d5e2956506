"""The plan of a run that is one job of our worker's::

    orders ─▶ define-jobs ─▶ <the stage>
     call        call           job

``orders`` stores what the worker reads; the answer is the result of the last stage.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.core.options import Options, check_options
from chalicelib.core.plans.combinators import sequence
from chalicelib.core.plans.plan import (
    Action,
    DefineJobs,
    JobAction,
    JobDefinition,
    Plan,
    PutDocuments,
    StagePlan,
)
from chalicelib.core.plans.workers import Rows, worker_job
from chalicelib.core.plans.workers import worker_definition as definition_of
from chalicelib.core.site import Site

SMALL: Final = ({"type": "MEMORY", "value": "1024"}, {"type": "VCPU", "value": "1"})
"""Section 4.3 of the Step Functions constructs' specification."""
ORDERS: Final = "orders"
DEFINE: Final = "define-jobs"


class OneJob(NamedTuple):
    """What distinguishes such a run from others."""

    stage: str
    home: str
    """``s3://…/`` below which its documents are."""
    order: str
    definition: JobDefinition
    action: JobAction
    request: dict[str, JsonValue]
    digest: str
    options: Options


def home_of(run_id: str, uid: str, site: Site) -> str:
    """Return where the run's own documents are."""
    return f"s3://{site.scratch_bucket}/runs/{run_id}/{uid}/"


def plan_one_job(job: OneJob, site: Site) -> Plan:
    """Return the plan. Raises InvalidRequest for options that do not fit it."""
    check_options(job.options, (ORDERS, DEFINE, job.stage), ())
    order = _order_uri(job.home)
    actions: dict[str, Action] = {
        ORDERS: PutDocuments(documents={order: job.order}, result={"order": order}),
        DEFINE: DefineJobs(definitions={"worker": job.definition}),
        job.stage: job.action,
    }
    stages = (
        StagePlan(name=name, action=each, timeout_seconds=job.options.stage_timeout(name))
        for name, each in actions.items()
    )
    return Plan(
        stages=sequence(*stages).all(),
        request=job.request,
        request_digest=job.digest,
        results_prefix=f"{job.home}outcomes/",
        job_name_prefix=site.prefix,
        submit_grace_seconds=site.submit_grace_seconds,
        check_seconds=site.check_seconds,
        **job.options.limits(),
    )


def worker_action(verb: str, home: str, queue: str, site: Site) -> JobAction:
    """Return the job that carries out the order with this verb."""
    job = worker_job(site, verb, queue=queue, order_uri=_order_uri(home))
    return job.model_copy(update={"resource_requirements": SMALL, "tags": site.default_tags})


def worker_definition(site: Site, volumes: Rows = (), mount_points: Rows = ()) -> JobDefinition:
    """Return the worker's job definition with these volumes; equal ones have one name."""
    return definition_of(site, volumes, mount_points, SMALL)


def _order_uri(home: str) -> str:
    return f"{home}order.json"
