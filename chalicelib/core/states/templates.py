"""Parameter trees: JSON in which some texts are references (section 2).

::

    {"a": "$.x", "b": 1}  ──parameters──▶  {"a.$": "$.x", "b": 1}  ──resolved──▶  {"a": 5, "b": 1}
       as it is written                       as States has it

A list holds references as well, which States itself does not allow: a list of such texts becomes
``States.Array``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states.intrinsics import Scope, evaluate
from chalicelib.core.states.paths import ROOT, is_reference

SUFFIX: Final = ".$"
_RESERVED: Final = re.compile(r"[\\'{}]")
"""What needs a backslash in a text of an intrinsic function (its page of the developer guide)."""
Refers = Callable[[object], bool]
"""Tells which texts are references."""


def parameters(tree: JsonValue, refers: Refers = is_reference) -> JsonValue:
    """Return the tree with every reference under a key that says so; applied twice: the same."""
    if isinstance(tree, list):
        return [parameters(each, refers) for each in tree]
    if not isinstance(tree, Mapping):
        return tree
    found: dict[str, JsonValue] = {}
    for name, value in tree.items():
        if name.endswith(SUFFIX):
            found[name] = value
        elif refers(value):
            found[f"{name}{SUFFIX}"] = value
        elif isinstance(value, list) and _lists_references(value, refers):
            found[f"{name}{SUFFIX}"] = _array(name, value, refers)
        else:
            found[name] = parameters(value, refers)
    return found


def escaped(text: str) -> str:
    """Return the text as it stands between the quotes of an argument."""
    return _RESERVED.sub(r"\\\g<0>", text)


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
    if not isinstance(tree, str) or not refers(tree):
        return tree
    value = evaluate(tree, scope)
    return scope.take(value) if tree.startswith(ROOT) else value


def _members(tree: Mapping[str, JsonValue], scope: Scope, refers: Refers) -> JsonValue:
    check_keys(tree, refers)
    found: dict[str, JsonValue] = {}
    for key, value in tree.items():
        name = key.removesuffix(SUFFIX)
        with at_field(name):
            found[name] = resolved(value, scope, refers)
    return found


def check_keys(tree: Mapping[str, JsonValue], refers: Refers = is_reference) -> None:
    """Raise InvalidRequest for a key that says of no reference that it is one, or of two values
    for one name; what lies deeper is not looked at."""
    for key, value in tree.items():
        name = key.removesuffix(SUFFIX)
        if name == key:
            continue
        with at_field(name):
            if name in tree:
                raise InvalidRequest(
                    f"{name!r} is given twice, once as {key}",
                    value=shortened(value),
                    mend="give one of them",
                )
            if not refers(value):
                raise InvalidRequest(
                    f"{key!r} needs a reference",
                    value=shortened(value),
                    mend="give a path ($.x) or a function (States.…), or take .$ from the key",
                )


def _lists_references(values: list[JsonValue], refers: Refers) -> bool:
    return any(
        refers(each) or (isinstance(each, list) and _lists_references(each, refers))
        for each in values
    )


def _array(name: str, values: list[JsonValue], refers: Refers) -> str:
    return f"States.Array({', '.join(_argument(name, each, refers) for each in values)})"


def _argument(name: str, value: JsonValue, refers: Refers) -> str:
    match value:
        case str() if refers(value):
            return value
        case str():
            return f"'{escaped(value)}'"
        case list():
            return _array(name, value, refers)
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
