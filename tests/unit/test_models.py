"""Models are built at their first use, so a faulty one would show where it is needed first."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import chalicelib
from chalicelib.core.demand.wire import Wire
from chalicelib.core.noun import Noun


def subclasses(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_model_can_be_built():
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = [
        each
        for base in (Noun, Wire)
        for each in subclasses(base)
        if each.__module__.startswith("chalicelib.")
    ]
    assert len(ours) > 200
    for model in ours:
        model.model_rebuild()
        assert model.__pydantic_complete__, model


def test_a_model_is_not_built_when_it_is_imported():
    class Late(Noun):
        name: str

    assert not Late.__pydantic_complete__
    assert Late(name="x").name == "x"
    assert Late.__pydantic_complete__
