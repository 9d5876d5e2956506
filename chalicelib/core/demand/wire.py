"""The base of the wire models: what the neighbours send and expect, not what we would choose.

Every field is read in ``snake_case`` or ``camelCase``, both in one document if need be; unknown
keys are dropped; numbers become strings nowhere, while ``"4"`` and ``2.0`` are integers. Out goes
``snake_case`` without the fields that are None (section 1 of the demand wire format). Models are
frozen: a change is a new model, parsed anew, so that its rules hold for it too.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.alias_generators import to_camel

from chalicelib.core.documents import parse_document


class Wire(BaseModel):
    """A value of the wire format."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        loc_by_alias=False,
        hide_input_in_errors=True,  # see core/noun.py
        defer_build=True,  # the same
    )

    @model_serializer(mode="wrap")
    def _leave_out_nothings(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Here and not in to_wire, so that what is stored inside a noun of ours can be read again:
        # on the wire null is not everywhere the same as nothing.
        fields: dict[str, Any] = write(self)
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read a JSON document; raises InvalidRequest that names field, value and mend."""
        return parse_document(cls, document)

    def to_wire(self) -> dict[str, JsonValue]:
        """Write the JSON document: snake_case, None left out, empty lists and objects written."""
        document: dict[str, Any] = self.model_dump(mode="json")
        return document
