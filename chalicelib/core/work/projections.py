"""Which fields of a document an answer shows (specs: work, section 3.1).

``{"id": true, "config.parent": true}`` keeps these, ``{"results": false}`` removes that one,
``{}`` keeps all. ``_id`` may stand anywhere and means nothing: no document has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.errors import InvalidRequest

Tree = dict[str, Any]


@dataclass(frozen=True)
class Projection:
    """The fields that are kept or removed, as a tree of their names; a leaf is empty."""

    tree: Tree
    is_keeping: bool

    @property
    def shows_results(self) -> bool:
        """Whether anything of ``results`` can be in the answer."""
        named = self.tree.get("results")
        return named is not None if self.is_keeping else named != {}

    def of(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the answer shows of the document."""
        return _kept(document, self.tree) if self.is_keeping else _left(document, self.tree)


def parse_projection(projection: object) -> Projection:
    """Return the projection that the JSON spells. Raises InvalidRequest."""
    if not isinstance(projection, Mapping):
        raise InvalidRequest(
            "projection is not an object",
            field="projection",
            value=projection,
            mend='send {"field": true, …}, or {} for all fields',
        )
    chosen = {name: _flag(name, flag) for name, flag in projection.items() if name != "_id"}
    if len(set(chosen.values())) > 1:
        raise InvalidRequest(
            "projection keeps some fields and removes others",
            field="projection",
            value=dict(projection),
            mend="say only true, or only false",
        )
    return Projection(_tree(chosen), any(chosen.values()))


def _flag(name: str, flag: object) -> bool:
    if flag not in (0, 1):
        raise InvalidRequest(
            "a field of a projection is true or false",
            field=f"projection.{name}",
            value=flag,
            mend="give true or false",
        )
    return bool(flag)


def _tree(names: Iterable[str]) -> Tree:
    """A shorter name covers the longer ones that begin with it."""
    tree: Tree = {}
    for name in sorted(names, key=len, reverse=True):
        *outer, last = name.split(".")
        branch = tree
        for part in outer:
            branch = branch.setdefault(part, {})
        branch[last] = {}
    return tree


def _kept(document: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    kept = {}
    for name, value in document.items():
        if name in tree:
            inner = tree[name]
            kept[name] = _kept(value, inner) if inner and isinstance(value, Mapping) else value
    return kept


def _left(document: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    left = {}
    for name, value in document.items():
        inner = tree.get(name)
        if inner is None:
            left[name] = value
        elif inner:
            left[name] = _left(value, inner) if isinstance(value, Mapping) else value
    return left
