"""Intrinsic functions: ``States.Format('{}-{}', $.name, States.UUID())`` (section 2).

``grammar.py`` reads an expression; nothing of it is evaluated but what stands in ``FUNCTIONS``.
What is fresh or outside of the document comes with the scope, so that evaluating stays pure.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.core.documents import well_formed
from chalicelib.core.json_text import read_value
from chalicelib.core.states.grammar import Call, Constant, Literal, Node, Path, parse, parts, wrong
from chalicelib.core.states.paths import read
from chalicelib.core.states.room import Room

_PART: Final = re.compile(r"\\(?P<escaped>.)|(?P<hole>\{\})|(?P<brace>[{}])", re.DOTALL)


class Scope(NamedTuple):
    """What an expression can refer to."""

    input: JsonValue
    context: Mapping[str, JsonValue] = {}
    """What ``$$.`` begins with: ``{"Execution": {"Name": …}}``."""
    mint_uuid: Callable[[], str] | None = None
    """None: ``States.UUID`` is refused."""
    room: Room | None = None
    """None: as much as there is."""

    def take(self, value: JsonValue) -> JsonValue:
        """Return the value, which goes into the document that is made."""
        return value if self.room is None else self.room.take(value)


def evaluate(expression: str, scope: Scope) -> JsonValue:
    """Return the value of a path or a call. Raises InvalidRequest.

    What calls take and give has taken of the scope's room; a value that is only looked at has not.
    """
    node = parse(expression)
    return _at(node, scope) if isinstance(node, Path) else _value(node, expression, scope)


def check(expression: str) -> Iterator[str]:
    """Yield the paths in an expression that could be evaluated. Raises InvalidRequest for one
    that could not, whatever is at them."""
    for node in parts(parse(expression)):
        if isinstance(node, Path):
            yield node.text
        elif isinstance(node, Call) and (node.name, node.arguments) != (_UUID, ()):
            try:
                inspect.signature(_function(node.name, expression)).bind(*node.arguments)
            except TypeError as exc:
                raise wrong(expression, f"{node.name}: {exc}") from exc


def _at(path: Path, scope: Scope) -> JsonValue:
    if path.text.startswith("$$"):
        return read(dict(scope.context), path.text[1:])
    return read(scope.input, path.text)


def _value(node: Node, text: str, scope: Scope) -> JsonValue:
    match node:
        case Path():
            return scope.take(_at(node, scope))
        case Constant():
            return node.value
        case Call():
            arguments = [_value(each, text, scope) for each in node.arguments]
            return scope.take(_call(node.name, arguments, text, scope))


def _call(name: str, arguments: list[JsonValue], text: str, scope: Scope) -> JsonValue:
    if name == "States.UUID" and not arguments and scope.mint_uuid is not None:
        return scope.mint_uuid()
    function = _function(name, text)
    template = name == "States.Format"
    plain = [
        each.plain if isinstance(each, Literal) and not (template and place == 0) else each
        for place, each in enumerate(arguments)
    ]
    try:
        return function(*plain)
    except (TypeError, ValueError, IndexError) as exc:
        raise wrong(text, f"{name}: {exc}") from exc


def _function(name: str, text: str) -> Callable[..., JsonValue]:
    function = FUNCTIONS.get(name)
    if function is None:
        raise wrong(text, f"{name} is not a function here: {', '.join((*FUNCTIONS, _UUID))}")
    return function


def _format(template: JsonValue, *values: JsonValue) -> JsonValue:
    """Fill each ``{}``; a brace, a quote or a backslash is written with a backslash before it."""
    if not isinstance(template, str):
        raise TypeError("the template is no text")
    waiting = list(values)

    def fill(part: re.Match[str]) -> str:
        if part["hole"] is None:
            if part["brace"]:
                raise ValueError(f"a lone {part['brace']!r}; write \\{part['brace']}")
            return part["escaped"]
        if not waiting:
            raise ValueError("more {} than values")
        return _as_text(waiting.pop(0))

    filled = _PART.sub(fill, template)
    if waiting:
        raise ValueError("more values than {}")
    return filled


def _as_text(value: JsonValue) -> str:
    if isinstance(value, list | dict):
        raise TypeError("objects and lists cannot be formatted; use States.JsonToString")
    return value if isinstance(value, str) else json.dumps(value)


def _json_merge(first: JsonValue, second: JsonValue, is_deep: JsonValue) -> JsonValue:
    """Shallow: of a member that both have, the second's, whole."""
    if is_deep is not False:
        raise ValueError("only the shallow merge exists: give false as third argument")
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise TypeError("two objects are needed")
    return {**first, **second}


def _string_to_json(text: JsonValue) -> JsonValue:
    if not isinstance(text, str):
        raise TypeError("a text is needed")
    value: JsonValue = well_formed(read_value(text.encode()))
    return value


def _json_to_string(value: JsonValue) -> JsonValue:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _array_get_item(values: JsonValue, index: JsonValue) -> JsonValue:
    if not isinstance(values, list) or type(index) is not int or index < 0:
        raise TypeError("a list and an index from 0 on are needed")
    return values[index]


def _array(*values: JsonValue) -> JsonValue:
    return list(values)


_UUID: Final = "States.UUID"
FUNCTIONS: Final[Mapping[str, Callable[..., JsonValue]]] = {
    "States.Format": _format,
    "States.JsonMerge": _json_merge,
    "States.StringToJson": _string_to_json,
    "States.JsonToString": _json_to_string,
    "States.ArrayGetItem": _array_get_item,
    "States.Array": _array,
}
