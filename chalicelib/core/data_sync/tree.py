"""A tree of files, a node per path segment: how much lies below each, and how new it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from chalicelib.core.data_sync.path_requests import EPOCH


class Node:
    """A file, or a folder with all that is below it. Only ``tree_of`` changes one."""

    __slots__ = ("children", "last_modified", "object_count", "size_bytes")

    def __init__(self) -> None:
        self.size_bytes = 0
        self.object_count = 0
        self.last_modified = EPOCH
        self.children: dict[str, Node] = {}

    @property
    def is_folder(self) -> bool:
        """Whether anything is below it."""
        return bool(self.children)

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Yield (path, node), itself first; the paths of folders end with ``/``."""
        waiting: list[tuple[str, Node]] = [("", self)]
        while waiting:
            path, node = waiting.pop()
            yield path, node
            waiting += ((below(path, name, child), child) for name, child in node.children.items())


def below(path: str, name: str, node: Node) -> str:
    """Return the path of a child of the folder at ``path``, which is empty or ends with ``/``."""
    return f"{path}{name}/" if node.is_folder else f"{path}{name}"


def tree_of(files: Iterable[tuple[str, int, datetime]]) -> Node:
    """Build the tree from (path, bytes, modified at); the empty path is the root itself."""
    root = Node()
    for path, size_bytes, modified_at in files:
        node = root
        _add(node, size_bytes, modified_at)
        for name in path.split("/") if path else ():
            node = node.children.setdefault(name, Node())
            _add(node, size_bytes, modified_at)
    return root


def _add(node: Node, size_bytes: int, modified_at: datetime) -> None:
    node.size_bytes += size_bytes
    node.object_count += 1
    node.last_modified = max(node.last_modified, modified_at)
