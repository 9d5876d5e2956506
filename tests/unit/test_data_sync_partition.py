"""The cut and the packing, against their definition carried out word by word."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.data_sync.partition import Node, cut, pack, partition
from chalicelib.core.errors import Unavailable

names = st.sampled_from(["a", "b", "a-", "a0", "é"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
listings = st.dictionaries(paths, st.integers(0, 12), max_size=30)
limits = st.integers(0, 40)


class Tree:
    """A folder as the definition has it: a size, and children by name."""

    def __init__(self, path):
        self.path = path
        self.size = 0
        self.folders: dict[str, Tree] = {}
        self.files: list[Node] = []

    def add(self, path, parts, size):
        self.size += size
        if len(parts) == 1:
            self.files.append(Node(path, size, is_folder=False))
            return
        below = self.folders.setdefault(parts[0], Tree(f"{self.path}{parts[0]}/"))
        below.add(path, parts[1:], size)

    def cut(self, limit):
        """Begin with the root; replace what is larger than the limit by its children."""
        if self.size <= limit:
            return [Node(self.path, self.size, is_folder=True)]
        below = [node for folder in self.folders.values() for node in folder.cut(limit)]
        return self.files + below


def tree_of(listing):
    root = Tree("")
    for path, size in listing.items():
        root.add(path, path.split("/"), size)
    return root


def packed(nodes, limit):
    """Try one batch after the other."""
    batches: list[list[Node]] = []
    for node in sorted(nodes, key=lambda node: (-node.size_bytes, node.path)):
        for batch in batches:
            if sum(each.size_bytes for each in batch) + node.size_bytes <= limit:
                batch.append(node)
                break
        else:
            batches.append([node])
    return [sorted(batch, key=lambda node: node.path) for batch in batches]


def shown(batches):
    return [[node.path for node in batch] for batch in batches]


@given(listings, limits)
def test_the_cut_is_that_of_a_tree_cut_from_its_root(listing, limit):
    expected = tree_of(listing).cut(limit) if listing else []
    assert cut(sorted(listing.items()), limit) == sorted(expected)


@given(st.lists(st.integers(0, 120), max_size=200), st.integers(0, 100))
def test_the_packing_is_that_of_trying_every_batch_in_turn(sizes, limit):
    nodes = [Node(str(number), size, is_folder=False) for number, size in enumerate(sizes)]
    assert pack(nodes, limit) == packed(nodes, limit)


@pytest.mark.parametrize("largest", [3, 90, 130], ids=["many a batch", "few a batch", "too large"])
def test_the_packing_of_many_is_that_of_trying_every_batch_in_turn(largest):
    sizes = random.Random(largest).choices(range(largest + 1), k=1500)
    nodes = [Node(f"{number:04}", size, is_folder=False) for number, size in enumerate(sizes)]
    assert pack(nodes[::-1], 100) == packed(nodes, 100)


@given(listings, limits)
def test_every_file_is_in_exactly_one_batch_and_only_single_files_are_over_the_limit(
    listing, limit
):
    batches = partition(sorted(listing.items()), limit)
    for path in listing:
        holders = [
            node
            for batch in batches
            for node in batch
            if (path.startswith(node.path) if node.is_folder else node.path == path)
        ]
        assert len(holders) == 1
    for batch in batches:
        total = sum(node.size_bytes for node in batch)
        assert total <= limit or (len(batch) == 1 and not batch[0].is_folder)


@pytest.mark.parametrize("names", [["b", "a"], ["a/b", "a-b"], ["a/b", "c", "a/d"], ["a", "a"]])
def test_a_listing_that_is_out_of_order_is_not_cut(names):
    with pytest.raises(Unavailable):
        cut([(name, 1) for name in names], 100)


@pytest.mark.parametrize(
    ("listing", "limit", "expected"),
    [
        pytest.param({}, 100, [], id="nothing"),
        pytest.param({"a": 60, "b/c": 40}, 100, [[""]], id="it fits"),
        pytest.param(
            {"a": 90, "b/1": 50, "b/2": 20, "c": 25, "d": 9},
            100,
            [["a", "d"], ["b/", "c"]],
            id="the worked example",
        ),
        pytest.param({"huge": 250, "x": 60, "y": 30}, 100, [["huge"], ["x", "y"]], id="too large"),
        pytest.param({"huge": 250, "e": 0}, 100, [["huge"], ["e"]], id="nothing beside too large"),
        pytest.param(
            {"b": 60, "a": 60, "c": 60}, 100, [["a"], ["b"], ["c"]], id="ties go by path"
        ),
        pytest.param({"a": 60, "a/b": 60}, 100, [["a"], ["a/"]], id="a file and a folder"),
        pytest.param({"": 250}, 100, [[""]], id="a single object"),
    ],
)
def test_batches(listing, limit, expected):
    assert shown(partition(sorted(listing.items()), limit)) == expected


def test_the_root_is_a_folder_and_a_single_object_is_not():
    assert partition([("a", 1)], 9) == [[Node("", 1, is_folder=True)]]
    assert partition([("", 1)], 9) == [[Node("", 1, is_folder=False)]]
