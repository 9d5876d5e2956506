"""Expressions as trees: ``States.Format('{}-{}', $.name, States.UUID())`` read, not evaluated.

An expression is a path, or a call, whose arguments are calls, paths, texts in single quotes,
numbers, true, false or null. What is to be evaluated, and what is only checked beforehand, are
the same tree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.core.documents import shortened, well_formed
from chalicelib.core.errors import InvalidRequest

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


class Literal(str):
    """A text that stood in the expression, its escapes still in it: Format reads them itself."""

    __slots__ = ()

    @property
    def plain(self) -> str:
        """The text without them."""
        return _ESCAPE.sub(r"\1", self)


class Path(NamedTuple):
    """A reference path, ``$$.`` of the context included."""

    text: str


class Constant(NamedTuple):
    """A number, true, false, null, or a ``Literal``."""

    value: JsonValue


class Call(NamedTuple):
    """A call of an intrinsic function, whether there is one of that name or not."""

    name: str
    arguments: tuple[Node, ...]


Node = Path | Constant | Call


def parse(expression: str) -> Node:
    """Return the tree of a path or a call. Raises InvalidRequest; paths are not looked at."""
    if expression.startswith("$"):
        return Path(expression)
    found, position = _node(expression, 0, DEEPEST)
    if position != len(expression):
        raise wrong(expression, f"nothing is expected from character {position + 1} on")
    return found


def parts(node: Node) -> Iterator[Node]:
    """Yield the node and everything in it."""
    yield node
    if isinstance(node, Call):
        for each in node.arguments:
            yield from parts(each)


def wrong(text: str, why: str) -> InvalidRequest:
    """Return the error for an expression that has no value."""
    return InvalidRequest(
        f"{shortened(text)!r} cannot be evaluated: {why}",
        field=str(shortened(text)),
        value=shortened(text),
        mend="write States.Function(argument, …) or a reference path",
    )


def _node(text: str, position: int, deepest: int) -> tuple[Node, int]:
    token = _TOKEN.match(text, position)
    if token is None or token["sign"]:
        raise wrong(text, f"a value is missing at character {position + 1}")
    if token["call"]:
        if not deepest:
            raise wrong(text, f"calls are nested deeper than {DEEPEST}")
        arguments, position = _arguments(text, token.end(), deepest - 1)
        return Call(token["call"], arguments), position
    if token["path"]:
        return Path(token["path"]), token.end()
    if token["plain"]:
        return Constant(_constant(text, token["plain"])), token.end()
    return Constant(Literal(token["text"])), token.end()


def _arguments(text: str, position: int, deepest: int) -> tuple[tuple[Node, ...], int]:
    found: list[Node] = []
    closing = _TOKEN.match(text, position)
    if closing is not None and closing["sign"] == ")":
        return (), closing.end()
    while True:
        node, position = _node(text, position, deepest)
        found.append(node)
        sign = _TOKEN.match(text, position)
        if sign is None or not sign["sign"]:
            raise wrong(text, f"a comma or ) is missing at character {position + 1}")
        position = sign.end()
        if sign["sign"] == ")":
            return tuple(found), position


def _constant(text: str, plain: str) -> JsonValue:
    """A number may be none that JSON has: 1e999, or one with more digits than Python reads."""
    try:
        value: JsonValue = well_formed(json.loads(plain))
    except ValueError as exc:
        raise wrong(text, f"{shortened(plain)} is too large a number") from exc
    return value
