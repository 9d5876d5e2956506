"""Inputs and outputs: a local side, a remote side, and filters (sections 3.4 to 3.6).

::

    input   "s3://bucket/k @ in/a"     remote @ local      no local: tmp + hash of the remote
    output  "out/a @ s3://bucket/k"    local @ remote      no remote: below output_s3_prefix
    either  {"local": …, "remote": …, "include"?: …, "exclude"?: …, "action"?: …}

The texts stay as they were given until the references in them are resolved; only scaffolding asks
that the remote side be S3. Filters never hold references: ``${`` in them is a regular expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from chalicelib.core.data_sync.requests import FilterConfig, filter_patterns
from chalicelib.core.demand.names import short_hash
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.paths import join_s3

_SEPARATOR: Final = " @ "


class Action(StrEnum):
    """What happens to a parameter around the execution."""

    LOCALIZE = "LOCALIZE"
    """An input: brought from its remote to its local side before."""
    DELOCALIZE = "DELOCALIZE"
    """An output: brought from its local to its remote side after."""


class Resolvable(Noun):
    """One input or output."""

    action: Action
    local: str
    remote: str
    include: str | tuple[str, ...] | None = None
    exclude: str | tuple[str, ...] | None = None

    @property
    def filter_config(self) -> FilterConfig | None:
        """The filters as a sync request carries them, None when there are none."""
        if self.include is None and self.exclude is None:
            return None
        return FilterConfig(include=self.include, exclude=self.exclude)

    def to_wire(self) -> JsonValue:
        """Write the parameter's value: a string, or an object where a string cannot say it.

        The original also writes a string when a side contains blanks, which neither it nor we
        can read again; such a value is an object here.
        """
        sides = (self.remote, self.local)
        if self.filter_config is None and not any(map(_has_blank, sides)):
            ordered = sides if self.action is Action.LOCALIZE else sides[::-1]
            return _SEPARATOR.join(ordered)
        document: JsonValue = self.model_dump(mode="json", exclude_none=True)
        return document


def read_input(value: JsonValue) -> Resolvable:
    """Read an input's value. Raises InvalidRequest without a field."""
    if isinstance(value, Mapping):
        return _read_object(value, Action.LOCALIZE)
    if not isinstance(value, str):
        raise _unreadable(value, "an input is text or an object")
    remote, local = _sides(value)
    return Resolvable(
        action=Action.LOCALIZE, remote=remote, local=local or f"tmp{short_hash(remote)}"
    )


def read_output(value: JsonValue, prefix: str | None) -> Resolvable:
    """Read an output's value; ``prefix`` is ``output_s3_prefix``. Raises InvalidRequest."""
    if isinstance(value, Mapping):
        return _read_object(value, Action.DELOCALIZE)
    if value is None or isinstance(value, bool | list):
        raise _unreadable(value, "an output is text, a number or an object")
    local, remote = _sides(str(value))
    if not remote:
        remote = _below(prefix, local)
    return Resolvable(action=Action.DELOCALIZE, local=local, remote=remote)


def _below(prefix: str | None, local: str) -> str:
    if prefix is None:
        raise _unreadable(local, "the output has no remote side and there is no output_s3_prefix")
    if local.startswith("s3://"):
        raise _unreadable(local, "the output has no local side")
    return join_s3(prefix, local)


def _sides(text: str) -> tuple[str, str]:
    first, _, second = text.partition(_SEPARATOR)
    is_alone = _SEPARATOR not in text
    if not first or _has_blank(first + second) or not (second or is_alone):
        raise _unreadable(text, "blanks stand only around the one '@' between the two sides")
    return first, second


def _read_object(value: Mapping[str, JsonValue], action: Action) -> Resolvable:
    wanted = value.get("action")
    if wanted is not None and wanted != action:
        raise _unreadable(wanted, f"the action must be {action}", "action")
    sides: dict[str, str] = {}
    for side in ("local", "remote"):
        text = value.get(side)
        if not isinstance(text, str) or not text:
            raise _unreadable(text, f"the {side} side is missing, empty or not a string", side)
        sides[side] = text
    return Resolvable(action=action, **sides, **_read_filters(value))


def _read_filters(value: Mapping[str, JsonValue]) -> dict[str, str | tuple[str, ...] | None]:
    filters: dict[str, str | tuple[str, ...] | None] = {}
    for name in ("include", "exclude"):
        with at_field(name):
            filters[name] = filter_patterns(value.get(name))
    return filters


def _has_blank(text: str) -> bool:
    return any(map(str.isspace, text))


def _unreadable(value: object, problem: str, field: str = "") -> InvalidRequest:
    return InvalidRequest(
        problem,
        field=field,
        value=shortened(value),
        mend='write "s3://bucket/key @ local" for an input, "local @ s3://bucket/key" for an '
        'output, or {"local": …, "remote": …} for either',
    )
