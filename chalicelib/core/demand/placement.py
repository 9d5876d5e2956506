"""Where the inputs and outputs of an execution lie in its container (section 6.5).

=============  ==========================================================
isolated input ``<working directory>/<local>``
shared input   ``<shared mount>/<sha256 of the remote text>``
output         ``<working directory>/<local>``
absolute local as it is, if it lies below a mount
=============  ==========================================================

A local that leaves the working directory by way of ``..`` is refused: it would reach into, and
later clean up, another execution's files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chalicelib.core.demand.file_systems import Role
from chalicelib.core.demand.job_params import JobParam
from chalicelib.core.demand.names import text_hash
from chalicelib.core.demand.parameters import ExecutionParameters
from chalicelib.core.demand.resolvables import Resolvable
from chalicelib.core.demand.volumes import Volume, efs_form
from chalicelib.core.documents import at_field, parse_document, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.paths import is_inside, normal_path, without_dots

PARAMETERS_FIELD = "demand_execution.execution_parameters"


class Places(Noun):
    """The directories of one execution, as its container sees them."""

    volumes: tuple[Volume, ...]
    working_directory: str
    temporary_directory: str

    def efs_form(self, path: str) -> str:
        """Return ``fs-…:/…`` of a path in the container; raises InvalidRequest."""
        return efs_form(path, self.volumes)


def places(volumes: Sequence[Volume], execution_id: str) -> Places:
    """Lay out the directories of an execution on its volumes.

    Raises InvalidRequest for an execution that would work in, and then remove, the temporary
    directory that all of them share.
    """
    by_role = {volume.role: volume.container_path for volume in volumes}
    scratch = by_role[Role.SCRATCH]
    working = normal_path(f"{scratch}/{execution_id}")
    temporary = by_role.get(Role.TMP) or normal_path(f"{scratch}/{Role.TMP}")
    if is_inside(temporary, working):
        raise InvalidRequest(
            f"the working directory of {execution_id!r} would hold the temporary directory",
            field="demand_execution.execution_id",
            value=execution_id,
            mend="choose another execution id, or configure a tmp volume elsewhere",
        )
    return Places(volumes=tuple(volumes), working_directory=working, temporary_directory=temporary)


def place_parameters(
    parameters: ExecutionParameters, where: Places, *, is_isolated: bool
) -> ExecutionParameters:
    """Return the parameters with the local sides of inputs and outputs where they will lie.

    Inputs must lie below a mount; outputs are checked when their sync requests are made. Raises
    InvalidRequest that names the parameter.
    """
    moved = {name: value.to_wire() for name, value in _moved(parameters, where, is_isolated)}
    params = {**parameters.params, **moved}
    with at_field(PARAMETERS_FIELD):
        return parse_document(ExecutionParameters, {**parameters.to_wire(), "params": params})


def _moved(
    parameters: ExecutionParameters, where: Places, is_isolated: bool
) -> Iterator[tuple[str, Resolvable]]:
    for param in parameters.input_params:
        with at_field(f"{PARAMETERS_FIELD}.params.{param.name}"):
            moved = _placed(param, where) if is_isolated else _shared(param, where)
            where.efs_form(moved.local)
        yield param.name, moved
    for param in parameters.output_params:
        with at_field(f"{PARAMETERS_FIELD}.params.{param.name}"):
            moved = _placed(param, where)
        yield param.name, moved


def _placed(param: JobParam, where: Places) -> Resolvable:
    resolvable = resolvable_of(param)
    root = where.working_directory
    if resolvable.local.startswith("/"):
        return resolvable.model_copy(update={"local": normal_path(resolvable.local)})
    path = normal_path(f"{root}/{resolvable.local}")
    resolved = without_dots(path)
    if resolved is None or not is_inside(resolved, root):
        raise InvalidRequest(
            f"{shortened(resolvable.local)!r} leaves the working directory",
            value=shortened(resolvable.local),
            mend="give a local path that stays below the working directory",
        )
    return resolvable.model_copy(update={"local": path})


def _shared(param: JobParam, where: Places) -> Resolvable:
    resolvable = resolvable_of(param)
    mount = next(volume for volume in where.volumes if volume.role is Role.SHARED)
    path = normal_path(f"{mount.container_path}/{text_hash(resolvable.remote)}")
    return resolvable.model_copy(update={"local": path})


def resolvable_of(param: JobParam) -> Resolvable:
    """Return both sides of a parameter that is an input or an output."""
    if param.resolvable is None:
        raise TypeError(f"{param.name} is neither an input nor an output")
    return param.resolvable
