"""Intrinsic functions: ``States.Format('{}-{}', $.name, States.UUID())`` (section 2).

An expression is a call, whose arguments are calls, paths, texts in single quotes, numbers, true,
false or null. Nothing is evaluated but what stands in ``FUNCTIONS``. What is fresh or outside of
the document comes with the scope, so that evaluating stays pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states.paths import read

DEEPEST: Final = 10
"""Nested calls (Amazon States Language, intrinsic functions: "up to 10")."""

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<call>States\.[A-Za-z0-9]+)\s*\(
      | '(?P<text>(?:[^'\\]|\\.)*)'
      | (?P<path>\$(?:[^\s,()'\[]|\[[^\]]*\])*)
      | (?P<plain>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)
      | (?P<sign>[,)])
    )\s*""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)")
_PART: Final = re.compile(r"\\(?P<escaped>.)|(?P<hole>\{\})|(?P<brace>[{}])", re.DOTALL)


class Scope(NamedTuple):
    """What an expression can refer to."""

    input: JsonValue
    context: Mapping[str, JsonValue] = {}
    """What ``$$.`` begins with: ``{"Execution": {"Name": …}}``."""
    mint_uuid: Callable[[], str] | None = None
    """None: ``States.UUID`` is refused."""


def evaluate(expression: str, scope: Scope) -> JsonValue:
    """Return the value of a path or a call. Raises InvalidRequest."""
    if expression.startswith("$$"):
        return read(dict(scope.context), expression[1:])
    if expression.startswith("$"):
        return read(scope.input, expression)
    value, position = _value(expression, 0, scope, DEEPEST)
    if position != len(expression):
        raise _wrong(expression, f"nothing is expected from character {position + 1} on")
    return value


def _value(text: str, position: int, scope: Scope, deepest: int) -> tuple[JsonValue, int]:
    token = _TOKEN.match(text, position)
    if token is None or token["sign"]:
        raise _wrong(text, f"a value is missing at character {position + 1}")
    if token["call"]:
        if not deepest:
            raise _wrong(text, f"calls are nested deeper than {DEEPEST}")
        arguments, position = _arguments(text, token.end(), scope, deepest - 1)
        return _call(token["call"], arguments, text, scope), position
    if token["path"]:
        return evaluate(token["path"], scope), token.end()
    if token["plain"]:
        return json.loads(token["plain"]), token.end()
    return _Literal(token["text"]), token.end()


class _Literal(str):
    """A text that stood in the expression, its escapes still in it: Format reads them itself."""

    __slots__ = ()

    @property
    def plain(self) -> str:
        return _ESCAPE.sub(r"\1", self)


def _arguments(
    text: str, position: int, scope: Scope, deepest: int
) -> tuple[list[JsonValue], int]:
    found: list[JsonValue] = []
    closing = _TOKEN.match(text, position)
    if closing is not None and closing["sign"] == ")":
        return found, closing.end()
    while True:
        value, position = _value(text, position, scope, deepest)
        found.append(value)
        sign = _TOKEN.match(text, position)
        if sign is None or not sign["sign"]:
            raise _wrong(text, f"a comma or ) is missing at character {position + 1}")
        position = sign.end()
        if sign["sign"] == ")":
            return found, position


def _call(name: str, arguments: list[JsonValue], text: str, scope: Scope) -> JsonValue:
    if name == "States.UUID" and not arguments and scope.mint_uuid is not None:
        return scope.mint_uuid()
    function = FUNCTIONS.get(name)
    if function is None:
        raise _wrong(text, f"{name} is not a function here: {', '.join((*FUNCTIONS, _UUID))}")
    template = name == "States.Format"
    plain = [
        each.plain if isinstance(each, _Literal) and not (template and place == 0) else each
        for place, each in enumerate(arguments)
    ]
    try:
        return function(*plain)
    except (TypeError, ValueError, IndexError) as exc:
        raise _wrong(text, f"{name}: {exc}") from exc


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
    value: JsonValue = json.loads(text)
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


def _wrong(text: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"{shortened(text)!r} cannot be evaluated: {why}",
        field=str(shortened(text)),
        value=shortened(text),
        mend="write States.Function(argument, …) or a reference path",
    )
