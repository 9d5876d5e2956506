"""Creating runs as flowserv does: of a group, by its workflow, or of other runs of a workflow.

Either is a demand execution, made from the Site's template. A post-processing run is in a group
of the workflow's own, and the newest one there is the workflow's current one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from chalicelib import intake
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound
from chalicelib.core.flowserv.demands import Asked, demand_of, filling_of, with_runs
from chalicelib.core.flowserv.files import RunFile
from chalicelib.core.flowserv.workflows import (
    ORIGIN,
    Argument,
    Origin,
    own_group,
)
from chalicelib.core.run import Run
from chalicelib.ports import Ports
from chalicelib.run_manager.files import list_files, made_of
from chalicelib.run_manager.workflows import find_workflow, workflow_id_of

_LOOKED_THROUGH: Final = 20
"""A workflow's own group has other runs only where somebody submitted them there by hand."""


def create_run(  # noqa: PLR0913 -- each is one thing that the caller may say
    ports: Ports,
    *,
    workflow: str | None = None,
    group: str | None = None,
    arguments: Sequence[Argument] = (),
    runs: Sequence[str] | None = None,
    made_up: str | None = None,
) -> Run:
    """Create a run of a group, or one of a workflow over other runs; none given are no runs.

    ``made_up`` is what its id is made of; who gives the same again gets the same run.
    Raises InvalidRequest for both, for neither, and for runs of a group; NotFound for a workflow
    that the Site has not; and what a submission raises. That the runs exist is not checked.
    """
    if (workflow is None) == (group is None):
        raise InvalidRequest(
            "a run is of a group, or of a workflow",
            field="group",
            value=group,
            mend="give one of the two",
        )
    run_id = _fresh_id(made_up or ports.mint_uid())
    if workflow is not None:
        return _post_processing(workflow, arguments, tuple(runs or ()), ports, run_id)
    if runs is not None:
        raise InvalidRequest(
            "a group's run is not made from other runs",
            field="runs",
            mend="leave them out, or name the workflow and not the group",
        )
    return _of_group(str(group), arguments, ports, run_id)


def current_run(workflow_id: str, ports: Ports) -> Run | None:
    """Return the workflow's current post-processing run, as far as the caller sees it."""
    find_workflow(workflow_id, ports)
    try:
        page = ports.runs.list(group=own_group(workflow_id), limit=_LOOKED_THROUGH)
    except NotFound:
        return None
    for run in _loaded((record.id for record in page.runs), ports):
        made = made_of(run, ports.site)
        if made and made.is_post_processing:
            return run
    return None


def current_rankings(ports: Ports) -> set[str]:
    """Return the ids of the runs that workflows' current post-processing runs were made from."""
    found: set[str] = set()
    for workflow_id in ports.site.workflows:
        with suppress(NotFound):  # somebody else's
            run = current_run(workflow_id, ports)
            made = None if run is None else made_of(run, ports.site)
            found |= set(() if made is None else made.origin.ranking or ())
    return found


def _of_group(group: str, arguments: Sequence[Argument], ports: Ports, run_id: str) -> Run:
    workflow_id = workflow_id_of(group, ports)
    workflow = find_workflow(workflow_id, ports)
    asked = Asked(run_id, workflow_id, group)
    filling = filling_of(workflow.parameters, arguments)
    origin = Origin(workflow=workflow_id, arguments=tuple(arguments))
    return _submit(demand_of(workflow.template, asked, filling), origin, ports)


def _post_processing(
    workflow_id: str,
    arguments: Sequence[Argument],
    runs: tuple[str, ...],
    ports: Ports,
    run_id: str,
) -> Run:
    spec = find_workflow(workflow_id, ports).post_processing
    origin = Origin(workflow=workflow_id, arguments=tuple(arguments), ranking=runs)
    if spec is None:
        raise InvalidRequest(
            f"the workflow {workflow_id!r} has no post-processing",
            field="workflow",
            value=workflow_id,
            mend="give it a post_processing in the site",
        )
    asked = Asked(run_id, workflow_id, own_group(workflow_id))
    files = [_files(run_id, spec.inputs, ports) for run_id in runs]
    filling = with_runs(filling_of(spec.parameters, arguments), runs, files)
    return _submit(demand_of(spec.template, asked, filling), origin, ports)


def _submit(document: object, origin: Origin, ports: Ports) -> Run:
    return intake.submit(document, ports, {ORIGIN: origin.model_dump(mode="json")})


def _files(run_id: str, keys: Sequence[str], ports: Ports) -> list[RunFile]:
    """Those of the run's files that are wanted; a run that is not there has none."""
    (*found,) = _loaded([run_id] if keys else (), ports)
    return [file for run in found for file in list_files(run, ports) if file.key in keys]


def _loaded(run_ids: Sequence[str] | Iterator[str], ports: Ports) -> Iterator[Run]:
    for run_id in run_ids:
        try:
            yield ports.runs.load(run_id)
        except (NotFound, Conflict):  # gone, or on its way
            continue


def _fresh_id(made_up: str) -> str:
    """32 hex digits, as flowserv's ids are."""
    return hashlib.sha256(made_up.encode()).hexdigest()[:32]
