"""A source cut into batches of at most so many bytes (section 9 of the demand wire format).

The source is seen as a tree: a folder is as large as what lies in it. What fits the limit stays
whole, and what does not is replaced by its children, from the root downwards; a single file over
the limit stays, for nothing smaller can be copied. The pieces are then packed first-fit
decreasing: the largest first, ties by path, each into the first batch that has room. ::

    a 90, b/1 50, b/2 20, c 25, d 9      limit 100
    cut:  a 90 · b/ 70 · c 25 · d 9      pack:  [a, d] 99 · [b/, c] 95

No tree is built. In a listing a folder's files stand together, so there is one list of pieces, and
of the folders only those are held that are open, each with the place in that list where its own
pieces begin; when a folder that fits is closed, it takes their place.

The first batch with room is not looked for either. The sizes only fall, and so it is known at once
at which turn a batch that has no room will have some again; of those that have, the first is on
top of a heap. Whatever is packed makes one batch wait at most, hence O(n log n).

Until the end pieces are plain tuples: the garbage collector stops looking at such, but walks
through a million named ones so often that it takes longer than all the rest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
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
    cutting = _Cutting(limit_bytes)
    add = cutting.pieces.append
    parent, size_bytes = "", 0  # of the folder that was entered last, and of its files since then
    before = None
    for path, size in objects:
        if before is not None and path <= before:
            raise Unavailable(f"a listing is out of order: {path!r} came after {before!r}")
        before = path
        if path[: path.rfind("/") + 1] != parent:
            cutting.size_bytes += size_bytes
            parent, size_bytes = path[: path.rfind("/") + 1], 0
            cutting.enter(parent)
        size_bytes += size
        add((path, size, False))
    cutting.size_bytes += size_bytes
    cutting.enter("")
    if cutting.pieces and before != "":  # else it is empty, or a single object
        cutting.close()
    return [Node(*piece) for piece in cutting.pieces]


def pack(nodes: Iterable[Node], limit_bytes: int) -> list[list[Node]]:
    """Return the nodes in batches, first-fit decreasing; what is over the limit stays alone."""
    by_path = sorted(nodes, key=_PATH)
    numbers = first_fits([node[1] for node in by_path], limit_bytes)
    batches: list[list[Node]] = [[] for _ in range(max(numbers, default=-1) + 1)]
    for node, number in zip(by_path, numbers, strict=True):
        batches[number].append(node)
    return batches


def first_fits(sizes: Sequence[int], limit_bytes: int) -> list[int]:
    """Return for each size the number of its batch; of equal ones the first goes first."""
    turns = sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)
    rising = [-sizes[index] for index in turns]
    left: list[int] = []
    """What room each batch has."""
    open_: list[int] = []
    """Heap of the batches that had room for the last size."""
    due: defaultdict[int, list[int]] = defaultdict(list)
    """The others, by the turn at which they have room again."""
    numbers = [0] * len(sizes)
    for turn, index in enumerate(turns):
        size = sizes[index]
        for number in due.pop(turn, ()):
            heappush(open_, number)
        while open_ and left[open_[0]] < size:
            number = heappop(open_)
            due[bisect_left(rising, -left[number], turn)].append(number)
        if open_:
            number = open_[0]
            left[number] -= size
        else:
            number = len(left)
            left.append(limit_bytes - size)
            due[bisect_left(rising, -left[number], turn + 1)].append(number)
        numbers[index] = number
    return numbers


class _Cutting:
    """The pieces so far, and the folders around the file that is read."""

    __slots__ = ("_first", "_folder", "_limit_bytes", "_outer", "pieces", "size_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.pieces: list[tuple[str, int, bool]] = []
        self._folder = ""
        self._first = 0
        """Where its pieces begin."""
        self.size_bytes = 0
        """What has been read of it."""
        self._outer: list[tuple[str, int, int]] = []
        """The same three of the folders that it lies in."""

    def enter(self, parent: str) -> None:
        """Close the folders that have been read, and open those that lead to this one."""
        while not parent.startswith(self._folder):
            size_bytes = self.close()
            self._folder, self._first, before = self._outer.pop()
            self.size_bytes = before + size_bytes
        while self._folder != parent:
            self._outer.append((self._folder, self._first, self.size_bytes))
            self._folder = parent[: parent.index("/", len(self._folder)) + 1]
            self._first, self.size_bytes = len(self.pieces), 0

    def close(self) -> int:
        """Put the folder in the place of its pieces, if it fits; return its size."""
        if self.size_bytes <= self._limit_bytes:
            self.pieces[self._first :] = [(self._folder, self.size_bytes, True)]
        return self.size_bytes
