"""What a submission must not ask for, besides what its wire format forbids. Pure, and told early:
what is refused here would otherwise fail after the user's job has run for hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.core.batch_rules import is_batch_name
from chalicelib.core.demand.scaffolding import PrepareDemandScaffoldingRequest, Scaffolding
from chalicelib.core.errors import Forbidden, InvalidRequest, TooLarge
from chalicelib.core.limits import BATCH_JOB_DEFINITION_BYTES
from chalicelib.core.own_bucket import check_not_own
from chalicelib.core.plans.demand_orders import named_inputs, named_outputs
from chalicelib.core.site import Site
from chalicelib.core.submission import Submission
from chalicelib.core.worker_documents import LEFTOVERS

PARAMETERS: Final = "demand_execution.execution_parameters"
DEFINITION_RESERVE_BYTES: Final = 8 * 1024
"""What a definition holds besides the command: image, volumes, mount points, tags, secrets."""


def check_submission(submission: Submission, prepared: Scaffolding, site: Site) -> None:
    """Raise InvalidRequest, or Forbidden, naming the field that asks for it."""
    _check_objects(submission, prepared, site)
    _check_inputs(prepared)
    _check_leftovers(prepared)
    _check_destinations(prepared)
    _check_definition(prepared)
    _check_mounts(prepared, site)
    _check_secrets(submission, site)


def _check_objects(submission: Submission, prepared: Scaffolding, site: Site) -> None:
    """A key may hold ``..`` in S3, but it would become a path on the way through a folder."""
    for field, path in object_paths(submission, prepared):
        if {".", ".."} & set(path.split("/")):
            raise InvalidRequest(
                f"{path!r} has a segment '.' or '..'",
                field=field,
                value=path,
                mend="write the object's key without them",
            )
        check_not_own(field, path, site)


def object_paths(submission: Submission, prepared: Scaffolding) -> Iterator[tuple[str, str]]:
    """Every place in S3 that the request names: (field, path)."""
    for name, request in named_inputs(prepared):
        yield f"{PARAMETERS}.params.{name}", request.source_path
    yield from named_places(submission.request)
    for name, request in named_outputs(prepared):
        yield f"{PARAMETERS}.params.{name}", request.destination_path


def named_places(request: PrepareDemandScaffoldingRequest) -> Iterator[tuple[str, str]]:
    """Of these the ones that stand in the request itself, and not in its parameters."""
    prefix = request.demand_execution.execution_parameters.output_s3_prefix
    yield f"{PARAMETERS}.output_s3_prefix", prefix or ""
    context = request.context_manager_configuration
    for way in ("input", "output"):
        field = f"{way}_data_sync_configuration"
        path = getattr(context, field).temporary_request_payload_path
        yield f"context_manager_configuration.{field}.temporary_request_payload_path", path or ""


def _check_inputs(prepared: Scaffolding) -> None:
    """An input may lie in the working directory, and not be it: it is locked from beside."""
    for name, request in named_inputs(prepared):
        if request.destination_path == prepared.working_directory_efs:
            raise InvalidRequest(
                f"the input {name!r} would be the working directory itself",
                field=f"{PARAMETERS}.params.{name}",
                value=request.destination_path,
                mend="give it a name below the working directory",
            )


def _check_leftovers(prepared: Scaffolding) -> None:
    """What is kept of other runs must be nobody's working directory, input or output."""
    root = prepared.working_directory_efs.rpartition("/")[2]
    named = [("demand_execution.execution_id", root)]
    for name, request in named_inputs(prepared):
        named.append((f"{PARAMETERS}.params.{name}", request.destination_path))
    for name, request in named_outputs(prepared):
        named.append((f"{PARAMETERS}.params.{name}", request.source_path))
    for field, path in named:
        if LEFTOVERS in path.split("/"):
            raise InvalidRequest(
                f"{LEFTOVERS!r} is Falsework's own, for what failed attempts leave behind",
                field=field,
                value=path,
                mend="choose another name",
            )


def _check_definition(prepared: Scaffolding) -> None:
    """What Batch would never register must not become a run that can only fail."""
    create = prepared.response.setup_configs.batch_create_request
    if not is_batch_name(create.job_definition_name):
        raise InvalidRequest(
            f"no job definition can be called {create.job_definition_name!r}",
            field="demand_execution.execution_type",
            value=prepared.response.demand_execution.execution_type,
            mend="use A-Z a-z 0-9 _ - in the execution type",
        )
    size = len(" ".join(create.command).encode())
    if size > BATCH_JOB_DEFINITION_BYTES - DEFINITION_RESERVE_BYTES:
        raise TooLarge(
            f"the command has {size} bytes; a job definition has {BATCH_JOB_DEFINITION_BYTES}",
            field=f"{PARAMETERS}.command",
            value=size,
            mend="put the script into an input",
        )


def _check_mounts(prepared: Scaffolding, site: Site) -> None:
    """Where jobs run on the host itself, nothing can be shown to them at another path."""
    for volume in prepared.volumes if site.has_fixed_container_paths else ():
        path = site.default_container_paths.get(volume.role)
        if volume.container_path != path:
            raise InvalidRequest(
                f"jobs run on this host itself and cannot be shown {volume.container_path}",
                field=f"file_system_configurations.{volume.role}.container_path",
                value=volume.container_path,
                mend=f"leave it out, or install bubblewrap; here it is {path}",
            )


def _check_destinations(prepared: Scaffolding) -> None:
    """Two outputs at one place would overwrite each other's objects and manifests."""
    owners: dict[str, str] = {}
    for name, request in named_outputs(prepared):
        owner = owners.setdefault(request.destination_path.rstrip("/"), name)
        if owner != name:
            raise InvalidRequest(
                f"the outputs {owner!r} and {name!r} have the same destination",
                field=f"{PARAMETERS}.params.{name}",
                value=request.destination_path,
                mend="give each output a destination of its own",
            )


def _check_secrets(submission: Submission, site: Site) -> None:
    for name, arn in submission.options.secrets.items():
        if not arn.startswith(site.allowed_secrets):
            raise Forbidden(
                f"the site does not allow the secret of {name}",
                field=f"options.secrets.{name}",
                value=arn,
                mend="name an ARN below one of the site's allowed_secrets",
            )
