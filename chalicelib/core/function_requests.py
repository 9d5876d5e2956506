"""Requests for functions: a handler or an executor as a job, or a Lambda function that is called.

A request is the input of the construct (sections 4.1, 4.2, 4.7), with defaults merged under it,
and beside its fields ``run_id``, ``options`` and, for whoever reads the document, ``kind``. Texts
that begin with ``$`` or ``States.`` in ``REFERENCES`` are looked up in the payload.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from chalicelib.core.definition_rights import check_host_volumes
from chalicelib.core.demand.environment import RESERVED_PREFIXES
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.kind_submissions import KindSubmission, check_kind, split_document
from chalicelib.core.site import Site
from chalicelib.core.states.batch_forms import MountPointConfig, camel, environment_of
from chalicelib.core.states.merging import merged
from chalicelib.core.states.objects import KEY_PREFIX
from chalicelib.core.states.paths import ROOT, steps

BATCH_LAMBDA: Final = "batch-lambda"
BATCH_EXECUTOR: Final = "batch-executor"
LAMBDA_FUNCTION: Final = "lambda-function"

REFERENCES: Final = ("image", "handler", "executor", "job_queue", "bucket_name", "environment")


def _amount(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _is_amount(text: str) -> str:
    if not text.isascii() or not text.replace(".", "", 1).isdigit():
        raise InvalidRequest(
            f"{text!r:.100} is no amount",
            value=shortened(text),
            mend="give a number, or its digits as text; 0 asks for nothing",
        )
    return text


def _environment(value: Any) -> Any:
    """A reference is looked up later; names that others set are refused now."""
    return value if isinstance(value, str) else _variables(value)


def _variables(value: Any) -> Any:
    found = environment_of(value)
    for name, text in found.items():
        if not name or name.startswith(RESERVED_PREFIXES) or "=" in name or "\0" in name + text:
            raise InvalidRequest(
                f"{name!r:.100} cannot be a variable of a job",
                field=str(shortened(name)),
                value=shortened(text),
                mend=f"give another name: {', '.join(RESERVED_PREFIXES)}… are ours and Batch's, "
                "and no NUL can stand in a variable",
            )
    return found


def _path(text: str) -> str:
    steps(text)
    return text


def _configs(value: Any) -> Any:
    return () if value is None else value


Text = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]
Amount = Annotated[str, BeforeValidator(_amount), AfterValidator(_is_amount)]
Environment = Annotated[dict[str, str] | str, BeforeValidator(_environment)]
Variables = Annotated[dict[str, str], BeforeValidator(_variables)]
Path = Annotated[str, AfterValidator(_path)]
Configs = Annotated[tuple[MountPointConfig, ...], BeforeValidator(_configs)]
Given = Annotated[tuple[dict[str, JsonValue], ...], BeforeValidator(camel)]


class _JobRequest(Wire):
    """What a handler's and an executor's job have in common."""

    image: Text
    payload: JsonValue
    payload_path: Path = ROOT
    """What of the payload becomes the request."""
    job_queue: Text
    bucket_name: Text
    key_prefix: str = Field(default=KEY_PREFIX, pattern=r"^[A-Za-z0-9!_.*'()/-]{0,200}$")
    environment: Environment
    memory: Amount | None = None
    """MiB."""
    vcpus: Amount | None = None
    gpu: Amount | None = None
    platform_capabilities: tuple[str, ...]
    job_role_arn: str | None = None
    mount_points: Given = ()
    volumes: Given = ()
    mount_point_configs: Configs = ()


class BatchLambdaRequest(_JobRequest):
    """Run ``handler`` of ``image`` as a job."""

    name: Text = BATCH_LAMBDA
    handler: Text
    command: tuple[Text, ...]


class BatchExecutorRequest(_JobRequest):
    """Run ``executor`` of ``image`` as a job."""

    name: Text = BATCH_EXECUTOR
    executor: Text


class LambdaFunctionRequest(Wire):
    """Call a Lambda function by its name or ARN."""

    function_name: str = Field(pattern=r"^[A-Za-z0-9:_.$-]{1,170}$")
    payload: JsonValue = Field(default_factory=dict)
    payload_path: Path = ROOT


class FunctionKind(NamedTuple):
    """A kind of run, and how its request is read."""

    kind: str
    model: type[BatchLambdaRequest | BatchExecutorRequest | LambdaFunctionRequest]
    what: str


KINDS: Final = {
    each.kind: each
    for each in (
        FunctionKind(BATCH_LAMBDA, BatchLambdaRequest, "a handler's job"),
        FunctionKind(BATCH_EXECUTOR, BatchExecutorRequest, "an executor's job"),
        FunctionKind(LAMBDA_FUNCTION, LambdaFunctionRequest, "a function"),
    )
}


def defaults(site: Site) -> dict[str, JsonValue]:
    """Return what is merged under the request of a job."""
    return {
        "job_queue": site.default_job_queue,
        "memory": "1024",
        "vcpus": "1",
        "gpu": "0",
        "environment": {},
        "platform_capabilities": ["EC2"],
        "bucket_name": site.scratch_bucket,
        "job_role_arn": None,
        "command": [],
    }


def parse_function_request(kind: str, document: object, site: Site) -> KindSubmission:
    """Return the submission. Raises InvalidRequest, naming the field that does not fit."""
    body, run_id, options = split_document(document, KINDS[kind].what)
    check_kind(body.pop("kind", kind), kind)
    model = KINDS[kind].model
    if model is LambdaFunctionRequest:
        return KindSubmission(kind, model.parse(body), run_id, options)
    under = {name: value for name, value in defaults(site).items() if name in model.model_fields}
    request = model.parse(merged(under, by_name(body, model)))
    assert isinstance(request, _JobRequest)  # noqa: S101 -- the others are seen above
    _check_platform(request)
    check_mounts(request.mount_points, request.volumes, request.mount_point_configs)
    check_host_volumes(request.volumes, site)
    return KindSubmission(kind, request, run_id, options)


def by_name(body: dict[str, Any], model: type[Wire]) -> dict[str, Any]:
    """Return the body by the fields' names: defaults are merged by them, and the wire has
    another spelling of each."""
    names = {field.alias: name for name, field in model.model_fields.items()}
    return {names.get(key, key): value for key, value in body.items()}


def _check_platform(request: _JobRequest) -> None:
    for place, each in enumerate(request.platform_capabilities):
        if each != "EC2":
            raise InvalidRequest(
                f"jobs run on EC2 here, not on {each!r:.100}",
                field=f"platform_capabilities.{place}",
                value=shortened(each),
                mend='leave it out, or give ["EC2"]',
            )


def check_mounts(
    mount_points: Sequence[dict[str, JsonValue]],
    volumes: Sequence[dict[str, JsonValue]],
    configs: Sequence[MountPointConfig],
) -> None:
    """Raise InvalidRequest for mount points that are described twice, or of no volume."""
    if configs and (mount_points or volumes):
        raise InvalidRequest(
            "mount points are described twice",
            field="mount_point_configs",
            value=len(configs),
            mend="give mount_point_configs, or mount_points and volumes",
        )
    named = {volume.get("name") for volume in volumes}
    for place, point in enumerate(mount_points):
        with at_field(f"mount_points.{place}"):
            if point.get("sourceVolume") not in named:
                raise InvalidRequest(
                    "the mount point is of no volume",
                    field="sourceVolume",
                    value=shortened(point.get("sourceVolume")),
                    mend="name one of the volumes",
                )
