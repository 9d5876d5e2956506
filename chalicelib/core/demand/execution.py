"""DemandExecution: what a user asks for (sections 2 and 5.1 of the demand wire format).

::

    DemandExecution
    ├── execution_type, execution_id, execution_image
    ├── execution_parameters    command, params, inputs, outputs   (parameters.py)
    ├── execution_metadata      user, tags, whom to notify
    ├── execution_platform      aws_batch: queue and role
    └── resource_requirements   gpu, memory, vcpus

``DemandExecution.parse(document)`` raises InvalidRequest, ``to_wire()`` writes the document. Two
hashes name a demand: the loose one what is run (type, image, command), the strict one also on
what. They hash the document, not its meaning: an object and the string that says the same differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from chalicelib.core.demand.names import content_text, text_hash
from chalicelib.core.demand.parameters import ExecutionParameters
from chalicelib.core.demand.tags import fold_tag, render_tag
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest

_EXECUTION_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def _directory_name(text: str) -> str:
    # It becomes a directory that is removed in the end: "" would be the whole mount.
    if _EXECUTION_ID.fullmatch(text) is None or text in {".", ".."}:
        raise InvalidRequest(
            f"{shortened(text)!r} cannot name an execution",
            value=shortened(text),
            mend="use 1 to 128 of A-Z a-z 0-9 . _ - but neither . nor ..",
        )
    return text


ExecutionId = Annotated[str, AfterValidator(_directory_name)]
ExecutionArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:]+:[^:]+$"
    ),
]
Amount = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""Batch's integers have 32 bits."""


class ExecutionStatus(StrEnum):
    """The statuses that ``notify_on`` speaks of."""

    AWAITING_TRIGGER = "AWAITING_TRIGGER"
    SUBMITTED = "SUBMITTED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


class ExecutionMetadata(Wire):
    """Who asked, how it is filed, and whom to tell."""

    user: str | None = None
    arn: ExecutionArn | None = None
    """The Step Functions execution that asked, if one did."""
    tags: dict[str, str] | None = None
    notify_on: dict[ExecutionStatus, bool] | None = None
    notify_list: tuple[str, ...] | None = None
    """E-mail addresses."""

    @model_validator(mode="before")
    @classmethod
    def _fold_tag(cls, document: Any) -> Any:
        return fold_tag(document) if isinstance(document, Mapping) else document

    @property
    def tag(self) -> str | None:
        """The tags in their old form, ``k=v`` joined by commas."""
        return render_tag(self.tags)


class AwsBatchPlatform(Wire):
    """Where on Batch it runs."""

    job_queue_name: str = Field(min_length=1)
    job_role: str | None = None


class ExecutionPlatform(Wire):
    """Where it runs; without ``aws_batch`` a demand can be written down but not prepared."""

    aws_batch: AwsBatchPlatform | None = None


class ResourceRequirements(Wire):
    """What the container needs; 0 and null are the same as nothing said."""

    gpu: Amount | None = None
    memory: Amount | None = None
    """MiB."""
    vcpus: Amount | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_nothings(cls, document: Any) -> Any:
        if not isinstance(document, Mapping):
            return document
        # 0.0 and False equal 0; the string "0" does not, and stays.
        return {key: value for key, value in document.items() if value is not None and value != 0}


class DemandExecution(Wire):
    """A container image, a command, its inputs and outputs."""

    execution_type: str
    """Free text; the first word of Batch names."""
    execution_id: ExecutionId
    execution_image: str
    execution_parameters: ExecutionParameters = ExecutionParameters()
    execution_metadata: ExecutionMetadata = ExecutionMetadata()
    execution_platform: ExecutionPlatform = ExecutionPlatform()
    resource_requirements: ResourceRequirements = ResourceRequirements()

    @property
    def loose_hash_text(self) -> str:
        """The text behind ``loose_hash``."""
        return content_text(self._loose_content())

    @property
    def strict_hash_text(self) -> str:
        """The text behind ``strict_hash``."""
        wire = self.execution_parameters
        content = [self.execution_id, wire.params, wire.inputs, wire.outputs]
        return content_text([*self._loose_content(), *content])

    def loose_hash(self) -> str:
        """Return the SHA-256, in hex, of what is run: type, image and command."""
        return text_hash(self.loose_hash_text)

    def strict_hash(self) -> str:
        """Return the SHA-256, in hex, of what is run on what: also id, params and their roles."""
        return text_hash(self.strict_hash_text)

    def _loose_content(self) -> list[Any]:
        return [self.execution_type, self.execution_image, self.execution_parameters.command]
