"""Whether a policy allows a call, weighed as IAM weighs it, as far as our policies go.

Statements allow and none denies; an operator that is not known here is an error, so nothing is
overlooked. What a policy says of tags is weighed with the tags that the resource would have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Context = Mapping[str, str | list[str]]


def allows(
    statements: Iterable[Mapping[str, Any]], action: str, arn: str, context: Context | None = None
) -> bool:
    """Whether any statement allows the action on the resource. ``context``: condition keys."""
    return any(_applies(each, action, arn, context or {}) for each in statements)


def _applies(statement: Mapping[str, Any], action: str, arn: str, context: Context) -> bool:
    assert statement["Effect"] == "Allow", statement
    return (
        any(_is_like(each, action, re.IGNORECASE) for each in several(statement["Action"]))
        and any(_is_like(each, arn) for each in several(statement["Resource"]))
        and all(
            _holds(operator, context.get(key), several(wanted))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, told: str | list[str] | None, wanted: list[str]) -> bool:
    values = [] if told is None else several(told)
    match operator:
        case "StringEquals" | "ForAnyValue:StringEquals":
            return any(value in wanted for value in values)
        case "StringEqualsIfExists":
            return told is None or any(value in wanted for value in values)
        case "StringLike" | "ArnLike":
            return any(_is_like(each, value) for each in wanted for value in values)
        case "ForAllValues:StringLike":
            return all(any(_is_like(each, value) for each in wanted) for value in values)
        case "Null":
            return (told is None) is (wanted == ["true"])
        case _:
            raise AssertionError(f"{operator}: nobody has said how it is weighed")


def _is_like(pattern: str, text: str, flags: int = 0) -> bool:
    translated = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(translated, text, flags) is not None


def several(told: Any) -> list[Any]:
    """One or several, as policies write them: always a list."""
    return list(told) if isinstance(told, list | tuple) else [told]
