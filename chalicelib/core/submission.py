"""A submission: a demand, bare or with its scaffolding request, and what the submitter wants done.

``options`` is a top-level key of either body. Unknown keys of a demand are ignored, as its wire
format has it; an unknown key of ``options`` is an error, for it is ours and would be obeyed.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from pydantic import Field, JsonValue

from chalicelib.core.demand.scaffolding import PrepareDemandScaffoldingRequest
from chalicelib.core.documents import at_field, parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.plans.plan import CleanUpPolicy


class Options(Noun):
    """What a submitter may ask of us, besides the demand itself."""

    group: str = Field(default="default", pattern=r"^[A-Za-z0-9._-]{1,128}$")
    cleanup: CleanUpPolicy | None = None
    """Wins over ``cleanup_inputs`` and ``cleanup_working_dir`` when given."""
    privileged: bool | None = None
    """False: not even where the site allows it. True: an error where it does not."""
    secrets: dict[str, str] = {}
    """Environment name → ARN of the secret; the value never passes through us."""


class Submission(NamedTuple):
    """A demand that was parsed, and its options."""

    request: PrepareDemandScaffoldingRequest
    options: Options

    @property
    def run_id(self) -> str:
        """A demand's run has the execution id as its id."""
        return self.request.demand_execution.execution_id

    def document(self) -> dict[str, JsonValue]:
        """Return the parsed submission as JSON: what is digested, and kept in the plan."""
        return {
            "request": self.request.to_wire(),
            "options": self.options.model_dump(mode="json", exclude_none=True),
        }

    def digest(self) -> str:
        """Return the sha256 of the document: same content, same digest, in any spelling."""
        text = json.dumps(self.document(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def parse_submission(document: object) -> Submission:
    """Return the submission. Raises InvalidRequest, naming the first field that does not fit."""
    if not isinstance(document, dict):
        raise InvalidRequest(
            "the body must be a JSON object",
            field="",
            value=document,
            mend="send a DemandExecution, or a PrepareDemandScaffoldingRequest",
        )
    body: dict[str, Any] = {key: value for key, value in document.items() if key != "options"}
    with at_field("options"):
        options = parse_document(Options, document.get("options", {}))
    if "demand_execution" not in body and "demandExecution" not in body:
        body = {"demand_execution": body}
    return Submission(parse_document(PrepareDemandScaffoldingRequest, body), options)
