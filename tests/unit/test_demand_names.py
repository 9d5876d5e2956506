"""Hashes, condensed names and names for Batch (sections 5.2 to 5.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.demand.names import (
    batch_name,
    condense,
    content_text,
    short_hash,
    text_hash,
)


def test_a_text_is_hashed_without_quotes() -> None:
    assert short_hash("s3://interop-bucket/i") == "0fea3748"
    assert text_hash("é") == ("4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c")


def test_the_hashed_text_has_sorted_keys_and_escapes() -> None:
    assert content_text(["é", {"b": 1, "a": [True, None]}]) == (
        '["\\u00e9", {"a": [true, null], "b": 1}]'
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("align", "dev-interop-align-h"),
        ("dev-interop-align", "dev-interop-align-h"),
        ("dev-interop", "dev-interop-h"),
        ("dev-align", "dev-interop-dev-align-h"),
        ("dev-interopX", "dev-interop-dev-interopX-h"),
        ("dev", "dev-interop-dev-h"),
    ],
)
def test_a_batch_name_repeats_no_prefix(kind: str, name: str) -> None:
    assert batch_name("dev-interop", kind, "h") == name


def test_a_text_that_is_too_long_ends_in_its_hash() -> None:
    assert condense("a" * 40, 24) == "aaaaaaaaaaaaaaa-e33cdf9c"
    assert condense("a" * 24, 24) == "a" * 24
    with pytest.raises(ValueError, match="do not hold"):
        condense("a" * 40, 8)


@given(st.text(max_size=60), st.integers(9, 50))
def test_a_condensed_text_fits_and_stays(text: str, size: int) -> None:
    condensed = condense(text, size)
    assert len(condensed) == min(len(text), size)
    assert condense(condensed, size) == condensed
