"""The jobs that our own worker does, whatever the plan: their definition, and what they are told.

A worker is told by its environment where its order lies, and by one word of its command what to do
with it. Jobs with the same volumes share one definition, named after them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from chalicelib.core.plans.plan import JobAction, JobDefinition
from chalicelib.core.site import Site

WORKER: Final = "falsework-worker"

Rows = tuple[dict[str, Any], ...]
"""A list in Batch's own form."""


def worker_definition(
    site: Site, volumes: Rows, mount_points: Rows, resource_requirements: Rows
) -> JobDefinition:
    """Return the definition for these volumes, every one of them writable."""
    digest = hashlib.sha256(json.dumps(volumes, sort_keys=True).encode()).hexdigest()
    return JobDefinition(
        name=f"{site.prefix}-worker-{digest[:12]}",
        image=site.worker_image,
        command=(WORKER, "--help"),
        mount_points=tuple({**mount, "readOnly": False} for mount in mount_points),
        volumes=volumes,
        job_role_arn=site.worker_role_arn,
        resource_requirements=resource_requirements,
    )


def worker_job(site: Site, verb: str, *arguments: str, queue: str, order_uri: str) -> JobAction:
    """Return the job of one verb. Its resources, tags and second queue are its plan's affair."""
    return JobAction(
        definition="worker",
        queue=queue,
        command=(WORKER, verb, *arguments),
        environment={**site.worker_environment, "FALSEWORK_REQUEST_URI": order_uri},
        is_worker=True,
    )


def divisible(job: JobAction, resource_requirements: Rows = ()) -> JobAction:
    """Return the job with what does its batches, by the verb beside its own, if it is too much.

    Without resources of their own the batches have the job's.
    """
    batch: dict[str, Any] = {"command": (WORKER, f"{(job.command or (WORKER, ''))[1]}-batch")}
    if resource_requirements:
        batch["resource_requirements"] = resource_requirements
    return job.model_copy(update={"fan_out": job.model_copy(update=batch)})
