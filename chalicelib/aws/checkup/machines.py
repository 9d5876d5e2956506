"""Whether jobs can start: the worker's image is in its registry, and the queue takes jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chalicelib.aws.checkup.deployment import Deployment, or_none
from chalicelib.core.findings import Finding, fault, fine, judged, unknown

_ECR: Final = re.compile(r"(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([^:@]+)(.*)")


def check_image(deployment: Deployment) -> Iterator[Finding]:
    """Look for the image that workers run."""
    image = deployment.told().get("FALSEWORK_WORKER_IMAGE", "")
    found = _ECR.fullmatch(image)
    make = f"make image {deployment.deploy.rpartition(' ')[2]}"
    if not image:
        yield fault("worker image", "the functions are told none", deployment.deploy)
        return
    if found is None:
        mend = "pull it from where the machines are"
        yield unknown("worker image", f"{image} is in no ECR, where it could be looked for", mend)
        return
    account, repository, tag = found.groups()
    named = {"imageDigest": tag[1:]} if tag.startswith("@") else {"imageTag": tag[1:] or "latest"}
    asked = {"registryId": account, "repositoryName": repository, "imageIds": [named]}
    there = or_none(lambda: deployment.clients.get("ecr").describe_images(**asked))
    yield judged(
        "worker image",
        there is not None,
        f"{image} is there",
        f"{image} is not there: no job of ours can start",
        make,
    )


def check_job_queue(deployment: Deployment) -> Iterator[Finding]:
    """Look at the queue of the worker's jobs, and at the machines behind it."""
    batch = deployment.clients.get("batch")
    queue = deployment.told().get("FALSEWORK_DEFAULT_JOB_QUEUE", "")
    found = batch.describe_job_queues(jobQueues=[queue])["jobQueues"] if queue else []
    about = f"job queue {queue.rpartition('/')[2] or '?'}"
    if not found:
        yield fault(about, "it is not there", deployment.deploy)
        return
    state, status = found[0]["state"], found[0].get("status", "VALID")
    yield judged(
        about,
        (state, status) == ("ENABLED", "VALID"),
        "it takes jobs",
        f"it is {state} and {status}: nobody can submit",
        f"aws batch update-job-queue --state ENABLED --job-queue {queue}",
    )
    names = [each["computeEnvironment"] for each in found[0]["computeEnvironmentOrder"]]
    told = batch.describe_compute_environments(computeEnvironments=names)["computeEnvironments"]
    for each in told:
        is_fine = (each.get("state", "ENABLED"), each.get("status", "VALID")) == (
            "ENABLED",
            "VALID",
        )
        name = each["computeEnvironmentName"]
        if is_fine:
            yield fine(f"machines {name}", "they can be started")
        else:
            why = each.get("statusReason", "") or f"{each.get('state')}, {each.get('status')}"
            mend = "mend what it names, then enable it in the console of Batch"
            yield fault(f"machines {name}", f"none can be started: {why}", mend)
