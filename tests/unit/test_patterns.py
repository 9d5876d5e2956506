"""Every pattern that a value may fail to fit is told in words."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from chalicelib import core
from chalicelib.core.documents import parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.options import Options
from chalicelib.core.patterns import WORDS


def patterns_in(schema: object) -> Iterator[str]:
    match schema:
        case {**members}:
            if isinstance(members.get("pattern"), str):
                yield members["pattern"]
            for member in members.values():
                yield from patterns_in(member)
        case list():
            for member in schema:
                yield from patterns_in(member)


def models(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in root.__subclasses__():
        if model.__module__.startswith(core.__name__):
            yield model
        yield from models(model)


def test_every_pattern_has_its_words():
    for module in pkgutil.walk_packages(core.__path__, f"{core.__name__}."):
        importlib.import_module(module.name)
    found = {each for model in models(BaseModel) for each in patterns_in(schema_of(model))}
    assert found
    assert found - set(WORDS) == set()


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="validation")


@pytest.mark.parametrize(
    ("options", "message", "mend"),
    [
        (
            {"group": "a b"},
            "group: the value is not of the form that is needed",
            "give 1 to 128 letters (A-Z, a-z), digits, dots, hyphens and underscores",
        ),
        (
            {"max_attempts": 101},
            "max_attempts: Input should be less than or equal to 100",
            "give a number of at most 100",
        ),
        (
            {"max_attempts": 0},
            "max_attempts: Input should be greater than or equal to 1",
            "give a number of at least 1",
        ),
    ],
    ids=["a pattern", "too large", "too small"],
)
def test_what_fits_is_said_in_words(options, message, mend):
    with pytest.raises(InvalidRequest) as refused:
        parse_document(Options, options)
    (field,) = options
    assert (refused.value.message, refused.value.mend) == (message, mend)
    assert (refused.value.field, refused.value.value) == (field, options[field])
