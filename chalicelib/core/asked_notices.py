"""From what a request and the site want told to what the run's plan says. Pure.

Three may want it: ``options.notify``, a demand's ``notify_on`` and ``notify_list``, and the site
for every run. A demand's list is older than we are and its clients put it everywhere: where this
site sends no mail it is left alone, as are addresses that mail may not go to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.demand.execution import ExecutionMetadata, ExecutionStatus
from chalicelib.core.documents import at_field
from chalicelib.core.notifications import MOST_ADDRESSES, Notifications, RunNotices, is_address
from chalicelib.core.plans.announcements import ENDS, Announcement, StateName, Target

STATES: Final[dict[ExecutionStatus, StateName]] = {
    ExecutionStatus.SUBMITTED: "PENDING",
    ExecutionStatus.IN_PROGRESS: "RUNNING",
    ExecutionStatus.COMPLETED: "SUCCESS",
    ExecutionStatus.FAILED: "ERROR",
    ExecutionStatus.ABORTED: "CANCELED",
}
"""What ``notify_on`` calls our states. Nothing of ours awaits a trigger."""


def announcements(
    request: Mapping[str, JsonValue], site: Notifications, *, group: str, is_child: bool
) -> tuple[Announcement, ...]:
    """Return what a run of that request and group, as its plan keeps it, announces.

    Raises InvalidRequest where ``options.notify`` names what the site does not have.
    """
    return (
        *_of_options(request, site, group),
        *_of_demand(request, site),
        *(() if is_child and not site.every_run.has_children else _of_site(site, group)),
    )


def _of_options(
    request: Mapping[str, JsonValue], site: Notifications, group: str
) -> Iterator[Announcement]:
    options = request.get("options")
    asked = options.get("notify") if isinstance(options, dict) else None
    if asked is None:
        return
    notify = RunNotices.model_validate(asked)
    with at_field("options"):
        notify.check_targets(site, group)
    yield Announcement(
        states=notify.on,
        stages=notify.stages,
        stages_on=notify.stages_on,
        targets=(
            *(Target(kind="topic", name=name) for name in notify.topics),
            *(Target(kind="webhook", name=name) for name in notify.webhooks),
            *(Target(kind="mail", name=address) for address in notify.mail),
        ),
    )


def _of_demand(request: Mapping[str, JsonValue], site: Notifications) -> Iterator[Announcement]:
    told = _metadata(request)
    if told is None or not told.notify_list or site.mail_from is None:
        return
    addresses = [each for each in told.notify_list if is_address(each) and site.may_mail(each)]
    states = ENDS
    if told.notify_on is not None:
        states = tuple(state for status, state in STATES.items() if told.notify_on.get(status))
    if addresses and states:
        targets = (Target(kind="mail", name=each) for each in addresses[:MOST_ADDRESSES])
        yield Announcement(states=states, targets=tuple(targets))


def _metadata(request: Mapping[str, JsonValue]) -> ExecutionMetadata | None:
    inner = request.get("request")
    demand = inner.get("demand_execution") if isinstance(inner, dict) else None
    metadata = demand.get("execution_metadata") if isinstance(demand, dict) else None
    return ExecutionMetadata.model_validate(metadata) if isinstance(metadata, dict) else None


def _of_site(site: Notifications, group: str) -> Iterator[Announcement]:
    every = site.every_run
    events = (Target(kind="events", name=site.event_bus),) if site.event_bus else ()
    targets = (
        *events,
        *(Target(kind="topic", name=name) for name in site.open_to(group, every.topics)),
        *(Target(kind="webhook", name=name) for name in site.open_to(group, every.webhooks)),
    )
    if targets:
        yield Announcement(
            states=every.on, stages=every.stages, stages_on=every.stages_on, targets=targets
        )
