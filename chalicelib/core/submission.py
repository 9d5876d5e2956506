"""A submission: a demand, bare or with its scaffolding request, and what the submitter wants done.

``options`` is a top-level key of either body. Unknown keys of a demand are ignored, as its wire
format has it; those of ``options`` are not (``core/options.py``).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from pydantic import JsonValue

from chalicelib.core.demand.scaffolding import PrepareDemandScaffoldingRequest
from chalicelib.core.documents import at_field, parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.options import Options


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
