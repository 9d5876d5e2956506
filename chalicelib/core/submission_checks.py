"""What a submission must not ask for, besides what its wire format forbids. Pure, and told early:
what is refused here would otherwise fail after the user's job has run for hours.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.core.demand.scaffolding import Scaffolding
from chalicelib.core.errors import Forbidden, InvalidRequest
from chalicelib.core.plans.demand_orders import named_inputs, named_outputs
from chalicelib.core.site import Site
from chalicelib.core.submission import Submission


def check_submission(submission: Submission, prepared: Scaffolding, site: Site) -> None:
    """Raise InvalidRequest, or Forbidden, naming the field that asks for it."""
    _check_objects(submission, prepared)
    _check_destinations(prepared)
    _check_secrets(submission, site)


def _check_objects(submission: Submission, prepared: Scaffolding) -> None:
    """A key may hold ``..`` in S3, but it would become a path on the way through a folder."""
    for field, path in _object_paths(submission, prepared):
        if {".", ".."} & set(path.split("/")):
            raise InvalidRequest(
                f"{path!r} has a segment '.' or '..'",
                field=field,
                value=path,
                mend="write the object's key without them",
            )


def _object_paths(submission: Submission, prepared: Scaffolding) -> Iterator[tuple[str, str]]:
    """Every place in S3 that the request names: (field, path)."""
    parameters = "demand_execution.execution_parameters"
    for name, request in named_inputs(prepared):
        yield f"{parameters}.params.{name}", request.source_path
    prefix = submission.request.demand_execution.execution_parameters.output_s3_prefix
    yield f"{parameters}.output_s3_prefix", prefix or ""
    for name, request in named_outputs(prepared):
        yield f"{parameters}.params.{name}", request.destination_path
    context = submission.request.context_manager_configuration
    for way in ("input", "output"):
        field = f"{way}_data_sync_configuration"
        path = getattr(context, field).temporary_request_payload_path
        yield f"context_manager_configuration.{field}.temporary_request_payload_path", path or ""


def _check_destinations(prepared: Scaffolding) -> None:
    """Two outputs at one place would overwrite each other's objects and manifests."""
    owners: dict[str, str] = {}
    for name, request in named_outputs(prepared):
        owner = owners.setdefault(request.destination_path.rstrip("/"), name)
        if owner != name:
            raise InvalidRequest(
                f"the outputs {owner!r} and {name!r} have the same destination",
                field=f"demand_execution.execution_parameters.params.{name}",
                value=request.destination_path,
                mend="give each output a destination of its own",
            )


def _check_secrets(submission: Submission, site: Site) -> None:
    for name, arn in submission.options.secrets.items():
        if not arn.startswith(site.allowed_secrets or ("\0",)):
            raise Forbidden(
                f"the site does not allow the secret of {name}",
                field=f"options.secrets.{name}",
                value=arn,
                mend="name an ARN below one of the site's allowed_secrets",
            )
