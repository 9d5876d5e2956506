"""``merge_defaults`` and ``enclose``: what is done around a chain of states (3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import JsonValue

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states.intrinsics import Scope
from chalicelib.core.states.paths import ROOT, as_reference, is_present, joined, put, read
from chalicelib.core.states.templates import resolved

Preference = Literal["target", "default"]
PREFERENCES: Final = ("target", "default")


def merged(
    defaults: Mapping[str, JsonValue],
    target: Mapping[str, JsonValue],
    order_of_preference: Preference = "target",
) -> dict[str, JsonValue]:
    """Return both; of a member that both have, the preferred one's, whole, null included."""
    if order_of_preference == "target":
        return {**defaults, **target}
    return {**target, **defaults}


def merge_defaults(  # noqa: PLR0913 -- the operation's own parameters
    document: JsonValue,
    defaults: Mapping[str, JsonValue],
    *,
    input_path: str = ROOT,
    target_path: str = ROOT,
    result_path: str | None = None,
    check_if_target_present: bool = False,
    order_of_preference: Preference = "target",
    scope: Scope | None = None,
) -> JsonValue:
    """Return the document with the merged object at ``result_path``, or in the target's place.

    References in the defaults, and the target, are relative to the input path. ``scope`` says
    what ``$$.`` and ``States.UUID`` mean. Raises InvalidRequest for a path with nothing at it;
    with the check only the target's is spared.
    """
    if order_of_preference not in PREFERENCES:
        raise InvalidRequest(
            f"there is no order of preference {order_of_preference!r}",
            field="order_of_preference",
            value=shortened(order_of_preference),
            mend=f"give one of {', '.join(PREFERENCES)}",
        )
    seen = read(document, input_path)
    target: JsonValue = {}
    if not check_if_target_present or is_present(seen, target_path):
        target = read(seen, target_path)
    if not isinstance(target, Mapping):
        raise InvalidRequest(
            "defaults can be merged into an object only",
            field=as_reference(joined(input_path, target_path)),
            value=shortened(target),
            mend="name an object as target",
        )
    inside = (scope or Scope(None))._replace(input=seen)
    filled = resolved(dict(defaults), inside)
    assert isinstance(filled, dict)  # noqa: S101 -- it was one
    result = as_reference(joined(input_path, target_path)) if result_path is None else result_path
    return put(document, result, merged(filled, target, order_of_preference))


def enclose(
    document: JsonValue,
    chain: Callable[[JsonValue], JsonValue],
    *,
    input_path: str = ROOT,
    result_path: str | None = None,
) -> JsonValue:
    """Return the document with the chain's output at the result path, or in its input's place.

    The chain sees nothing but its input, and what it raises passes through.
    """
    output = chain(read(document, input_path))
    return put(document, input_path if result_path is None else result_path, output)
