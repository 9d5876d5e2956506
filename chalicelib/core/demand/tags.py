"""Tags of an execution, and the one-string form that they once had (section 2.2).

``"a=1,b"`` is ``{"a": "1", "b": "b"}``; where both keys stand in a document ``tags`` wins, name
by name. An empty name is dropped: AWS knows no such tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest


def read_tag(value: object) -> dict[str, str] | None:
    """Read the deprecated ``tag``; None where it counts as absent (null, an object).

    Raises InvalidRequest for what is no string, integer, or list of them.
    """
    match value:
        case None | Mapping():
            return None
        case list() | tuple():
            items = [part for item in value for part in _items(item)]
        case _:
            items = _items(value)
    return dict(map(_named, items))


def fold_tag(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata document with ``tag`` folded into ``tags`` and empty names dropped."""
    folded = {key: value for key, value in document.items() if key not in {"tag", "tags"}}
    tags = read_tag(document.get("tag"))
    if "tags" in document:
        given = document["tags"]
        if not isinstance(given, Mapping):
            raise InvalidRequest(
                "tags is not an object",
                field="tags",
                value=shortened(given),
                mend="give an object of strings, or leave it out",
            )
        tags = {**(tags or {}), **given}
    if tags is not None:
        folded["tags"] = {name: value for name, value in tags.items() if name != ""}
    return folded


def render_tag(tags: Mapping[str, str] | None) -> str | None:
    """Write tags in the one-string form, in their order; None without tags."""
    if not tags:
        return None
    return ",".join(name if name == value else f"{name}={value}" for name, value in tags.items())


def _items(value: object) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidRequest(
            "tag is no string, integer, or list of them",
            field="tag",
            value=shortened(value),
            mend='use tags, an object such as {"project": "apollo"}',
        )
    return str(value).split(",")


def _named(item: str) -> tuple[str, str]:
    name, separator, value = item.partition("=")
    return name, value if separator else name
