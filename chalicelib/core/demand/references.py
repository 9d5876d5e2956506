"""References ``${NAME}`` in parameters, and the bound that keeps them from exploding.

::

    sample = "S${num}"      num = "7"      cfg = "${in_file}::${Sample}"
       S7         <---------   7                  in/S7.txt::S7

Values form a graph; each is expanded after those it refers to, so one pass does it and a cycle is
seen as one. A reference can also come into being when two values meet (``$`` before ``{X}``);
hence passes are repeated until nothing changes, ``MAX_PASSES`` times at most. The sum of all
expanded values is bounded before any of them is built: forty values of ``${A}${A}`` would
otherwise need a terabyte. (Section 3.3 of the demand wire format.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

from chalicelib.core.demand.env_names import NAME_PATTERN
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest, TooLarge

MAX_PASSES: Final = 32
"""One is enough unless references are put together from pieces; each costs the whole size."""

MAX_RESOLVED_CHARACTERS: Final = 1024 * 1024
"""What all expanded values of one demand may have together, and each single text. Our choice."""

_REFERENCE: Final = re.compile(r"\$\{(" + NAME_PATTERN + r")\}")


def referred_names(text: str) -> list[str]:
    """Return the environment names that a text refers to, in order, with repeats."""
    return [name.upper() for name in _REFERENCE.findall(text)]


def resolve_all(values: Mapping[str, str]) -> dict[str, str]:
    """Expand the references between values, given and returned by environment name.

    Raises InvalidRequest for an unknown name, a cycle, a self reference, and TooLarge; the field
    is the name of the value.
    """
    resolved = dict(values)
    for _ in range(MAX_PASSES):
        if not any(_REFERENCE.search(text) for text in resolved.values()):
            _check_size(sum(map(len, resolved.values())))
            return resolved
        resolved = _one_pass(resolved)
    raise _cycle(sorted(values)[:5])


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace the references of one text, once, by values that are resolved already.

    Raises InvalidRequest for an unknown name, and TooLarge.
    """
    _check_size(_expanded_size(text, values))
    return _expanded(text, values)


def _one_pass(values: Mapping[str, str]) -> dict[str, str]:
    done: dict[str, str] = {}
    total = 0
    for name in _in_order(values):
        total += _expanded_size(values[name], done)
        with at_field(name):
            _check_size(total)
        done[name] = _expanded(values[name], done)
    return {name: done[name] for name in values}


def _in_order(values: Mapping[str, str]) -> Iterator[str]:
    graph: dict[str, list[str]] = {}
    for name, text in values.items():
        with at_field(name):
            graph[name] = _known(text, values)
    try:
        yield from TopologicalSorter(graph).static_order()
    except CycleError as exc:
        raise _cycle(exc.args[1]) from exc


def _known(text: str, values: Mapping[str, str]) -> list[str]:
    names = referred_names(text)
    for name in names:
        if name not in values:
            raise InvalidRequest(
                f"${{{shortened(name)}}} refers to a parameter that does not exist",
                value=shortened(text),
                mend="name a parameter of this demand; the process environment does not count",
            )
    return names


def _expanded(text: str, values: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: values[match[1].upper()], text)


def _expanded_size(text: str, values: Mapping[str, str]) -> int:
    _known(text, values)
    return len(text) + sum(
        len(values[match[1].upper()]) - len(match[0]) for match in _REFERENCE.finditer(text)
    )


def _check_size(size: int) -> None:
    if size > MAX_RESOLVED_CHARACTERS:
        raise TooLarge(
            f"the parameters have more than {MAX_RESOLVED_CHARACTERS} characters when resolved",
            mend="shorten the values, or refer to each other less often",
        )


def _cycle(names: Sequence[str]) -> InvalidRequest:
    shown = shortened(" -> ".join(names))
    return InvalidRequest(
        f"parameters refer to each other in a circle: {shown}",
        field=names[0],
        value=shown,
        mend="give one of them a value without a reference",
    )
