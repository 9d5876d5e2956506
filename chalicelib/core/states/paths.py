"""Reference paths: ``$.a.b[0]`` names a place in a JSON document (section 2).

Two things are done with them. As *text* they are normalised and joined, the way parameter trees
are built. As *places* they are read, and values are put at them.

========================  =====================================================
``$``                     the document itself
``$.a.b``, ``$['a']``     members
``$.a[0]``                an element of a list; ``[-1]`` counts from its end
``$.a[?(@.Value != 0)]``  those elements for which all the comparisons hold
========================  =====================================================

A filter finds a list, so that it ends a path; values are put at members only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest

ROOT: Final = "$"
_SIGNS: Final = re.compile(r"[$.]+")
_STEP: Final = re.compile(
    r"""\.(?P<name>[^.\[\]$'"()\s?*]+)
      | \['(?P<quoted>[^']*)'\]
      | \[(?P<index>-?[0-9]{1,9})\]
      | \[\?\((?P<filter>[^()]+)\)\]""",
    re.VERBOSE,
)
_COMPARISON: Final = re.compile(
    r"""\s*@\.(?P<name>\w+)\s*(?P<sign>==|!=)\s*
        (?:'(?P<text>[^']*)'|(?P<plain>-?[0-9]+(?:\.[0-9]+)?|true|false|null))\s*""",
    re.VERBOSE,
)


class Step(NamedTuple):
    """One step of a path; the one of the three that is not None."""

    name: str | None = None
    place: int | None = None
    conditions: tuple[Condition, ...] | None = None


class Condition(NamedTuple):
    """A comparison of a filter: a member with a value."""

    name: str
    value: JsonValue
    is_equal: bool


def normalised(text: str) -> str:
    """Return the bare dotted form: ``$.a..b.`` is ``a.b``, ``$`` is empty."""
    return _SIGNS.sub(".", text).strip(".")


def as_key(text: str) -> str:
    """Return the key under which a parameter holds the reference."""
    return f"{normalised(text)}.$"


def as_reference(text: str) -> str:
    """Return ``$.<path>``, and ``$`` for an empty one."""
    bare = normalised(text)
    return f"{ROOT}.{bare}" if bare else ROOT


def joined(*paths: str) -> str:
    """Return the bare form of one path below another: ``$.a`` and ``$.b`` are ``a.b``."""
    return normalised(".".join(paths))


def is_reference(value: object) -> bool:
    """Tell whether a parameter refers to something; a CDK token ``${Token[…`` does not."""
    if not isinstance(value, str) or value.startswith("${Token"):
        return False
    return value.startswith((ROOT, "States."))


def read(document: JsonValue, path: str) -> JsonValue:
    """Return what is at the path. Raises InvalidRequest where there is nothing."""
    value = document
    for step in steps(path):
        value = _step(value, step, path)
    return value


def is_present(document: JsonValue, path: str) -> bool:
    """Tell whether there is something at the path; null is something."""
    try:
        read(document, path)
    except InvalidRequest:
        steps(path)  # a path that is none is an error all the same
        return False
    return True


def put(document: JsonValue, path: str | None, value: JsonValue) -> JsonValue:
    """Return the document with the value at the path, objects made on the way.

    ``$`` puts it in the place of the document; None (ResultPath null) throws it away.
    """
    if path is None:
        return document
    names = []
    for step in steps(path):
        if step.name is None:
            raise _unfit(path, "values are put at members, not at elements of lists")
        names.append(step.name)
    return _put(document, names, value, path)


def steps(path: str) -> tuple[Step, ...]:
    """Return the steps of a path that begins with ``$``. Raises InvalidRequest."""
    if not path.startswith(ROOT):
        raise _unfit(path, "a reference path begins with $")
    found, position = [], len(ROOT)
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise _unfit(path, f"it cannot be read from character {position + 1} on")
        found.append(_read_step(match, path))
        position = match.end()
    if any(step.conditions is not None for step in found[:-1]):
        raise _unfit(path, "a filter ends a path, for it finds a list")
    return tuple(found)


def _read_step(match: re.Match[str], path: str) -> Step:
    if match["index"] is not None:
        return Step(place=int(match["index"]))
    if match["filter"] is not None:
        parts = match["filter"].split("&&")
        return Step(conditions=tuple(_condition(part, path) for part in parts))
    return Step(name=match["name"] if match["quoted"] is None else match["quoted"])


def _condition(text: str, path: str) -> Condition:
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise _unfit(path, f"the condition {text.strip()!r} is not one that is known here")
    value = json.loads(match["plain"]) if match["text"] is None else match["text"]
    return Condition(match["name"], value, match["sign"] == "==")


def _step(value: JsonValue, step: Step, path: str) -> JsonValue:
    if step.name is not None and isinstance(value, Mapping) and step.name in value:
        return value[step.name]
    if (
        step.place is not None
        and isinstance(value, list)
        and -len(value) <= step.place < len(value)
    ):
        return value[step.place]
    if step.conditions is not None and isinstance(value, list):
        return [each for each in value if all(_holds(each, c) for c in step.conditions)]
    raise InvalidRequest(
        f"there is nothing at {path}",
        field=path,
        value=shortened(value),
        mend="correct the path, or let its object have that member",
    )


def _holds(element: JsonValue, condition: Condition) -> bool:
    """``0`` and ``'0'`` are two values, and so are 1 and true; no member, no comparison."""
    if not isinstance(element, Mapping) or condition.name not in element:
        return False
    found = element[condition.name]
    is_bool = isinstance(found, bool) == isinstance(condition.value, bool)
    return (is_bool and found == condition.value) == condition.is_equal


def _put(document: JsonValue, names: list[str], value: JsonValue, path: str) -> JsonValue:
    if not names:
        return value
    if not isinstance(document, Mapping):
        raise _unfit(path, f"{shortened(document)!r} on its way is no object")
    inner = document.get(names[0], {}) if len(names) > 1 else None
    return {**document, names[0]: _put(inner, names[1:], value, path)}


def _unfit(path: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"{shortened(path)!r} is not a path that can be used: {why}",
        field=str(shortened(path)),
        value=shortened(path),
        mend="write $.name.other, with [0] for the element of a list",
    )
