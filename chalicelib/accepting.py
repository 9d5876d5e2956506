"""The last step of every way in: a checked request is saved as a run, and so is accepted.

Here, and nowhere before, the group's quota is taken up; a run that begins again takes it up as a
new one does. What could not be performed at once is owed, and the sweep sees to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from chalicelib import engine, quotas
from chalicelib.announcing import with_notices
from chalicelib.children import check_on_its_own
from chalicelib.core.allowances import check_allowed
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound, StaleRun, Unavailable
from chalicelib.core.events import ResumeRequested, RollbackRequested, RunRequested
from chalicelib.core.kind_submissions import KindSubmission
from chalicelib.core.lifecycle import decide
from chalicelib.core.own_ids import check_not_own_id
from chalicelib.core.plans.plan import Plan
from chalicelib.core.principals import ENGINE, check_member
from chalicelib.core.run import Run
from chalicelib.core.uses import Use
from chalicelib.ports import Ports
from chalicelib.still_allowed import check_still_allowed


def accept(event: RunRequested, ports: Ports) -> Run:
    """Save the run and set it going; return it, or the run that the same content has become.

    Raises Conflict for an id in use by other content, Unavailable when nothing was accepted, and
    its subclass TooManyRequests where the group's quota is used up; Forbidden for a group that
    is not the caller's or may not submit; InvalidRequest for an id that is for our own runs.
    """
    event = _checked(event, ports)
    quotas.admit_new(event, ports)
    try:
        return engine.handle(event, ports)
    except (Unavailable, StaleRun):
        return _accepted(event, ports)


def rehearse(event: RunRequested, ports: Ports) -> RunRequested:
    """Return what ``accept`` would save, and raise what it would raise; nothing is saved.

    Only how much of a quota is free at the moment is not looked at: the request is not to blame.
    """
    event = _checked(event, ports)
    quotas.check_new(event, ports)
    with suppress(NotFound):
        _same(ports.runs.load(event.run_id), event)
    return event


def accept_submission(
    submission: KindSubmission,
    planned: Callable[[str, str], Plan],
    ports: Ports,
    *,
    made_up: str | None = None,
) -> Run:
    """Accept a submission of any kind but a demand; ``planned`` makes its plan of (run id, uid).

    ``made_up`` takes the place of what is fresh in the id of a run that has none of its own: who
    repeats a request under one key gets the same id. Raises as ``accept``.
    """
    return accept(_requested(submission, planned, ports, made_up), ports)


def rehearse_submission(
    submission: KindSubmission, planned: Callable[[str, str], Plan], ports: Ports
) -> RunRequested:
    """Return what ``accept_submission`` would save, and raise what it would raise."""
    return rehearse(_requested(submission, planned, ports, None), ports)


def begin_again(event: ResumeRequested | RollbackRequested, ports: Ports) -> Run:
    """Let an ended run enter its next generation; once that is saved the request is accepted.

    Raises Conflict for a run that cannot, Forbidden for one that uses what is not allowed any
    more, and otherwise as ``accept``.
    """
    before = ports.runs.load(event.run_id)
    decide(before, event)  # a run that has not ended yet must not do so before the next line
    if before.is_terminal and event.generation in {None, before.generation}:
        check_on_its_own(before, ports)
        check_still_allowed(before, ports)
        quotas.admit_again(before, ports)
    try:
        return engine.handle(event, ports)
    except (Unavailable, StaleRun):
        run = ports.runs.load(event.run_id)
        if run.generation == before.generation:
            raise
        return run


def check_group(group: str, uses: Iterable[Use], ports: Ports) -> None:
    """Raise Forbidden unless the caller is in the group, and the group may use all of that.

    In this order: what another group may use is nobody's to learn by trying.
    """
    principal, site = ports.caller.principal, ports.site
    check_member(principal, group)
    check_allowed(group, uses, site, principal.groups)


def check_queues(field: str, name: str, fallback: str | None, ports: Ports) -> None:
    """Look for a job's queue, which ``field`` names, and for the one that it may fall back on.

    One that is not there would be found out in the worst moment. Raises InvalidRequest.
    """
    check_queue(field, name, ports)
    if fallback is not None:
        check_queue("options.fallback_job_queue_name", fallback, ports)


def check_queue(field: str, name: str, ports: Ports) -> None:
    """Raise InvalidRequest for a queue that is not there: the job would find it out too late."""
    if not ports.facilities.has_queue(name):
        raise InvalidRequest(
            f"there is no job queue {name!r}",
            field=field,
            value=name,
            mend="name a queue of this site",
        )


def _requested(
    submission: KindSubmission,
    planned: Callable[[str, str], Plan],
    ports: Ports,
    made_up: str | None,
) -> RunRequested:
    uid = ports.mint_uid()
    run_id = submission.run_id or f"{submission.kind}-{made_up or uid}"
    return RunRequested(
        run_id=run_id,
        at=ports.clock(),
        uid=uid,
        kind=submission.kind,
        group=submission.options.group,
        plan=planned(run_id, uid),
    )


def _checked(event: RunRequested, ports: Ports) -> RunRequested:
    """Return the request with whose it is and what it announces, or raise: it is no good."""
    check_not_own_id(event.run_id, event.kind, is_ours=ports.caller == ENGINE)
    if ports.parent is not None:
        plan = event.plan.model_copy(update={"parent": ports.parent, "root": ports.root})
        event = event.model_copy(update={"plan": plan})
    check_member(ports.caller.principal, event.group)
    return with_notices(event, ports.site)


def _accepted(event: RunRequested, ports: Ports) -> Run:
    """Something went wrong: after the first save, or before it? Then nothing was accepted."""
    try:
        run = ports.runs.load(event.run_id)
    except NotFound as exc:
        raise Unavailable("the run could not be saved; nothing was accepted") from exc
    return _same(run, event)


def _same(run: Run, event: RunRequested) -> Run:
    if (run.plan.request_digest, run.kind) != (event.plan.request_digest, event.kind):
        raise Conflict(f"run {run.id} exists already, with another request; choose another id")
    return run
