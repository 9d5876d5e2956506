"""A source cut into batches of at most so many bytes (section 9 of the demand wire format).

The source is seen as a tree: a folder is as large as what lies in it. What fits the limit stays
whole, and what does not is replaced by its children, from the root downwards; a single file over
the limit stays, for nothing smaller can be copied. The pieces are then packed first-fit
decreasing: the largest first, ties by path, each into the first batch that has room. ::

    a 90, b/1 50, b/2 20, c 25, d 9      limit 100
    cut:  a 90 · b/ 70 · c 25 · d 9      pack:  [a, d] 99 · [b/, c] 95

No tree is built. In a listing a folder's files stand together, so only the folders that are open
are held, each with the pieces that it would be cut into; a folder that fits forgets its pieces
when it is closed.

The first batch with room is not looked for either. The sizes only fall; so a batch that has no
room waits until they have fallen to the room that it has left, and of the others the first one is
on top of a heap. Whatever is packed moves one batch at most, hence O(n log n).
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from operator import itemgetter
from typing import NamedTuple

from chalicelib.core.errors import Unavailable


class Node(NamedTuple):
    """A piece of the source that one request copies."""

    path: str
    """Relative to the source. A folder's ends with ``/``, but for the source itself, which is
    the empty path, be it a folder or a single object."""
    size_bytes: int
    is_folder: bool


_PATH = itemgetter(0)
_SIZE = itemgetter(1)


def partition(objects: Iterable[tuple[str, int]], limit_bytes: int) -> list[list[Node]]:
    """Return the batches, in the order in which they were begun, each one's nodes by path.

    ``objects`` are the files that the filter keeps, in the order of a listing (``a-b`` < ``a/b``
    < ``a0``), each as (path relative to the source without a first ``/``, size in bytes), read
    once; the only file of a source that is one object is called ``""``. No file gives no batch.
    Raises Unavailable for a listing that is out of order.
    """
    return pack(cut(objects, limit_bytes), limit_bytes)


def cut(objects: Iterable[tuple[str, int]], limit_bytes: int) -> list[Node]:
    """Return what is left, by path, when all that is over the limit is replaced by its children.

    A name that is a file and a folder at once (S3 has such) gives two nodes.
    """
    folder = _Folder("")
    above: list[_Folder] = []
    before = None
    for path, size in objects:
        if before is not None and path <= before:
            raise Unavailable(f"a listing is out of order: {path!r} came after {before!r}")
        before = path
        parent = path[: path.rfind("/") + 1]
        if parent != folder.path:
            while not parent.startswith(folder.path):
                folder = folder.closed_in(above.pop(), limit_bytes)
            while folder.path != parent:
                above.append(folder)
                folder = _Folder(parent[: parent.index("/", len(folder.path)) + 1])
        folder.size_bytes += size
        folder.pieces.append(Node(path, size, is_folder=False))
    while above:
        folder = folder.closed_in(above.pop(), limit_bytes)
    if not folder.pieces or before == "" or folder.size_bytes > limit_bytes:
        return folder.pieces
    return [Node("", folder.size_bytes, is_folder=True)]


def pack(nodes: list[Node], limit_bytes: int) -> list[list[Node]]:
    """Return the nodes in batches, first-fit decreasing; what is over the limit stays alone."""
    batches: list[list[Node]] = []
    room = _Room()
    falling = sorted(nodes, key=_PATH)
    falling.sort(key=_SIZE, reverse=True)  # keeps the order of the paths among equals
    for node in falling:
        index = room.take_first(node.size_bytes)
        if index is None:
            index = room.begin(limit_bytes - node.size_bytes)
            batches.append([])
        batches[index].append(node)
    for batch in batches:
        batch.sort(key=_PATH)
    return batches


class _Folder:
    """A folder that has been read in part."""

    __slots__ = ("path", "pieces", "size_bytes")

    def __init__(self, path: str) -> None:
        self.path = path
        self.size_bytes = 0
        self.pieces: list[Node] = []

    def closed_in(self, outer: _Folder, limit_bytes: int) -> _Folder:
        """Hand what it consists of to the folder that it lies in, and return that one."""
        if self.size_bytes <= limit_bytes:
            outer.pieces.append(Node(self.path, self.size_bytes, is_folder=True))
        else:
            outer.pieces += self.pieces
        outer.size_bytes += self.size_bytes
        return outer


class _Room:
    """What is left in each batch, for sizes that never grow from one question to the next."""

    def __init__(self) -> None:
        self._left: list[int] = []
        self._open: list[int] = []
        """Heap of the batches that have room for the last size, but perhaps for the first one."""
        self._waiting: list[tuple[int, int]] = []
        """Heap of (minus the room, batch) for the others."""

    def begin(self, room: int) -> int:
        """Return the number of a new batch; one that is over its limit takes nothing more."""
        number = len(self._left)
        self._left.append(room)
        if room >= 0:
            heappush(self._waiting, (-room, number))
        return number

    def take_first(self, size: int) -> int | None:
        """Take the room from the first batch that has it and return its number, else None."""
        opened, waiting, left = self._open, self._waiting, self._left
        while waiting and -waiting[0][0] >= size:
            heappush(opened, heappop(waiting)[1])
        while opened:
            number = opened[0]
            if left[number] >= size:
                left[number] -= size
                return number
            heappush(waiting, (-left[number], heappop(opened)))
        return None
