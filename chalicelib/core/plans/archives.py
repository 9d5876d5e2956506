"""The plan of a run that packs the files of another one: one worker's job, no file systems."""

from __future__ import annotations

import hashlib
from typing import Final

from chalicelib.core.options import Options
from chalicelib.core.plans.one_job import (
    ORDERS,
    OneJob,
    home_of,
    plan_one_job,
    worker_action,
    worker_definition,
)
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import RunRecord
from chalicelib.core.site import Site
from chalicelib.core.worker_documents import ArchiveOrder

KIND: Final = "archive"
FIRST_STAGE: Final = ORDERS


def archive_run_id(run: RunRecord) -> str:
    """Return the id of the one run that makes the archive of this run's generation."""
    text = f"{run.uid}-{run.generation}"
    return f"{KIND}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def plan_archive(order: ArchiveOrder, run_id: str, uid: str, site: Site) -> Plan:
    """Return the plan; the order is its request."""
    home, text = home_of(run_id, uid, site), order.model_dump_json()
    return plan_one_job(
        OneJob(
            stage="archive",
            home=home,
            order=text,
            definition=worker_definition(site),
            action=worker_action("archive", home, site.default_job_queue, site),
            request=order.model_dump(mode="json"),
            digest=hashlib.sha256(text.encode()).hexdigest(),
            options=Options(),
        ),
        site,
    )
