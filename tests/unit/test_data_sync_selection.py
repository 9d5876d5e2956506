"""What is copied and what is deleted, from two listings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.data_sync.selection import FileState, what_to_copy, what_to_delete

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
MANIFEST = ".falsework-manifest.json"


def state(size: int = 1, seconds: float = 0, checksum: str | None = None) -> FileState:
    return FileState(size, NOON + timedelta(seconds=seconds), checksum)


@pytest.mark.parametrize(
    ("source", "there", "options", "is_copied"),
    [
        pytest.param(state(), None, {}, True, id="missing"),
        pytest.param(state(), state(), {}, False, id="same"),
        pytest.param(state(), state(), {"force": True}, True, id="forced"),
        pytest.param(state(2), state(1), {}, True, id="larger"),
        pytest.param(state(0), state(1), {}, True, id="empty"),
        pytest.param(state(seconds=1), state(), {}, True, id="source newer"),
        pytest.param(state(seconds=-1), state(), {}, False, id="source older"),
        pytest.param(state(seconds=0.9), state(seconds=0.1), {}, False, id="same whole second"),
        pytest.param(state(seconds=1.0), state(seconds=0.9), {}, True, id="next whole second"),
        pytest.param(state(checksum="a"), state(checksum="b"), {}, True, id="checksums differ"),
        pytest.param(state(checksum="a"), state(checksum="a"), {}, False, id="checksums equal"),
        pytest.param(state(checksum="a"), state(), {}, False, id="one checksum unknown"),
        pytest.param(
            state(checksum="a"), state(checksum="b"), {"size_only": True}, False, id="size only"
        ),
        pytest.param(
            state(seconds=1), state(), {"size_only": True}, True, id="size only, yet newer"
        ),
    ],
)
def test_one_file(source, there, options, is_copied):
    destination = {} if there is None else {"f": there}
    assert what_to_copy({"f": source}, destination, **options) == (("f",) if is_copied else ())


@pytest.mark.parametrize(
    ("delete", "expected"), [(False, ()), (True, ("b/old", "excluded"))], ids=["kept", "deleted"]
)
def test_extra_files_go_only_if_told_and_manifests_never(delete, expected):
    there = ["a", "excluded", "b/old", MANIFEST, f"a{MANIFEST}", f"b/{MANIFEST}"]
    assert what_to_delete(["a"], there, delete=delete) == expected


states = st.builds(state, st.integers(0, 3), st.floats(-3, 3), st.sampled_from([None, "a", "b"]))
names = st.text("ab/.", min_size=1, max_size=4)
listings = st.dictionaries(names, states, max_size=6)


@given(listings, listings, st.booleans(), st.booleans())
def test_law_after_copying_and_deleting_nothing_is_left_to_do(source, there, force, size_only):
    copied = what_to_copy(source, there, force=force, size_only=size_only)
    deleted = what_to_delete(source, there, delete=True)
    after = {name: each for name, each in there.items() if name not in deleted}
    after |= {name: source[name] for name in copied}
    assert after.keys() == source.keys()
    assert what_to_copy(source, after, size_only=size_only) == ()
    assert what_to_delete(source, after, delete=True) == ()
    assert not set(copied) & set(deleted)


@given(listings, listings)
def test_law_force_copies_everything_and_nothing_from_elsewhere(source, there):
    assert set(what_to_copy(source, there, force=True)) == source.keys()
    assert set(what_to_copy(source, there)) <= source.keys()
