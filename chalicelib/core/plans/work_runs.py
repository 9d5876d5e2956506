"""The plan of a work that is pushed: one attempt of it as a run.

::

    take ─▶ define-jobs ─▶ work ─▶ report
    call       call         job     call, closing, however the run ends

``take`` is the withdrawal; the run was there before it, so that no crash can leave a work that is
running and nobody's. ``report`` tells the work queue how the attempt ended, and is owed until it
has. Whether there is another attempt is the queue's to say, by its own rules: a run is one.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Final

from chalicelib.core.events import RunRequested
from chalicelib.core.plans.combinators import sequence
from chalicelib.core.plans.plan import (
    CleanUpPolicy,
    DefineJobs,
    JobAction,
    JobDefinition,
    Plan,
    RetryPolicy,
    StagePlan,
    WorkCall,
)
from chalicelib.core.plans.workers import WORKER
from chalicelib.core.site import Site
from chalicelib.core.work.leases import Lease, lease_name, mark_of
from chalicelib.core.work.model import Work
from chalicelib.core.work.sites import WorkSite

KIND: Final = "work"
ENDING_SECONDS: Final = 3600
"""What an attempt has after its timeout to store its files."""
CALL_ATTEMPTS: Final = 3
"""Of a stage: a call is given up after an hour, and a report that never comes costs an attempt.
The job's stage gains nothing by it, for whatever began an attempt has used it up."""
REPORT_SECONDS: Final = 6 * 3600
"""What there is after the run's own time to report."""


def request_work_run(
    work: Work, place: WorkSite, site: Site, uid: str, at: datetime
) -> RunRequested:
    """Return the event that makes the run of the queued work's next attempt."""
    lease = _lease(work, place, site, uid, at)
    return RunRequested(
        run_id=lease.run_id,
        at=at,
        uid=uid,
        kind=KIND,
        group=place.group or site.works_group,
        plan=_plan(work, lease, place, site),
    )


def _lease(work: Work, place: WorkSite, site: Site, uid: str, at: datetime) -> Lease:
    attempt = work.attempt + 1
    run_id = lease_name(work.id or "", attempt)
    home = f"s3://{site.scratch_bucket}/runs/{run_id}/{uid}/"
    return Lease(
        run_id=run_id,
        work_id=work.id or "",
        attempt=attempt,
        start=mark_of(at),
        seconds=_seconds(work, place) + REPORT_SECONDS,
        home=home,
        files=f"{place.files}{run_id}/" if place.files else f"{home}files/",
        is_requeued=place.requeues,
    )


def _plan(work: Work, lease: Lease, place: WorkSite, site: Site) -> Plan:
    request = {"work": lease.work_id, "attempt": lease.attempt}
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    take = StagePlan(name="take", action=WorkCall(step="take", lease=lease))
    define = StagePlan(
        name="define-jobs",
        action=DefineJobs(definitions={"work": _definition(place, site)}),
    )
    run = StagePlan(
        name="work",
        action=_job(lease, place, site),
        timeout_seconds=work.timeout + ENDING_SECONDS,
    )
    report = StagePlan(name="report", action=WorkCall(step="report", lease=lease), is_closing=True)
    return Plan(
        stages=sequence(take, define, run, report).all(),
        request={**request, "pipeline": work.pipeline, "site": work.site, "user": work.user},
        request_digest=digest,
        retry_policy=RetryPolicy.STAGE,
        max_attempts=CALL_ATTEMPTS,
        timeout_seconds=_seconds(work, place),
        queue_wait_timeout_seconds=place.queue_wait_seconds,
        clean_up=CleanUpPolicy.ALWAYS,
        outputs_from="work",
        results_prefix=f"{lease.home}outcomes/",
        job_name_prefix=site.prefix,
        submit_grace_seconds=site.submit_grace_seconds,
        check_seconds=site.check_seconds,
    )


def _seconds(work: Work, place: WorkSite) -> int:
    """How long the run may last: twice the wait, for a host may be lost before the work began."""
    return 2 * place.queue_wait_seconds + work.timeout + 2 * ENDING_SECONDS


def _job(lease: Lease, place: WorkSite, site: Site) -> JobAction:
    return JobAction(
        definition="work",
        queue=place.queue,
        command=(WORKER, "work"),
        environment={
            **place.environment,
            **site.worker_environment,
            "FALSEWORK_REQUEST_URI": lease.order_uri,
        },
        resource_requirements=place.resources.requirements(),
        is_worker=True,
        tags={**site.default_tags, "falsework:work": lease.work_id},
    )


def _definition(place: WorkSite, site: Site) -> JobDefinition:
    told = json.dumps([place.image, place.job_role_arn], sort_keys=True)
    return JobDefinition(
        name=f"{site.prefix}-work-{hashlib.sha256(told.encode()).hexdigest()[:12]}",
        image=place.image,
        command=(WORKER, "--help"),
        job_role_arn=place.job_role_arn,
        resource_requirements=place.resources.requirements(),
    )
