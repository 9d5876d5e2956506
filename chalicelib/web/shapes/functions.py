"""Bodies that start functions, as they are described: what has a default need not be given."""

from __future__ import annotations

from pydantic import ConfigDict, Field, JsonValue

from chalicelib.core.batch_job_requests import BatchJobRequest
from chalicelib.core.function_requests import (
    BATCH_EXECUTOR,
    BATCH_LAMBDA,
    Amount,
    BatchExecutorRequest,
    BatchLambdaRequest,
    Environment,
    LambdaFunctionRequest,
    Text,
)
from chalicelib.core.kind_submissions import RUN_ID_PATTERN
from chalicelib.core.options import Options
from chalicelib.core.run import RunState
from chalicelib.core.states.failures import StatesFailure
from chalicelib.web.shapes.shape import Shape

_RUN_ID = Field(default=None, pattern=RUN_ID_PATTERN)


class BatchLambda(BatchLambdaRequest):
    """A handler that runs as a job. Texts that begin with ``$.`` are looked up in the payload."""

    model_config = ConfigDict(defer_build=True)

    run_id: str | None = _RUN_ID
    """Under which the run is known and a repeat recognised; one is made up where there is none."""
    options: Options = Options()
    """What is asked of Falsework besides."""
    name: Text = BATCH_LAMBDA
    """The container's AWS_LAMBDA_FUNCTION_NAME, and the definition's first words."""
    job_queue: Text = "default"
    """The site's own where none is given."""
    bucket_name: Text = "falsework"
    """Where request and response go; the site's scratch bucket where none is given."""
    environment: Environment = {}
    """An object, or a list of ``{"Name", "Value"}``."""
    memory: Amount | None = "1024"
    """MiB."""
    vcpus: Amount | None = "1"
    gpu: Amount | None = "0"
    platform_capabilities: tuple[str, ...] = ("EC2",)
    command: tuple[Text, ...] = ()
    """The image's own where none is given."""


class BatchExecutor(BatchExecutorRequest):
    """An executor that runs as a job."""

    model_config = ConfigDict(defer_build=True)

    run_id: str | None = _RUN_ID
    """As of a handler, and so is the rest."""
    options: Options = Options()
    name: Text = BATCH_EXECUTOR
    job_queue: Text = "default"
    bucket_name: Text = "falsework"
    environment: Environment = {}
    memory: Amount | None = "1024"
    vcpus: Amount | None = "1"
    gpu: Amount | None = "0"
    platform_capabilities: tuple[str, ...] = ("EC2",)


class BatchJob(BatchJobRequest):
    """One Batch job: give ``image`` and the like, or ``job_definition``.

    Each field has its spelling in camelCase as well; what is no field is refused.
    """

    model_config = ConfigDict(defer_build=True)

    run_id: str | None = _RUN_ID
    """As of a handler."""
    options: Options = Options()
    job_queue: Text = "default"
    """The site's own where none is given; ``job_queue_arn`` is another name for it."""
    job_definition: Text | None = None
    """One that is there: its ARN, or its name with or without the revision.
    ``job_definition_arn`` is another name for it."""


class LambdaFunction(LambdaFunctionRequest):
    """A Lambda function that is called; it has 24 seconds to answer."""

    model_config = ConfigDict(defer_build=True)

    run_id: str | None = _RUN_ID
    """As of a handler."""
    options: Options = Options()


class RunResult(Shape):
    """What came of a run, as a state machine would have it."""

    id: str
    state: RunState
    output: JsonValue
    """The result of the last stage; null until the run has succeeded."""
    error: StatesFailure | None
    """Of the first step that failed; null unless one did."""
