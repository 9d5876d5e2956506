"""Several documents in one text: a JSON list of objects, or JSON Lines (an object on each line).

One that is wrong has its problem in the place of its value and disturbs no neighbour. A single
object is a list of one; so is a text that is no JSON at all, with one problem and not one for
each of its lines. Lines end with LF, as JSON Lines has it (jsonlines.org); CR before it is
white space, and blank lines are nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from chalicelib.core.documents import check_widths
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.json_text import not_an_object, read_request, read_value
from chalicelib.core.limits import REQUEST_LIST_ITEMS


class Line(NamedTuple):
    """A line of a text that is not blank: where it stands, counted from 1, and its bytes."""

    number: int
    start: int
    content: bytes

    @property
    def end(self) -> int:
        """The offset behind its last byte."""
        return self.start + len(self.content)


class Document(NamedTuple):
    """One of several documents."""

    number: int
    """Its line, or its place in the list; from 1."""
    text: str
    """As it was sent, but for bytes that are not UTF-8; an element of a list is written anew."""
    value: dict[str, Any] | None
    problem: InvalidRequest | None
    """Set where ``value`` is None."""


def read_lines(content: bytes, first_number: int = 1) -> Iterator[Line]:
    """Yield the lines that are not blank."""
    start, number = 0, first_number
    while start < len(content):
        end = content.find(b"\n", start)
        line = content[start : end if end >= 0 else len(content)]
        if line.strip():
            yield Line(number, start, line)
        start, number = start + len(line) + 1, number + 1


def read_documents(content: bytes) -> list[Document]:
    """Return the documents, at least one."""
    try:
        value = read_value(content)
        check_widths(value, REQUEST_LIST_ITEMS)
    except InvalidRequest as exc:
        documents = [read_document(line) for line in read_lines(content)]
        if any(document.problem is None for document in documents):
            return documents
        return [Document(1, _text(content), None, exc)]
    if isinstance(value, list) and value:
        return [_element(number, element) for number, element in enumerate(value, 1)]
    if isinstance(value, dict):
        return [Document(1, _text(content), value, None)]
    return [Document(1, _text(content), None, not_an_object(value))]


def read_document(line: Line) -> Document:
    """Return what stands on the line."""
    try:
        value = read_request(line.content)
    except InvalidRequest as exc:
        return Document(line.number, _text(line.content), None, exc)
    return Document(line.number, _text(line.content), value, None)


def in_groups(lines: Iterator[Line], size: int) -> Iterator[Sequence[Line]]:
    """Yield the lines, ``size`` at a time."""
    while group := list(islice(lines, size)):
        yield group


def _element(number: int, element: object) -> Document:
    text = json.dumps(element)
    if isinstance(element, dict):
        return Document(number, text, element, None)
    return Document(number, text, None, not_an_object(element))


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
