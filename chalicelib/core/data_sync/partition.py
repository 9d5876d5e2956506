"""A source cut into batches of at most so many bytes (section 9 of the demand wire format).

The source is seen as a tree: a folder is as large as what lies in it. What fits the limit stays
whole, and what does not is replaced by its children, from the root downwards; a single file over
the limit stays, for nothing smaller can be copied. The pieces are then packed first-fit
decreasing: the largest first, ties by path, each into the first batch that has room. ::

    a 90, b/1 50, b/2 20, c 25, d 9      limit 100
    cut:  a 90 · b/ 70 · c 25 · d 9      pack:  [a, d] 99 · [b/, c] 95

No tree is built. A piece is a folder that fits and that no fitting folder contains, so the sums
by folder say everything; a million paths are held once. The first batch with room is found in a
tree of the largest room below each node, in O(log n), where trying one batch after the other
would be quadratic.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple


class Node(NamedTuple):
    """A piece of the source that one request copies."""

    path: str
    """Relative to the source. A folder's ends with ``/``, but for the source itself, which is
    the empty path, be it a folder or a single object."""
    size_bytes: int
    is_folder: bool


def partition(objects: Iterable[tuple[str, int]], limit_bytes: int) -> list[list[Node]]:
    """Return the batches, in the order in which they were begun, each one's nodes by path.

    ``objects`` are the files that the filter keeps, in any order, each as (path relative to the
    source without a first ``/``, size in bytes), read once; the only file of a source that is one
    object is called ``""``. No file gives no batch.
    """
    return pack(cut(objects, limit_bytes), limit_bytes)


def cut(objects: Iterable[tuple[str, int]], limit_bytes: int) -> list[Node]:
    """Return the nodes that are left when everything over the limit is replaced by its children.

    A name that is a file and a folder at once (S3 has such) gives two nodes.
    """
    paths: list[str] = []
    sizes = array("q")
    direct: dict[str, int] = {}
    for path, size in objects:
        paths.append(path)
        sizes.append(size)
        folder = _folder_of(path)
        direct[folder] = direct.get(folder, 0) + size
    if paths == [""]:
        return [Node("", sizes[0], is_folder=False)]
    totals = _totals(direct)
    whole = {folder: _fitting(folder, totals, limit_bytes) for folder in direct}
    kept = {folder for folder in whole.values() if folder is not None}
    nodes = [Node(folder, totals[folder], is_folder=True) for folder in kept]
    nodes += (
        Node(path, size, is_folder=False)
        for path, size in zip(paths, sizes, strict=True)
        if whole[_folder_of(path)] is None
    )
    return nodes


def pack(nodes: Iterable[Node], limit_bytes: int) -> list[list[Node]]:
    """Return the nodes in batches, first-fit decreasing; what is over the limit stays alone."""
    batches: list[list[Node]] = []
    room = _Room()
    for node in sorted(nodes, key=lambda node: (-node.size_bytes, node.path)):
        index = room.take_first(node.size_bytes)
        if index is None:
            room.append(limit_bytes - node.size_bytes)
            batches.append([node])
        else:
            batches[index].append(node)
    for batch in batches:
        batch.sort(key=lambda node: node.path)
    return batches


def _folder_of(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _ancestry(folder: str) -> Iterator[str]:
    """The folder and everything that it lies in, the root first."""
    end = 0
    yield ""
    while end := folder.find("/", end) + 1:
        yield folder[:end]


def _totals(direct: Mapping[str, int]) -> dict[str, int]:
    """The bytes below every folder, from those that lie directly in each."""
    totals: dict[str, int] = {}
    for folder, size in direct.items():
        for above in _ancestry(folder):
            totals[above] = totals.get(above, 0) + size
    return totals


def _fitting(folder: str, totals: Mapping[str, int], limit_bytes: int) -> str | None:
    """The uppermost of the folder and what it lies in that fits the limit."""
    return next((above for above in _ancestry(folder) if totals[above] <= limit_bytes), None)


class _Room:
    """What is left in each batch: a binary tree whose inner nodes hold the larger of their two.

    The root is at 1, the children of ``n`` at ``2n`` and ``2n + 1``, the batches are the leaves;
    -1 is no batch, or one that is over its limit: not even an empty file goes there.
    """

    def __init__(self) -> None:
        self._width = 1
        self._count = 0
        self._tree = [-1, -1]

    def append(self, room: int) -> None:
        """Add a batch at the end."""
        if self._count == self._width:
            self._double()
        self._set(self._width + self._count, max(room, -1))
        self._count += 1

    def take_first(self, size: int) -> int | None:
        """Take the room from the first batch that has it and return its index, else None."""
        tree, width, at = self._tree, self._width, 1
        if tree[1] < size:
            return None
        while at < width:
            at *= 2
            if tree[at] < size:
                at += 1
        self._set(at, tree[at] - size)
        return at - width

    def _set(self, at: int, room: int) -> None:
        tree = self._tree
        tree[at] = room
        while at > 1:
            left = at & ~1
            larger = max(tree[left], tree[left + 1])
            at //= 2
            if tree[at] == larger:
                return
            tree[at] = larger

    def _double(self) -> None:
        leaves = self._tree[self._width :]
        self._width *= 2
        self._tree = [-1] * (2 * self._width)
        self._tree[self._width : self._width + len(leaves)] = leaves
        for at in range(self._width - 1, 0, -1):
            self._tree[at] = max(self._tree[2 * at], self._tree[2 * at + 1])
