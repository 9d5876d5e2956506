"""The way in for functions: a handler or an executor as a job, a Lambda function that is called.

A request that names no run gets a run of its own, as with jobs over files.
"""

from __future__ import annotations

from chalicelib.accepting import accept_submission, check_group, check_queues
from chalicelib.core.function_requests import LAMBDA_FUNCTION, parse_function_request
from chalicelib.core.kind_submissions import KindSubmission
from chalicelib.core.plans.functions import invocation, plan_call, plan_job
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run
from chalicelib.core.uses import used_by_invocation
from chalicelib.ports import Ports


def submit_function(
    kind: str, document: object, ports: Ports, *, made_up: str | None = None
) -> Run:
    """Start a run of that kind, and return it; or the run that the same content has become.

    ``made_up`` is as in ``submit_file_job``. Raises InvalidRequest, NotFound for an image that no
    registry knows, Conflict for an id in use by other content, and Unavailable when nothing was
    accepted.
    """
    submission = parse_function_request(kind, document, ports.site)
    return accept_submission(
        submission,
        lambda run_id, uid: _plan(submission, run_id, uid, ports),
        ports,
        made_up=made_up,
    )


def _plan(submission: KindSubmission, run_id: str, uid: str, ports: Ports) -> Plan:
    if submission.kind == LAMBDA_FUNCTION:
        check_group(submission.options.group, (), ports)
        return plan_call(submission, ports.site)
    call = invocation(submission, run_id)
    uses = used_by_invocation(call, ports.facilities.file_systems())
    check_group(submission.options.group, uses, ports)
    plan = plan_job(submission, call, run_id, uid, ports.site)
    check_queues("job_queue", call.queue, call.fallback_queue, ports)
    ports.facilities.resolve_image(call.image)
    return plan
