"""docs/errors.md lists every type of problem that can be answered, and no other."""

from __future__ import annotations

import ast
import re
from http import HTTPStatus
from pathlib import Path

import pytest

from chalicelib.core import errors, problem
from chalicelib.core.errors import FalseworkError
from chalicelib.web.problems import from_error

CHECKOUT = Path(__file__).parents[3]
PAGE = (CHECKOUT / "docs" / "errors.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
ROWS = {match[1]: int(match[2]) for match in _ROW.finditer(PAGE)}


def test_the_page_lists_every_type_with_its_status_cause_and_mend():
    assert {word: int(status) for word, status in problem.TYPES.items()} == ROWS


def _classes():
    tree = ast.parse(Path(errors.__file__).read_text(encoding="utf-8"))
    found = [getattr(errors, each.name) for each in tree.body if isinstance(each, ast.ClassDef)]
    return [each for each in found if issubclass(each, FalseworkError)]


def _made(kind):
    try:
        return kind("x")
    except TypeError:
        return kind("x", retry_after_seconds=1)


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_every_error_of_ours_is_told_by_a_type_of_the_page(kind):
    try:
        error = _made(kind)
    except TypeError:
        pytest.skip("it is made of more than a text; its base stands for it")
    response = from_error(error)
    word = re.search(r'"urn:falsework:problem:([a-z-]+)"', response.body)[1]
    assert ROWS[word] == response.status_code


def _statuses_in_the_code():
    """Every ``HTTPStatus.X`` and number that stands where a problem is made."""
    for path in (CHECKOUT / "chalicelib" / "web").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name not in {"problem", "problem_answer", "problem_document", "Refusal"}:
                continue
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, int):
                yield first.value
            elif isinstance(first, ast.Attribute) and hasattr(HTTPStatus, first.attr):
                yield int(HTTPStatus[first.attr])


def test_every_status_that_is_told_without_an_error_of_ours_has_a_type():
    told = set(_statuses_in_the_code())
    assert {403, 404, 405, 408, 411, 413, 500} <= told <= set(map(int, problem.TYPES.values()))


@pytest.mark.parametrize(("status", "told"), [(418, 400), (451, 400), (507, 500), (414, 414)])
def test_a_status_without_a_type_is_told_as_the_class_that_it_is_of(status, told):
    assert problem.problem_document(status, "x")["status"] == told


def test_types_are_not_made_from_words_that_differ_between_pythons():
    assert problem.problem_document(413, "x")["type"].endswith(":request-entity-too-large")
    assert problem.problem_document(422, "x")["type"].endswith(":unprocessable-entity")
