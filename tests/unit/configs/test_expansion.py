"""Configs are checked whole before anything is done, and matrices make what they say."""

from __future__ import annotations

import copy
import tracemalloc

import pytest

from chalicelib.core.configs.expansion import read_config
from chalicelib.core.configs.matrices import combinations, filled, size_of
from chalicelib.core.configs.version_one import migrated
from chalicelib.core.errors import InvalidRequest, TooLarge
from tests.flow.config_world import a_config, a_step

VALUES = {"a": 1, "b": "x", "c": [1, {"d": None}], "e-f": True}


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("${{ matrix.a }}", 1),
        ("${{matrix.c}}", [1, {"d": None}]),
        ("n${{ matrix.a }}-${{ matrix.b }}", "n1-x"),
        ("${{ matrix.a }}${{ matrix.a }}", "11"),
        ("${{ matrix.e-f }}", True),
        ("is ${{ matrix.e-f }}", "is true"),
        (["${{ matrix.b }}", {"${{ matrix.b }}": "${{ matrix.a }}"}], ["x", {"x": 1}]),
        ({"${{ matrix.c }}": 1, "${{ matrix.a }}": 2}, {'[1, {"d": null}]': 1, "1": 2}),
        ("$HOME {{ a }} ${x}", "$HOME {{ a }} ${x}"),
        (3.5, 3.5),
        (None, None),
    ],
    ids=str,
)
def test_marks_are_filled_in(template, made):
    assert filled(template, VALUES) == made


@pytest.mark.parametrize("text", ["${{ matrix.z }}", "${{ a }}", "${{ }}", "${{ matrix.a + 1 }}"])
def test_a_mark_that_nobody_can_fill_in_is_refused(text):
    with pytest.raises(InvalidRequest, match="nothing can be put in the place of") as refused:
        filled({"x": [text]}, VALUES)
    assert "${{ matrix.a }}" in refused.value.mend


def test_every_combination_comes_once_and_without_a_matrix_there_is_one():
    matrix = {"a": (1, 2), "b": ("x", "y", "z")}
    found = list(combinations(matrix))
    assert found[:2] == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]
    assert len(found) == len({str(each) for each in found}) == size_of(matrix) == 6
    assert list(combinations(None)) == [{}]
    assert size_of(None) == 1


LONG = {"n": list(range(25))}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({**a_config(), "version": "1"}, "version"),
        ({**a_config(), "name": "with_underscore"}, "name"),
        ({**a_config(), "canfar_cert": "secret"}, "canfar_cert"),
        (a_config(plan={"steps": []}), "pipeline.steps"),
        (a_config(a_step("one"), a_step("one", 2)), "pipeline.steps.1.name"),
        (a_config(a_step("one", **{"if": "failure"})), "pipeline.steps.0.if"),
        (a_config(a_step("one", success_threshold=0.5)), "pipeline.steps.0.success_threshold"),
        (a_config(a_step("one", stage=-1)), "pipeline.steps.0.stage"),
        (a_config(a_step("one", runs_on="x")), "pipeline.steps.0.runs_on"),
        (a_config(a_step("one", matrix={"n": []})), "pipeline.steps.0.matrix.n"),
        (a_config(a_step("one", work={"priority": 9})), "pipeline.steps.0.work.0.priority"),
        (a_config(a_step("one", work={"function": "f"})), "pipeline.steps.0.work.0.command"),
        (a_config(a_step("one"), defaults={"user": "x"}), "pipeline.steps.0.work.0.site"),
        (
            a_config(a_step("one", matrix={"p": [1, 7]}, work={"priority": "${{ matrix.p }}"})),
            "pipeline.steps.0.work.1.priority",
        ),
        (a_config(a_step("one", work={"config": [1]})), "pipeline.steps.0.work.0.config"),
        (a_config(a_step("one", work={"config": "x"})), "pipeline.steps.0.work.0.config"),
        (
            a_config(a_step("one", matrix={"n": [1]}, work={"pipeline": "p-${{ matrix.n }}"})),
            "pipeline.steps.0.work.pipeline",
        ),
        (a_config(a_step("one", matrix={"a": LONG["n"], "b": LONG["n"]})), "pipeline.matrix"),
        (a_config(plan={"matrix": {"a": LONG["n"], "b": LONG["n"]}}), "pipeline.matrix"),
        (a_config(a_step("o", matrix=LONG), plan={"matrix": {"a": list(range(81))}}),
         "pipeline.matrix"),
        (a_config(deployments=[{"name": "d", "site": "s"}] * 2), "deployments.1.name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_field(config, field):
    before = copy.deepcopy(config)
    with pytest.raises(InvalidRequest) as refused:
        read_config(config)
    assert (refused.value.field, config) == (field, before)
    assert refused.value.mend


def test_a_config_must_fit_a_document():
    with pytest.raises(TooLarge, match="60000 characters"):
        read_config(a_config(a_step("one", work={"parameters": {"x": "y" * 60_000}})))


def test_works_may_not_grow_without_bounds_when_their_marks_are_filled_in():
    """Thirty thousand characters of a config would be a gigabyte of works."""
    matrix = {"x": ["x" * 20_000], "n": list(range(100))}
    step = a_step("one", matrix=matrix, work={"parameters": {"x": "${{ matrix.x }}" * 500}})
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="with the matrices filled in"):
            read_config(a_config(step))
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("unset", ["defaults", "deployments"])
def test_a_key_without_a_value_is_as_good_as_none(unset):
    step = a_step("one", runs_on=None, matrix=None, work={"site": "s", "user": "u"})
    read_config({**a_config(step, plan={"matrix": None, "runs_on": None}), unset: None})


@pytest.mark.parametrize("version", ["2", 2])
def test_the_version_may_be_a_number(version):
    assert read_config({**a_config(), "version": version}).version == "2"


def test_version_one_becomes_version_two():
    one = {
        "version": "1", "name": "old", "matrix": {"n": [1]}, "status": "running", "id": "x",
        "pipeline": {"my_step": {"stage": 1, "work": {"site": "s", "user": "u"}}},
    }  # fmt: skip
    config = read_config(migrated(one))
    assert [step.name for step in config.pipeline.steps] == ["my-step"]
    assert config.pipeline.matrix == {"n": (1,)}
    assert migrated(a_config()) == a_config()
