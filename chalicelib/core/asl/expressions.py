"""Expressions: what a state machine looks up while it runs.

Plans are made before anything has run. A text in one that is not known yet is a *mark*, digits
that no other text of the document has, and is replaced when the plan is written down::

    image: "$.input.image"  ─▶  9318240000000001  ─▶  plan  ─▶  "Image.$": "$.input.image"

Marks are digits because these pass for a name, a bucket, an amount and a part of a key alike.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.run_values import is_reference
from chalicelib.core.states.templates import SUFFIX, escaped, parameters

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOLLARS: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\$+")
_USUAL_WIDTH: Final = 16


class Expression(str):
    """A path or a call of an intrinsic function."""

    __slots__ = ()


def at(*names: str) -> Expression:
    """Return the path of a member of the state."""
    steps = (f".{name}" if _PLAIN.fullmatch(name) else f"['{name}']" for name in names)
    return Expression("$" + "".join(steps))


def looked_up(tree: Any) -> Any:
    """Return a pipeline's template with its references as expressions."""
    return _mapped(tree, lambda text: Expression(text) if is_reference(text) else text)


def fields(tree: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the tree as a payload template: expressions under keys that say so.

    Raises InvalidRequest for a key that says so of something else.
    """
    _check_keys(tree)
    found = parameters(dict(tree), _is_expression)
    assert isinstance(found, dict)  # noqa: S101 -- it was one
    return found


def rebased(expression: str, root: str) -> str:
    """Return the expression with every path below another place: ``$.a`` is ``<root>.a``."""
    return _DOLLARS.sub(lambda found: root if found[0] == "$" else found[0], expression)


class Marks:
    """The marks of one state machine."""

    def __init__(self, source: str) -> None:
        """``source``: a text in which no mark may stand already."""
        numbers = (
            int(hashlib.sha256(f"{place} {source}".encode()).hexdigest(), 16)
            for place in itertools.count()
        )
        stems = (f"9{number % 10**5:05}" for number in numbers)
        self._stem = next(stem for stem in stems if stem not in source)
        self._meanings: dict[str, str] = {}

    def mark(self, expression: str, width: int = _USUAL_WIDTH) -> str:
        """Return the text that stands for the expression."""
        number = len(self._meanings)
        return self.let(f"{self._stem}{number:0{width - len(self._stem)}}", expression)

    def let(self, text: str, expression: str) -> str:
        """Let a text, which a builder has made of marks, stand for the expression."""
        self._meanings[text] = expression
        return text

    def written(self, tree: Any) -> Any:
        """Return the tree with expressions in the place of marks."""
        return _mapped(tree, self._written)

    def as_text(self, value: str) -> str:
        """Return what is a text whatever the expression finds: Batch takes no numbers here."""
        found = self._written(value)
        is_call = not isinstance(found, Expression) or found.startswith("States.Format(")
        return found if is_call else Expression(f"States.Format('{{}}', {found})")

    def _written(self, text: str) -> str:
        known = sorted(self._meanings, key=len, reverse=True)
        parts = re.split(f"({'|'.join(known)})", text) if known else [text]
        if len(parts) == 1:
            return text
        if parts[0] == parts[-1] == "" and len(parts) == 3:
            return Expression(self._meanings[parts[1]])
        template = "".join(
            "{}" if place % 2 else escaped(part) for place, part in enumerate(parts)
        )
        values = ", ".join(self._meanings[part] for part in parts[1::2])
        return Expression(f"States.Format('{template}', {values})")


def _check_keys(tree: Any) -> None:
    match tree:
        case Mapping():
            for name, value in tree.items():
                if name.endswith(SUFFIX) and not isinstance(value, Expression):
                    raise InvalidRequest(
                        f"to Step Functions the key {name!r:.100} means that a reference follows",
                        field=name,
                        value=shortened(value),
                        mend="give the key another name",
                    )
                _check_keys(value)
        case list():
            for each in tree:
                _check_keys(each)
        case _:
            return


def _is_expression(value: object) -> bool:
    return isinstance(value, Expression)


def _mapped(tree: Any, change: Any) -> Any:
    match tree:
        case str():
            return change(tree)
        case Mapping():
            return {name: _mapped(value, change) for name, value in tree.items()}
        case list() | tuple():
            return [_mapped(each, change) for each in tree]
        case _:
            return tree
