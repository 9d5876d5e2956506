"""Bytes become a JSON object, or an error that says what is wrong with them."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import InvalidRequest, TooLarge
from chalicelib.core.json_text import read_object


@pytest.mark.parametrize(
    ("content", "document"),
    [
        pytest.param(b"{}", {}, id="empty"),
        pytest.param('{"a": "é\\u00e9 \\ud83d\\ude00"}'.encode(), {"a": "éé 😀"}, id="text"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', {"a": 1}, id="byte-order-mark"),
        pytest.param(b' \n{"a": {"b": 1}, "c": {"b": 2}} \n', {"a": {"b": 1}, "c": {"b": 2}},
                     id="same-key-in-two-objects"),
    ],
)  # fmt: skip
def test_an_object_is_read(content, document):
    assert read_object(content) == document


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b'{"a": 1', "line 1, column", id="cut-off"),
        pytest.param(b'{"a": 1} x', "Extra data", id="more-behind-it"),
        pytest.param(b"{'a': 1}", "not JSON", id="python"),
        pytest.param(b"[]", "a JSON list", id="list"),
        pytest.param(b'"text"', "a JSON string", id="string"),
        pytest.param(b"7", "a JSON number", id="number"),
        pytest.param(b"null", "a JSON constant", id="null"),
        pytest.param(b"true", "a JSON constant", id="true"),
        pytest.param(b'{"a": NaN}', "NaN is not JSON", id="nan"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not JSON", id="infinity"),
        pytest.param(b'{"a": 1, "b": 2, "a": 1}', "'a' stands twice", id="key-twice"),
        pytest.param(b'{"x": [{"a": 1, "a": 2}]}', "'a' stands twice", id="key-twice-inside"),
        pytest.param(b'{"a": "\xff"}', "not UTF-8: byte 7", id="latin-1"),
        pytest.param('{"a": 1}'.encode("utf-16"), "not UTF-8", id="utf-16"),
        pytest.param(b'{"a": ' + b"[" * 100_000, "nested too deeply", id="deep-list"),
        pytest.param(b'{"a":' * 100_000, "nested too deeply", id="deep-object"),
        pytest.param(b'{"a": 1' + b"0" * 5000 + b"}", "integer that is too large", id="integer"),
    ],
)
def test_what_is_no_object_is_refused_in_words(content, message):
    with pytest.raises(InvalidRequest) as caught:
        read_object(content)
    assert message in caught.value.message
    assert caught.value.mend


def test_a_document_over_the_limit_is_too_large_whatever_it_says():
    with pytest.raises(TooLarge, match="12 bytes or more; 11 can be taken"):
        read_object(b"not JSON 123", limit_bytes=11)
    assert read_object(b'{"a": "bc"}', limit_bytes=11) == {"a": "bc"}


def test_a_key_that_stands_twice_is_found_in_a_large_object_at_once():
    pairs = ",".join(f'"k{n}": 0' for n in range(200_000))
    with pytest.raises(InvalidRequest, match="'k199999' stands twice"):
        read_object(f'{{{pairs}, "k199999": 0}}'.encode())
