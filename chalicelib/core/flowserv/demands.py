"""From a template and arguments to a demand of its own. Pure.

A file is an object: the ``fileId`` of a file argument is its location. What a run makes goes
below ``<the template's output_s3_prefix>/<workflow>/runs/<run>``, where no other run's things are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import Field, JsonValue

from chalicelib.core.documents import at_field, parse_document, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.flowserv.files import RunFile
from chalicelib.core.flowserv.workflows import Argument, Parameter
from chalicelib.core.noun import Noun
from chalicelib.core.object_names import parse_object
from chalicelib.core.paths import join_s3

RANKING: Final = "ranking"
"""The parameter that tells a post-processing run the ids of the runs, as a JSON list."""
_EXACT: Final[dict[str, tuple[type, ...]]] = {"string": (str,), "bool": (bool,)}
_NUMBERS: Final = {"int": int, "float": float}


class Asked(NamedTuple):
    """Which run is to be made."""

    run_id: str
    workflow_id: str
    group: str


class Filling(NamedTuple):
    """What is written into a template's parameters."""

    params: dict[str, JsonValue]
    inputs: tuple[str, ...]
    """Those of them that are files to bring, whatever the template says."""


class _File(Noun):
    file_id: str = Field(alias="fileId")
    target_path: str | None = Field(default=None, alias="targetPath", min_length=1)


class _FileValue(Noun):
    type: str = Field(pattern=r"^\$file$")
    value: _File


def filling_of(parameters: Sequence[Parameter], arguments: Sequence[Argument]) -> Filling:
    """Return what the arguments put in. Raises InvalidRequest for one that does not fit."""
    declared = {each.name: each for each in parameters}
    given: dict[str, JsonValue] = {}
    for number, argument in enumerate(arguments):
        with at_field(f"arguments.{number}"):
            _check_name(argument.name, declared, given)
            with at_field("value"):
                given[argument.name] = _value(declared[argument.name], argument.value)
    for each in parameters:
        if each.name not in given and each.default is not None:
            given[each.name] = _value(each, each.default)
        elif each.name not in given and each.required:
            raise InvalidRequest(
                f"the parameter {each.name!r} needs an argument",
                field="arguments",
                mend=f'add {{"name": "{each.name}", "value": …}}',
            )
    files = tuple(name for name in given if declared[name].dtype == "file")
    return Filling(given, files)


def with_runs(
    filling: Filling, runs: Sequence[str], files: Iterable[Sequence[RunFile]]
) -> Filling:
    """Return the filling with the runs' files, ``RUN_<place of the run>_<number of the file>``
    each, at ``runs/<run>/<key>``; a run that is named twice brings them once."""
    params = {**filling.params, RANKING: json.dumps(list(runs))}
    inputs = list(filling.inputs)
    seen: set[str] = set()
    for place, (run_id, its) in enumerate(zip(runs, files, strict=True), 1):
        for number, file in enumerate(() if run_id in seen else its, 1):
            name = f"RUN_{place}_{number}"
            params[name] = {"local": f"runs/{run_id}/{file.key}", "remote": file.uri}
            inputs.append(name)
        seen.add(run_id)
    return Filling(params, tuple(inputs))


def demand_of(
    template: Mapping[str, JsonValue], asked: Asked, filling: Filling
) -> dict[str, JsonValue]:
    """Return the body of a submission. Its own rules are checked where it is submitted."""
    wrapped = template.get("demand_execution")
    bare = template if wrapped is None else wrapped
    demand = {**_filled(_object(bare, "demand_execution"), asked, filling)}
    options = {**_object(template.get("options", {}), "options"), "group": asked.group}
    if wrapped is None:
        return {**demand, "options": options}
    return {**template, "demand_execution": demand, "options": options}


def _filled(demand: Mapping[str, Any], asked: Asked, filling: Filling) -> dict[str, JsonValue]:
    found = _object(demand.get("execution_parameters", {}), "execution_parameters")
    params = {**_object(found.get("params", {}), "params"), **filling.params}
    inputs = dict.fromkeys([*found.get("inputs", ()), *filling.inputs])
    parameters: dict[str, JsonValue] = {**found, "params": params, "inputs": list(inputs)}
    if found.get("output_s3_prefix"):
        own = f"{asked.workflow_id}/runs/{asked.run_id}"
        parameters["output_s3_prefix"] = join_s3(str(found["output_s3_prefix"]), own)
    return {**demand, "execution_id": asked.run_id, "execution_parameters": parameters}


def _object(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(
            f"the workflow's template has no object at {field}",
            field=f"template.{field}",
            value=shortened(value),
            mend="correct the site's workflow",
        )
    return value


def _check_name(name: str, declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    if name not in declared:
        known = ", ".join(declared) or "it has none"
        raise InvalidRequest(
            f"the workflow has no parameter {name!r:.100}",
            field="name",
            value=shortened(name),
            mend=f"its parameters are: {known}",
        )
    if name in given:
        raise InvalidRequest(
            f"{name!r} is given twice", field="name", value=name, mend="give it once"
        )


def _value(parameter: Parameter, value: JsonValue) -> JsonValue:
    """Return what stands in the demand for it."""
    if parameter.dtype == "file":
        return _file(value)
    is_fit = isinstance(value, _EXACT.get(parameter.dtype, (int, float, str)))
    if parameter.dtype in _NUMBERS and isinstance(value, bool):
        is_fit = False
    try:
        if not is_fit:
            raise TypeError("another type")  # noqa: TRY301 -- the same answer
        return _NUMBERS[parameter.dtype](value) if parameter.dtype in _NUMBERS else value
    except (TypeError, ValueError, OverflowError) as exc:
        raise InvalidRequest(
            f"{parameter.name} is no {parameter.dtype}",
            value=shortened(value),
            mend=f"give a {parameter.dtype}",
        ) from exc


def _file(value: JsonValue) -> JsonValue:
    file = parse_document(_FileValue, value).value
    try:
        key = parse_object(file.file_id).key
    except InvalidRequest as exc:
        raise InvalidRequest(
            f"a file is given by where it lies, for nothing is uploaded here: {exc.message}",
            field="value.fileId",
            value=shortened(file.file_id),
            mend="put it into a bucket, and give s3://bucket/key",
        ) from exc
    return {"local": file.target_path or key.rpartition("/")[2], "remote": file.file_id}
