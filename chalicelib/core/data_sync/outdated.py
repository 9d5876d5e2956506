"""Which paths have not been written for so long that they may go (section 11).

A folder is as young as the newest file below it. The search goes down from the root: what is too
young is opened, what is old enough is taken whole, unless it lies higher than ``min_depth``. Of
what was taken the oldest go first, and only while more than the allowed size would remain.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from chalicelib.core.data_sync.tree import Node, below


class Age(NamedTuple):
    """What makes a path outdated."""

    now: datetime
    days: float
    min_depth: int = 0
    max_depth: int | None = None

    def is_outdated(self, node: Node) -> bool:
        """Tell whether its newest file is older than so many days, strictly."""
        return self.now - node.last_modified > timedelta(days=self.days)


def outdated(root: Node, age: Age, *, size_bytes_allowed: int = 0) -> list[str]:
    """Return the paths relative to the root, sorted: folders end with ``/``, the root is empty."""
    if not root.object_count:
        return []
    found = sorted(_candidates(root, age), key=lambda each: (each[1].last_modified, each[0]))
    remaining, taken = root.size_bytes, []
    for path, node in found:
        if remaining <= size_bytes_allowed:
            break
        taken.append(path)
        remaining -= node.size_bytes
    return sorted(taken)


def _candidates(root: Node, age: Age) -> Iterator[tuple[str, Node]]:
    waiting: list[tuple[str, Node, int]] = [("", root, 0)]
    while waiting:
        path, node, depth = waiting.pop()
        if age.is_outdated(node):
            if depth >= age.min_depth or not node.is_folder:
                yield path, node
                continue
        elif age.max_depth is not None and depth >= age.max_depth:
            continue
        children = node.children.items()
        waiting += ((below(path, name, child), child, depth + 1) for name, child in children)
