"""The parameters of a demand as they are after parsing: names matched, references resolved.

A parameter is *plain* (its value becomes an environment variable, the way Python's ``str`` writes
it), an *input* or an *output* (its local path becomes the variable). ``inputs`` and ``outputs``
name parameters by environment name; one named twice is one parameter. (Sections 3.1 to 3.5.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import chain

from pydantic import JsonValue

from chalicelib.core.demand.env_names import env_name
from chalicelib.core.demand.references import resolve_all
from chalicelib.core.demand.resolvables import Resolvable, read_input, read_output
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun


class ParamKind(StrEnum):
    """What a parameter is."""

    PLAIN = "plain"
    INPUT = "input"
    OUTPUT = "output"


class JobParam(Noun):
    """One parameter, resolved."""

    name: str
    """As the document spells it under ``params``."""
    env_name: str
    kind: ParamKind
    value: str
    """What the environment variable holds: the text of a plain value, else the local path."""
    resolvable: Resolvable | None = None
    """Both sides and the filters of an input or output, resolved."""


def read_params(
    params: Mapping[str, JsonValue],
    inputs: Iterable[str],
    outputs: Iterable[str],
    prefix: str | None,
) -> tuple[JobParam, ...]:
    """Match, read and resolve, in the order of ``params``.

    Raises InvalidRequest; its field is relative to the execution parameters (``params.x``).
    """
    names = _env_names(params)
    kinds = _kinds(names, inputs, outputs)
    raw = {env: _read(names[env], params[names[env]], kind, prefix) for env, kind in kinds.items()}
    values = {
        env: raw[env].local if env in raw else str(params[name]) for env, name in names.items()
    }
    # A remote side is expanded along with the rest, so that one bound holds for all of it; with
    # a blank in its name nothing can refer to it.
    remotes = {_remote_key(env): resolvable.remote for env, resolvable in raw.items()}
    resolved = _resolve(values | remotes, names)
    return tuple(
        JobParam(
            name=name,
            env_name=env,
            kind=kinds.get(env, ParamKind.PLAIN),
            value=resolved[env],
            resolvable=_resolved(env, raw.get(env), resolved),
        )
        for env, name in names.items()
    )


def _resolve(values: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    try:
        return resolve_all(values)
    except InvalidRequest as exc:
        env = exc.field.partition(" ")[0]
        field = f"params.{names[env]}" if env in names else "params"
        raise type(exc)(exc.message, field=field, value=exc.value, mend=exc.mend) from exc


def _remote_key(env: str) -> str:
    return f"{env} remote"


def _resolved(env: str, raw: Resolvable | None, values: Mapping[str, str]) -> Resolvable | None:
    if raw is None:
        return None
    return raw.model_copy(update={"local": values[env], "remote": values[_remote_key(env)]})


def find_names(
    listed: Iterable[str], known: Iterable[str], field: str, kind: str
) -> tuple[str, ...]:
    """Return the environment names of a list of names, each once, each one of the known."""
    allowed = frozenset(known)
    found: dict[str, None] = {}
    for index, name in enumerate(listed):
        with at_field(f"{field}.{index}"):
            env = env_name(name)
        if env not in allowed:
            raise InvalidRequest(
                f"{shortened(name)!r} is no {kind} of this demand",
                field=f"{field}.{index}",
                value=shortened(name),
                mend=f"leave it out, or name an existing {kind}",
            )
        found[env] = None
    return tuple(found)


def _env_names(params: Mapping[str, JsonValue]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in params:
        with at_field(f"params.{name}"):
            env = env_name(name)
        if env in names:
            raise InvalidRequest(
                f"{shortened(names[env])!r} and {shortened(name)!r} are one environment variable",
                field=f"params.{name}",
                value=shortened(name),
                mend="rename one of the two",
            )
        names[env] = name
    return names


def _kinds(
    names: Mapping[str, str], inputs: Iterable[str], outputs: Iterable[str]
) -> dict[str, ParamKind]:
    found_inputs = find_names(inputs, names, "inputs", "parameter")
    found_outputs = find_names(outputs, names, "outputs", "parameter")
    both = frozenset(found_inputs) & frozenset(found_outputs)
    for env in found_outputs:
        if env in both:
            raise InvalidRequest(
                f"{shortened(names[env])!r} is both an input and an output",
                field="outputs",
                value=shortened(names[env]),
                mend="make two parameters of it",
            )
    pairs = chain(
        ((env, ParamKind.INPUT) for env in found_inputs),
        ((env, ParamKind.OUTPUT) for env in found_outputs),
    )
    return dict(pairs)


def _read(name: str, value: JsonValue, kind: ParamKind, prefix: str | None) -> Resolvable:
    with at_field(f"params.{name}"):
        return read_input(value) if kind is ParamKind.INPUT else read_output(value, prefix)
