"""ETags of runs, and what If-None-Match says of them."""

from __future__ import annotations

import pytest

from chalicelib.core.etags import etag_of, is_known
from tests.contract.openers import a_run

TAG = 'W/"abc.3.1"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("*", True),
        (" * ", True),
        (TAG, True),
        ('"abc.3.1"', True),
        ('"x", W/"abc.3.1"', True),
        ('W/"abc.3.1","x"', True),
        (' "x" ,\t"abc.3.1" ', True),
        ('"abc.3"', False),
        ('"abc.3.1', False),
        ("abc.3.1", False),
        ('w/"abc.3.1"', False),
        ('"x" "abc.3.1"', False),
        ('"a,b", "abc.3.1"', True),
        ('"x", *', False),
        ('nonsense, "abc.3.1"', False),
    ],
)
def test_a_header_names_the_tag_or_any(header, expected):
    assert is_known(header, TAG) is expected


def test_each_state_of_each_run_has_a_tag_of_its_own():
    runs = [
        a_run(uid=uid, version=version, generation=generation)
        for uid in ("a" * 20, "b" * 20)
        for version in (1, 2, 11)
        for generation in (1, 2)
    ]
    assert len({etag_of(run) for run in runs}) == len(runs)
    assert etag_of(runs[0]) == etag_of(runs[0].model_copy())


def test_a_very_long_header_is_read_in_no_time():
    assert not is_known('"x",' * 200_000 + '"' * 99, TAG)
