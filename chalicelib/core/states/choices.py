"""Rules of a choice: ``{"Variable": "$.x", "NumericGreaterThan": 3}`` holds, or it does not.

The operators are those of Amazon States Language's Choice state, under their own names; each
``…Path`` form compares with what stands at a path. A rule is exactly one comparison, or one of
``And``, ``Or`` and ``Not`` over rules.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states.intrinsics import Scope, evaluate
from chalicelib.core.states.paths import is_reference

DEEPEST: Final = 20
"""Rules in rules."""

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_TYPES: Final = ("String", "Numeric", "Timestamp")
_COMPARISON: Final = re.compile(
    rf"({'|'.join(_TYPES)})({'|'.join(sorted(_ORDERS, key=len, reverse=True))})(Path)?"
)
_TESTS: Final[dict[str, Callable[[JsonValue], bool]]] = {
    "IsNull": lambda value: value is None,
    "IsString": lambda value: isinstance(value, str),
    "IsNumeric": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: _time(value) is not None,
}


def holds(rule: Mapping[str, JsonValue], scope: Scope) -> bool:
    """Tell whether the rule holds. Raises InvalidRequest for one that is none, or for a variable
    that is not there, where the rule does not ask just that."""
    match dict(rule):
        case {"And": list(rules), **rest} if not rest:
            return all(holds(_rule(each), scope) for each in rules)
        case {"Or": list(rules), **rest} if not rest:
            return any(holds(_rule(each), scope) for each in rules)
        case {"Not": inner, **rest} if not rest:
            return not holds(_rule(inner), scope)
        case {"Variable": str(variable), **rest} if len(rest) == 1:
            ((name, wanted),) = rest.items()
            return _compares(variable, name, wanted, scope)
        case _:
            raise _no_rule(rule, 'give {"Variable": "$.x", OPERATOR: value}, And, Or or Not')


def check_rule(rule: object, depth: int = DEEPEST) -> None:
    """Raise InvalidRequest for what is no rule; nothing is looked up."""
    given = _rule(rule)
    if not depth:
        raise _no_rule(given, f"nest at most {DEEPEST} rules")
    for name in ("And", "Or"):
        inner = given.get(name)
        if isinstance(inner, list) and len(given) == 1 and inner:
            for place, each in enumerate(inner):
                with at_field(f"{name}.{place}"):
                    check_rule(each, depth - 1)
            return
    if "Not" in given and len(given) == 1:
        with at_field("Not"):
            check_rule(given["Not"], depth - 1)
        return
    operators = given.keys() - {"Variable"}
    if not isinstance(given.get("Variable"), str) or len(operators) != 1:
        raise _no_rule(given, 'give {"Variable": "$.x", OPERATOR: value}, And, Or or Not')
    if not is_reference(given["Variable"]):
        with at_field("Variable"):
            raise _no_rule(given["Variable"], "give a reference path: $.input.x")
    name = next(iter(operators))
    with at_field(name):
        _check_operand(name, given[name])


def _compares(variable: str, name: str, wanted: JsonValue, scope: Scope) -> bool:
    if name == "IsPresent":
        return _is_present(variable, scope) is (wanted is True)
    value = evaluate(variable, scope)
    if name in _TESTS:
        return _TESTS[name](value) is (wanted is True)
    if name == "StringMatches":
        return isinstance(value, str) and fnmatch.fnmatchcase(value, _only_stars(str(wanted)))
    if name in {"BooleanEquals", "BooleanEqualsPath"}:
        other = evaluate(str(wanted), scope) if name.endswith("Path") else wanted
        return isinstance(value, bool) and value is other
    match = _COMPARISON.fullmatch(name)
    if match is None:
        raise _no_operator(name)
    other = evaluate(str(wanted), scope) if match[3] else wanted
    left, right = _typed(match[1], value), _typed(match[1], other)
    return left is not None and right is not None and _ORDERS[match[2]](left, right)


def _check_operand(name: str, wanted: JsonValue) -> None:
    """What is of another kind than the operator compares would never be equal to anything."""
    match = _COMPARISON.fullmatch(name)
    if name.endswith("Path") and (match or name == "BooleanEqualsPath"):
        is_fit, mend = is_reference(wanted), "give a reference path: $.input.x"
    elif match:
        is_fit, mend = _typed(match[1], wanted) is not None, f"give a {match[1].lower()}"
    elif name == "StringMatches":
        is_fit, mend = isinstance(wanted, str), "give a text, * in it for anything"
    elif name in {"IsPresent", "BooleanEquals", *_TESTS}:
        is_fit, mend = isinstance(wanted, bool), "give true or false"
    else:
        raise _no_operator(name)
    if not is_fit:
        raise InvalidRequest(
            f"{name} cannot compare with {shortened(wanted)!r}", value=shortened(wanted), mend=mend
        )


def _typed(kind: str, value: JsonValue) -> Any:
    """Return the value if it is of that kind, in a form that compares; None if it is not."""
    match kind:
        case "String":
            return value if isinstance(value, str) else None
        case "Numeric":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return value if is_number else None
        case _:
            return _time(value)


def _time(value: JsonValue) -> datetime | None:
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _is_present(variable: str, scope: Scope) -> bool:
    try:
        evaluate(variable, scope)
    except InvalidRequest:
        return False
    return True


def _only_stars(pattern: str) -> str:
    """States knows ``*`` alone, and a backslash before one that is meant."""
    escaped = re.sub(r"([\[?])", r"[\1]", pattern)
    return escaped.replace("\\*", "[*]")


def _rule(given: object) -> dict[str, JsonValue]:
    if not isinstance(given, Mapping):
        raise _no_rule(given, "give an object")
    return dict(given)


def _no_rule(given: object, mend: str) -> InvalidRequest:
    return InvalidRequest("this is no rule of a choice", value=shortened(given), mend=mend)


def _no_operator(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"there is no comparison {name!r:.100}",
        field=name[:100],
        mend="write it as Amazon States Language does: StringEquals, IsPresent, …",
    )
