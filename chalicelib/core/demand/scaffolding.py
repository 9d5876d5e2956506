"""Scaffolding: everything that has to be around an execution, worked out from its request.

::

    request ──> volumes ──> places ──> parameters, placed ──> environment, command
                                              │                       │
                                              └──> transfers          └──> batch-create request

``prepare`` is pure: the inventory of file systems and what is mounted here are given to it, and
the environment file comes back as text for somebody else to write. Its answer is, with the site's
switches turned back, byte for byte the original's (section 6 of the demand wire format).

Of several faults the first in this order is told: document, privilege, file systems, places of
the inputs and names of variables, command, missing platform, length of names, remote sides and
places of the outputs, and last whether Batch has room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from chalicelib.core.demand.batch_args import forbidden_privilege
from chalicelib.core.demand.batch_create import (
    batch_create_request,
    check_job,
    requirement_pairs,
)
from chalicelib.core.demand.environment import site_variables, variables
from chalicelib.core.demand.environment_file import (
    EnvFileWriteMode,
    EnvironmentFile,
    SplitEnvironment,
    is_file_wanted,
    is_mounted_here,
    split_environment,
)
from chalicelib.core.demand.execution import DemandExecution
from chalicelib.core.demand.overrides import check_room, has_room
from chalicelib.core.demand.placement import PARAMETERS_FIELD, Places, place_parameters, places
from chalicelib.core.demand.scaffolding_wire import (
    CleanupConfigs,
    ContextManagerConfiguration,
    PrepareDemandScaffoldingRequest,
    PrepareDemandScaffoldingResponse,
    SetupConfigs,
)
from chalicelib.core.demand.sync_requests import input_requests, output_requests, removal_requests
from chalicelib.core.demand.volumes import Volume, resolve_volumes
from chalicelib.core.noun import Noun
from chalicelib.core.site import FileSystems, Mount, Site

__all__ = [
    "PrepareDemandScaffoldingRequest",
    "PrepareDemandScaffoldingResponse",
    "Scaffolding",
    "prepare",
]


class Scaffolding(Noun):
    """What has to be around one execution."""

    response: PrepareDemandScaffoldingResponse
    """What the wire's clients are answered."""
    environment_file: EnvironmentFile | None
    """To be written before the execution starts; None when Batch carries everything."""
    working_directory: str
    """As the container sees it."""
    working_directory_efs: str
    """The same place as ``fs-…:/…``: the root of all that may be removed for this run."""
    volumes: tuple[Volume, ...]
    """In the order scratch, shared, tmp (if there is one)."""


def prepare(
    request: PrepareDemandScaffoldingRequest,
    site: Site,
    efs: FileSystems,
    *,
    mounts: tuple[Mount, ...] = (),
    privileged: bool | None = None,
) -> Scaffolding:
    """Work out the scaffolding of a demand; the same arguments always give the same answer.

    ``efs`` is the inventory that names are looked up in. ``mounts`` is what this host has mounted
    and matters only where the site does not stage environment files. ``privileged`` None means
    what the site allows. Raises InvalidRequest, or Forbidden for privilege the site has not.
    """
    is_privileged = _is_privileged(site, privileged)
    asked = request.demand_execution
    volumes = resolve_volumes(request.file_system_configurations, asked.execution_id, site, efs)
    where = places(volumes, asked.execution_id)
    root = where.efs_form(where.working_directory)
    is_reachable = site.stage_environment_file or is_mounted_here(root, mounts, efs)
    draft = _draft(request, where, site)
    cleanup = _cleanup(draft)
    setup = _setup(draft, is_privileged=is_privileged, is_reachable=is_reachable)
    return Scaffolding(
        response=PrepareDemandScaffoldingResponse(
            demand_execution=draft.demand, setup_configs=setup.configs, cleanup_configs=cleanup
        ),
        environment_file=setup.file,
        working_directory=where.working_directory,
        working_directory_efs=root,
        volumes=volumes,
    )


class _Draft(NamedTuple):
    """A demand whose files are in their places and whose job is known to be possible."""

    demand: DemandExecution
    context: ContextManagerConfiguration
    where: Places
    site: Site
    variables: dict[str, str]


class _Setup(NamedTuple):
    configs: SetupConfigs
    file: EnvironmentFile | None


def _draft(request: PrepareDemandScaffoldingRequest, where: Places, site: Site) -> _Draft:
    context = request.context_manager_configuration
    demand = _with_default_tags(request.demand_execution, site.default_tags)
    parameters = place_parameters(
        demand.execution_parameters, where, is_isolated=context.isolate_inputs
    )
    found = variables(parameters.job_params, demand.execution_id, where)
    demand = demand.model_copy(update={"execution_parameters": parameters})
    check_job(demand, where, site)
    return _Draft(demand, context, where, site, found)


def _setup(draft: _Draft, *, is_privileged: bool, is_reachable: bool) -> _Setup:
    demand, context, where, site, _ = draft
    transfers = input_requests(
        demand.execution_parameters, where, context.input_data_sync_configuration
    )
    split = _environment(draft, is_reachable=is_reachable)
    job = batch_create_request(demand, where, site, split, is_privileged=is_privileged)
    configs = SetupConfigs(data_sync_requests=transfers, batch_create_request=job)
    return _Setup(configs, split.file)


def _is_privileged(site: Site, wanted: bool | None) -> bool:
    if wanted and not site.allow_privileged:
        raise forbidden_privilege("options.privileged")
    return site.allow_privileged if wanted is None else wanted


def _with_default_tags(demand: DemandExecution, defaults: Mapping[str, str]) -> DemandExecution:
    if not defaults:
        return demand
    metadata = demand.execution_metadata
    tagged = metadata.model_copy(update={"tags": {**defaults, **(metadata.tags or {})}})
    return demand.model_copy(update={"execution_metadata": tagged})


def _cleanup(draft: _Draft) -> CleanupConfigs:
    demand, context, where, site, _ = draft
    outputs = output_requests(
        demand.execution_parameters,
        where,
        context.output_data_sync_configuration,
        is_mirror=site.mirror_outputs,
    )
    removals = removal_requests(
        demand.execution_parameters,
        where,
        has_inputs=context.cleanup_inputs,
        has_working_dir=context.cleanup_working_dir,
    )
    return CleanupConfigs(data_sync_requests=outputs, remove_data_paths_requests=removals)


def _environment(draft: _Draft, *, is_reachable: bool) -> SplitEnvironment:
    demand, context, where, site, found = draft
    mode = context.env_file_write_mode
    requirements = requirement_pairs(demand)
    is_room = has_room(found | site_variables(site), requirements)
    split = split_environment(
        found,
        demand.execution_parameters.command,
        where,
        site,
        has_file=is_reachable and is_file_wanted(mode, found, is_room_without=is_room),
    )
    check_room(
        split.environment,
        requirements,
        field=f"{PARAMETERS_FIELD}.params",
        mend=_how_to_make_room(mode, is_reachable=is_reachable),
    )
    return split


def _how_to_make_room(mode: EnvFileWriteMode, *, is_reachable: bool) -> str:
    if mode is EnvFileWriteMode.NEVER:
        return "set context_manager_configuration.env_file_write_mode to ALWAYS"
    if not is_reachable:
        return "shorten the parameters; this site has no place to write an environment file"
    return "name fewer or shorter parameters in the command; those stay out of the file"
