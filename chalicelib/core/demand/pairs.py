"""Pairs: which outputs come from which inputs (provenance; section 3.7).

Without overrides every output comes from all inputs. With them: first the pairs of sets, in
order; then one pair of all inputs with the outputs that no override names; last the single pairs,
grouped by output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

from chalicelib.core.demand.job_params import JobParam, ParamKind, find_names
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest


class ParamPair(Wire):
    """One override that names one input, one output, or one of each."""

    input: str | None = None
    output: str | None = None


class ParamSetPair(Wire):
    """One override that names several."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def _one_form(value: object) -> object:
    # Choosing the form first keeps the paths of pydantic's errors free of union branches.
    if not isinstance(value, Mapping):
        return value
    is_set = "inputs" in value or "outputs" in value
    pair = ParamSetPair.parse(value) if is_set else ParamPair.parse(value)
    if not any(getattr(pair, name) for name in type(pair).model_fields):
        raise InvalidRequest(
            "the pair names neither an input nor an output",
            value=shortened(dict(value)),
            mend="give input or output, or inputs or outputs",
        )
    return pair


PairOverride = Annotated[ParamPair | ParamSetPair, BeforeValidator(_one_form)]
"""A field that holds an override in either form."""


class SetPair(NamedTuple):
    """Outputs, by parameter name, and the inputs they come from; either may be empty."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def pair_sets(
    params: Sequence[JobParam], overrides: Sequence[ParamPair | ParamSetPair] | None
) -> tuple[SetPair, ...]:
    """Return the pairs by parameter name.

    Raises InvalidRequest, at ``param_pair_overrides``, for a name that is no input or output, and
    for two pairs with the same outputs.
    """
    inputs = _names(params, ParamKind.INPUT)
    outputs = _names(params, ParamKind.OUTPUT)
    if not overrides:
        return _default(tuple(inputs.values()), tuple(outputs.values()))
    pairs = _overridden(inputs, outputs, overrides)
    _refuse_repeats(pairs)
    return tuple(
        SetPair(tuple(map(inputs.__getitem__, sources)), tuple(map(outputs.__getitem__, targets)))
        for sources, targets in pairs
    )


def flat_pairs(
    params: Sequence[JobParam], pairs: Sequence[SetPair]
) -> tuple[tuple[str | None, str | None], ...]:
    """Return one (input, output) per connection, in the order of ``params``; None for no side."""
    place: dict[str | None, int] = {param.name: index for index, param in enumerate(params)}
    found = {
        (source, target)
        for pair in pairs
        for source in pair.inputs or (None,)
        for target in pair.outputs or (None,)
    }
    last = len(place)
    return tuple(
        sorted(found, key=lambda pair: (place.get(pair[0], last), place.get(pair[1], last)))
    )


def _names(params: Sequence[JobParam], kind: ParamKind) -> dict[str, str]:
    return {param.env_name: param.name for param in params if param.kind is kind}


def _default(inputs: tuple[str, ...], outputs: tuple[str, ...]) -> tuple[SetPair, ...]:
    if not outputs:
        return (SetPair(inputs, ()),) if inputs else ()
    return tuple(SetPair(inputs, (name,)) for name in outputs)


def _overridden(
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    overrides: Sequence[ParamPair | ParamSetPair],
) -> list[SetPair]:
    """Return the pairs by environment name."""
    sets: list[SetPair] = []
    singles: list[SetPair] = []
    for index, override in enumerate(overrides):
        with at_field(f"param_pair_overrides.{index}"):
            given = _as_set(override)
            sources = find_names(given.inputs, inputs, "inputs", "input")
            targets = find_names(given.outputs, outputs, "outputs", "output")
        (sets if isinstance(override, ParamSetPair) else singles).append(SetPair(sources, targets))
    covered = {env for _, targets in (*sets, *singles) for env in targets}
    remaining = tuple(env for env in outputs if env not in covered)
    rest = [SetPair(tuple(inputs), remaining)] if remaining else []
    return [*sets, *rest, *_grouped(singles)]


def _grouped(singles: Sequence[SetPair]) -> list[SetPair]:
    groups: dict[tuple[str, ...], dict[str, None]] = {}
    for sources, targets in singles:
        groups.setdefault(targets, {}).update(dict.fromkeys(sources))
    return [SetPair(tuple(sources), targets) for targets, sources in groups.items()]


def _as_set(override: ParamPair | ParamSetPair) -> SetPair:
    if isinstance(override, ParamSetPair):
        return SetPair(override.inputs, override.outputs)
    sources = () if override.input is None else (override.input,)
    targets = () if override.output is None else (override.output,)
    return SetPair(sources, targets)


def _refuse_repeats(pairs: Sequence[SetPair]) -> None:
    seen: set[frozenset[str]] = set()
    for _, targets in pairs:
        outputs = frozenset(targets)
        if outputs and outputs in seen:
            raise InvalidRequest(
                "two pairs have the same outputs",
                field="param_pair_overrides",
                value=sorted(outputs),
                mend="make one pair of them, with the inputs of both",
            )
        seen.add(outputs)
