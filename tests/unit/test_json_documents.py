"""Several documents in one text."""

from __future__ import annotations

import pytest

from chalicelib.core.json_documents import Document, Line, in_groups, read_documents, read_lines


def told(content):
    return [(each.number, each.value, each.text) for each in read_documents(content)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a": 1}', [(1, {"a": 1}, '{"a": 1}')]),
        (b'\n{"a":\n 1}\n', [(1, {"a": 1}, '\n{"a":\n 1}\n')]),
        (b'{"a": 1}\n{"b": 2}', [(1, {"a": 1}, '{"a": 1}'), (2, {"b": 2}, '{"b": 2}')]),
        (b'{"a": 1}\r\n\r\nx\n', [(1, {"a": 1}, '{"a": 1}\r'), (3, None, "x")]),
        (b'[{"a": 1}, 2]', [(1, {"a": 1}, '{"a": 1}'), (2, None, "2")]),
        (b'[\n{"a": 1}\n]', [(1, {"a": 1}, '{"a": 1}')]),
        (b"[]", [(1, None, "[]")]),
        (b"", [(1, None, "")]),
        (b"{\n}\n}", [(1, None, "{\n}\n}")]),
        (b"\xff", [(1, None, "\ufffd")]),
        (b"[" * 100_000, [(1, None, "[" * 100_000)]),
    ],
    ids=[
        "one", "one over lines", "two lines", "a bad line", "a list", "a list over lines",
        "an empty list", "nothing", "one that is wrong", "not UTF-8", "deep",
    ],
)  # fmt: skip
def test_documents_are_told_apart(content, expected):
    assert told(content) == expected


def test_what_is_wrong_has_its_problem_and_nothing_else_has():
    problems = [each.problem is None for each in read_documents(b'{"a": 1}\n7\n{"b": 1}')]
    assert problems == [True, False, True]


def test_lines_know_where_they_stand():
    content = b'\n{"a"}\r\n  \n{"b"}'
    lines = list(read_lines(content, 10))
    assert lines == [Line(11, 1, b'{"a"}\r'), Line(13, 11, b'{"b"}')]
    assert [content[line.start : line.end] for line in lines] == [line.content for line in lines]


def test_groups_are_of_that_size_but_the_last():
    lines = read_lines(b"1\n2\n3\n4\n5")
    assert [[line.number for line in group] for group in in_groups(lines, 2)] == [
        [1, 2],
        [3, 4],
        [5],
    ]


def test_a_document_is_a_value_or_a_problem():
    assert read_documents(b"{}") == [Document(1, "{}", {}, None)]
