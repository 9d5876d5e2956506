"""Parameter trees: JSON in which some texts are references (section 2).

::

    {"a": "$.x", "b": 1}  ──parameters──▶  {"a.$": "$.x", "b": 1}  ──resolved──▶  {"a": 5, "b": 1}
       as it is written                       as States has it

A list holds references as well, which States itself does not allow: a list of such texts becomes
``States.Array``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states.intrinsics import Scope, evaluate
from chalicelib.core.states.paths import is_reference

SUFFIX: Final = ".$"
Refers = Callable[[object], bool]
"""Tells which texts are references."""


def parameters(tree: JsonValue) -> JsonValue:
    """Return the tree with every reference under a key that says so; applied twice: the same."""
    if isinstance(tree, list):
        return [parameters(each) for each in tree]
    if not isinstance(tree, Mapping):
        return tree
    found: dict[str, JsonValue] = {}
    for name, value in tree.items():
        if name.endswith(SUFFIX):
            found[name] = value
        elif is_reference(value):
            found[f"{name}{SUFFIX}"] = value
        elif isinstance(value, list) and any(map(is_reference, value)):
            found[f"{name}{SUFFIX}"] = _array(name, value)
        else:
            found[name] = parameters(value)
    return found


def resolved(tree: JsonValue, scope: Scope, refers: Refers = is_reference) -> JsonValue:
    """Return the tree with the values in the place of the references, in either notation.

    Raises InvalidRequest, whose field is the place in the tree.
    """
    if isinstance(tree, Mapping):
        return _members(tree, scope, refers)
    if isinstance(tree, list):
        values = []
        for place, each in enumerate(tree):
            with at_field(str(place)):
                values.append(resolved(each, scope, refers))
        return values
    return evaluate(tree, scope) if isinstance(tree, str) and refers(tree) else tree


def _members(tree: Mapping[str, JsonValue], scope: Scope, refers: Refers) -> JsonValue:
    found: dict[str, JsonValue] = {}
    for key, value in tree.items():
        name = key.removesuffix(SUFFIX)
        with at_field(name):
            if name in found:
                raise InvalidRequest(
                    f"{name!r} is given twice, once as {name}{SUFFIX}",
                    value=shortened(value),
                    mend="give one of them",
                )
            if name != key and not refers(value):
                raise InvalidRequest(
                    f"{key!r} needs a reference",
                    value=shortened(value),
                    mend="give a path ($.x) or a function (States.…), or take .$ from the key",
                )
            found[name] = resolved(value, scope, refers)
    return found


def _array(name: str, values: list[JsonValue]) -> str:
    return f"States.Array({', '.join(_argument(name, each) for each in values)})"


def _argument(name: str, value: JsonValue) -> str:
    match value:
        case str() if is_reference(value):
            return value
        case str():
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{escaped}'"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case _:
            raise InvalidRequest(
                "a list of references holds texts, numbers and constants besides, nothing else",
                field=name,
                value=shortened(value),
                mend="put the objects into a list of their own",
            )
