"""The models as JSON schemas, each once, with the words that stand beside it in the code.

A field's description is the string below it in the class. pydantic can collect these by itself,
but only when a class is made, and so at every import; here they are read when they are asked for.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

from chalicelib.core.demand.wire import Wire

_PLACE: Final = "#/components/schemas/{model}"


class Parameter(NamedTuple):
    """A part of a query."""

    name: str
    words: str
    schema: dict[str, Any]
    is_required: bool


class Components:
    """Collects types, and returns their schemas when all of them are known."""

    def __init__(self) -> None:
        self._inputs: list[tuple[int, JsonSchemaMode, TypeAdapter[Any]]] = []
        self._waiting: list[dict[str, Any]] = []

    def body(self, of: Any) -> dict[str, Any]:
        """Return the schema of what is sent to us; it is filled in by ``schemas``."""
        return self._add(of, "validation")

    def answer(self, of: Any) -> dict[str, Any]:
        """Return the schema of what we send. Wire models leave out what is null."""
        is_wire = isinstance(of, type) and issubclass(of, Wire)
        return self._add(of, "validation" if is_wire else "serialization")

    def fields(self, model: type[BaseModel]) -> Iterator[Parameter]:
        """Yield the fields of a query's model."""
        words = dict(_field_words(model))
        for name, field in model.model_fields.items():
            schema = self.body(Annotated[field.annotation, field])
            yield Parameter(name, words.get(name, ""), schema, field.is_required())

    def schemas(self) -> dict[str, Any]:
        """Return the components, and fill in what was returned before."""
        found, components = TypeAdapter.json_schemas(
            self._inputs, ref_template=_PLACE, schema_generator=_Schemas
        )
        for (number, _), schema in found.items():
            self._waiting[number].update(schema)
        return dict(sorted(components.get("$defs", {}).items()))

    def _add(self, of: Any, mode: JsonSchemaMode) -> dict[str, Any]:
        self._inputs.append((len(self._inputs), mode, TypeAdapter(of)))
        self._waiting.append({})
        return self._waiting[-1]


class _Schemas(GenerateJsonSchema):
    """Names of wire models are shown in snake_case, though camelCase is taken too."""

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        model, before = schema["cls"], self.by_alias
        self.by_alias = not issubclass(model, Wire)
        try:
            found = super().model_schema(schema)
        finally:
            self.by_alias = before
        for name, words in _field_words(model):
            shown = found.get("properties", {}).get(name)
            if shown is not None:
                shown.setdefault("description", words)
        return found


def _field_words(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield (name as it is shown, what stands below it), that of the class itself first."""
    for each in model.__mro__:
        if each is BaseModel or not issubclass(each, BaseModel):
            continue
        for name, words in _words(each):
            field = model.model_fields[name]
            is_renamed = field.alias is not None and not issubclass(model, Wire)
            yield str(field.alias) if is_renamed else name, words


def _words(model: type) -> Iterator[tuple[str, str]]:
    try:
        source = textwrap.dedent(inspect.getsource(model))
    except OSError:  # there is no source where the code runs
        return
    (found,) = ast.parse(source).body
    body = found.body if isinstance(found, ast.ClassDef) else []
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                yield name, inspect.cleandoc(words)
