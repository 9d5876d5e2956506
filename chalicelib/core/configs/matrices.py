"""Matrices: every combination of their values, put where ``${{ matrix.NAME }}`` stands.

A text that is nothing but such a mark becomes the value itself, be it a number or a list; in a
longer text the value is written out. Nothing else between ``${{`` and ``}}`` means anything here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from chalicelib.core.errors import InvalidRequest

Values = Mapping[str, Any]
_MARK: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_NAME: Final = re.compile(r"\s*matrix\.([^\s}]+)\s*")


def size_of(matrix: Mapping[str, Sequence[Any]] | None) -> int:
    """Return how many combinations there are; one without a matrix."""
    return math.prod(len(values) for values in (matrix or {}).values())


def combinations(matrix: Mapping[str, Sequence[Any]] | None) -> Iterator[dict[str, Any]]:
    """Yield each combination by the names of the matrix; the last name's values change first."""
    names = list(matrix or {})
    for values in product(*(matrix or {}).values()):
        yield dict(zip(names, values, strict=True))


def filled(template: Any, values: Values) -> Any:
    """Return the template with its marks filled in. Raises InvalidRequest for an unknown one."""
    match template:
        case str():
            return _text(template, values)
        case Mapping():
            return {
                _written(filled(name, values)): filled(each, values)
                for name, each in template.items()
            }
        case list() | tuple():
            return [filled(each, values) for each in template]
        case _:
            return template


def _text(text: str, values: Values) -> Any:
    whole = _MARK.fullmatch(text)
    if whole is not None and text.count("${{") == 1:
        return _value(whole[1], values)
    return _MARK.sub(lambda mark: _written(_value(mark[1], values)), text)


def _value(inside: str, values: Values) -> Any:
    name = _NAME.fullmatch(inside)
    if name is None or name[1] not in values:
        known = ", ".join(f"${{{{ matrix.{each} }}}}" for each in values)
        raise InvalidRequest(
            f"nothing can be put in the place of '${{{{{inside:.100}}}}}'",
            value=inside[:100],
            mend=f"known are {known}" if known else "name it in a matrix of the step or pipeline",
        )
    return values[name[1]]


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
