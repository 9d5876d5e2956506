"""The way in for jobs over files: a data sync, or what is done to a data path, becomes a run.

A request that names no run gets a run of its own. One that does is the same run again, as with
demand executions. What is to be cleaned up each day comes in here, too, with the day in its name.
"""

from __future__ import annotations

import hashlib
import json
import logging

from chalicelib.accepting import accept_submission, check_group, check_queues
from chalicelib.core.data_sync.path_requests import OutdatedDataPathScannerRequest
from chalicelib.core.errors import Conflict, InvalidRequest
from chalicelib.core.file_requests import CLEAN_UP, parse_file_request
from chalicelib.core.plans.file_jobs import plan_file_job
from chalicelib.core.run import Run
from chalicelib.core.uses import used_by_file_job
from chalicelib.ports import Ports

log = logging.getLogger(__name__)


def submit_file_job(
    kind: str, document: object, ports: Ports, *, made_up: str | None = None
) -> Run:
    """Start a run of that kind, and return it; or the run that the same content has become.

    ``made_up`` is the last part of the id of a run that has none in the request; who gives the
    same again gets the same run. Its uid is fresh all the same: names of jobs are used once.
    Raises InvalidRequest, Conflict for an id in use by other content, and Unavailable when
    nothing was accepted.
    """
    submission = parse_file_request(kind, document, ports.site)
    queue = ports.site.default_job_queue
    uses = used_by_file_job(submission, queue)
    check_group(submission.options.group, uses, ports)
    fallback = submission.options.fallback_job_queue_name
    check_queues("site.default_job_queue", queue, fallback, ports)
    return accept_submission(
        submission,
        lambda run_id, uid: plan_file_job(
            submission, run_id, uid, ports.site, ports.facilities.file_systems(), queue
        ),
        ports,
        made_up=made_up,
    )


def submit_cleanups(ports: Ports) -> dict[str, list[str]]:
    """Start the day's clean-ups of the site; return the runs' ids and what could not be started.

    They are the operator's own: no group's lists and quotas bind them. Who does it twice on one
    day (UTC) starts nothing twice.
    """
    date = f"{ports.clock():%Y-%m-%d}"
    ports = ports._replace(site=ports.site.model_copy(update={"groups": None}))
    runs, problems = [], []
    for request in ports.site.file_system_cleanups:
        document = {**request.to_wire(), "run_id": _name(request, date)}
        try:
            runs.append(submit_file_job(CLEAN_UP, document, ports).id)
        except Conflict:
            runs.append(str(document["run_id"]))  # begun already, before the settings changed
        except InvalidRequest as exc:
            log.error("the clean-up of %s cannot be started: %s", request.path, exc)  # noqa: TRY400
            problems.append(f"{request.path}: {exc}")
    return {"runs": runs, "problems": problems}


def _name(request: OutdatedDataPathScannerRequest, date: str) -> str:
    """The date, and of the request so much that no other has the same name."""
    text = json.dumps(request.to_wire(), sort_keys=True)
    return f"{CLEAN_UP}-{date}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
