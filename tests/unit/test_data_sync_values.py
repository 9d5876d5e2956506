"""The pure parts: plans, ETags, trees, what is outdated."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.data_sync.checksums import MOST_PARTS, PART_BYTES, part_bytes, part_bytes_of
from chalicelib.core.data_sync.destinations import fit_for_folders, refuse_file_and_folder
from chalicelib.core.data_sync.outdated import Age, outdated
from chalicelib.core.data_sync.plan import PlannedFile, SyncPlan, Verdict, in_the_way, judged
from chalicelib.core.data_sync.selection import FileState, what_to_copy, what_to_delete
from chalicelib.core.data_sync.tree import tree_of
from chalicelib.core.errors import InvalidRequest, Unavailable
from chalicelib.worker.sync.content import has_etag

NOON = datetime(2024, 1, 9, tzinfo=UTC)
MIB = 1024**2

names = st.text(alphabet="ab/-é", min_size=1, max_size=4)
states = st.builds(
    FileState,
    st.integers(0, 2),
    st.integers(0, 2).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    st.sampled_from([None, "x", "y"]),
)
listings = st.dictionaries(names, states, max_size=8)


@given(listings, listings, st.booleans(), st.booleans())
def test_a_plan_is_what_both_whole_listings_say(source, there, force, size_only):
    pairs = list(
        judged(sorted(source.items()), sorted(there.items()), force=force, size_only=size_only)
    )
    copied = tuple(p.name for p in pairs if p.verdict in {Verdict.COPY, Verdict.OVERWRITE})
    assert copied == what_to_copy(source, there, force=force, size_only=size_only)
    extra = tuple(p.name for p in pairs if p.verdict is Verdict.EXTRA)
    assert extra == what_to_delete(source, there, delete=True)
    assert [p.name for p in pairs] == sorted({*source, *there})
    for pair in pairs:
        if pair.verdict is Verdict.COMPARE:
            assert None in {source[pair.name].checksum, there[pair.name].checksum}


@pytest.mark.parametrize("listed", [["b", "a"], ["a", "a"]])
def test_a_listing_out_of_order_is_refused(listed):
    state = FileState(1, NOON)
    with pytest.raises(Unavailable, match="out of order"):
        list(judged([(name, state) for name in listed], []))


@given(st.sets(names.filter(lambda name: "//" not in name), max_size=8))
def test_a_file_below_a_file_is_found_in_one_pass(found):
    conflicts = any(other.startswith(f"{name}/") for name in found for other in found)
    if conflicts:
        with pytest.raises(InvalidRequest):
            refuse_file_and_folder(found)
    else:
        assert list(fit_for_folders(sorted(found), str)) == sorted(found)


@pytest.mark.parametrize(
    ("copied", "deleted", "first"),
    [
        (["a/b"], ["a", "c"], {"a"}),
        (["a"], ["a/b", "a/c/d", "ab"], {"a/b", "a/c/d"}),
        (["a"], ["b"], set()),
    ],
)
def test_what_is_in_the_way_goes_first(copied, deleted, first):
    files = tuple(PlannedFile(name, 1, NOON) for name in copied)
    plan = SyncPlan("s3://b", "/d", is_folder=True, copied=files, deleted=tuple(deleted))
    assert in_the_way(plan) == first


@pytest.mark.parametrize(
    ("size", "part"),
    [
        (0, PART_BYTES),
        (PART_BYTES * MOST_PARTS, PART_BYTES),
        (PART_BYTES * MOST_PARTS + 1, 2 * PART_BYTES),
        (5 * 1024**4, 1024 * MIB),
    ],
)
def test_parts_are_doubled_until_there_are_not_too_many(size, part):
    assert part_bytes(size) == part
    assert -(-size // part) <= MOST_PARTS


@pytest.mark.parametrize("size", [0, 1, 17 * MIB, 24 * MIB])
@pytest.mark.parametrize("part", [0, 5 * MIB, 8 * MIB, 16 * MIB])
def test_a_files_etag_is_worked_out_whatever_its_parts_were(tmp_path, size, part):
    content = b"0123456789abcdef" * (size // 16) + b"x" * (size % 16)
    (tmp_path / "f").write_bytes(content)
    etag = hashlib.md5(content).hexdigest()
    if part:
        parts = [content[at : at + part] for at in range(0, max(1, size), part)]
        digests = b"".join(hashlib.md5(each).digest() for each in parts)
        etag = f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"
    # Of two usual sizes that give as many parts only one can be tried.
    is_known = part_bytes_of(etag, size) in {part, None} or len(content) <= part
    assert has_etag(tmp_path / "f", etag, size) is is_known
    assert not has_etag(tmp_path / "f", "f" * 32, size)
    assert not has_etag(tmp_path / "f", "no etag", size)


FILES = [
    ("a/1.txt", 10, datetime(2024, 1, 1, tzinfo=UTC)),
    ("a/2.txt", 20, datetime(2024, 1, 5, tzinfo=UTC)),
    ("b/3.txt", 30, datetime(2024, 1, 9, tzinfo=UTC)),
    ("c.txt", 40, datetime(2023, 12, 25, tzinfo=UTC)),
]


@pytest.mark.parametrize(
    ("now", "age", "allowed", "expected"),
    [
        ("2024-02-01", {"days": 3}, 0, [""]),
        ("2024-01-10", {"days": 3}, 0, ["a/", "c.txt"]),
        ("2024-02-01", {"days": 3, "min_depth": 1}, 0, ["a/", "b/", "c.txt"]),
        ("2024-02-01", {"days": 0, "min_depth": 2}, 50, ["a/1.txt", "c.txt"]),
        ("2024-01-10", {"days": 3, "max_depth": 0}, 0, []),
        ("2024-01-07", {"days": 3, "max_depth": 1}, 0, ["c.txt"]),
        ("2024-01-09", {"days": 0}, 0, ["a/", "c.txt"]),
        ("2024-02-01", {"days": 3}, 100, []),
        ("2024-02-01", {"days": 3}, 99, [""]),
        ("2024-02-01", {"days": 3, "min_depth": 9}, 0, [name for name, *_ in FILES]),
    ],
)
def test_what_is_outdated(now, age, allowed, expected):
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert outdated(tree_of(FILES), Age(now=at, **age), size_bytes_allowed=allowed) == expected


def test_nothing_is_outdated_where_nothing_is():
    assert outdated(tree_of([]), Age(NOON, 0.0)) == []


def test_a_tree_as_deep_as_a_key_allows_is_walked():
    deep = "/".join("x" * 600)
    root = tree_of([(deep, 1, NOON)])
    assert max(path.count("/") for path, _ in root.walk()) == 599
    assert outdated(root, Age(NOON + timedelta(1), 0.0, min_depth=700)) == [deep]
