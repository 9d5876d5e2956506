"""``execution_parameters``: the command, its parameters, and which of them are files.

The document is kept as it was given; what it means (``job_params``) is worked out once when it is
read, so that every rule of section 3 holds for any value of this class.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from chalicelib.core.demand.env_names import env_name
from chalicelib.core.demand.job_params import JobParam, ParamKind, read_params
from chalicelib.core.demand.pairs import PairOverride, SetPair, flat_pairs, pair_sets
from chalicelib.core.demand.references import expand
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import shortened, well_formed
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import S3Path

Json = Annotated[JsonValue, BeforeValidator(well_formed)]

OVERRIDES: Final = "param_pair_overrides"
DEPRECATED_PAIR_KEYS: Final = (
    "param_pairs",
    "param_set_pairs",
    "param_set_pair_overrides",
    "input_output_pairs",
    "input_output_pair_overrides",
)
"""Appended to ``param_pair_overrides`` in this order; read in snake_case only, never written."""


class ExecutionParameters(Wire):
    """Section 3 of the demand wire format."""

    command: tuple[str, ...] = ()
    params: dict[str, Json] = Field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    outputs_metadata: dict[str, dict[str, Json]] = Field(default_factory=dict)
    """Carried, never looked at."""
    output_s3_prefix: S3Path | None = None
    param_pair_overrides: tuple[PairOverride, ...] | None = None
    verbosity: bool = False

    @model_validator(mode="before")
    @classmethod
    def _gather_pair_keys(cls, document: Any) -> Any:
        return gather_pairs(document) if isinstance(document, Mapping) else document

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        # Without overrides no pair can be wrong, and all of them may be very many.
        _ = self.pair_sets if self.param_pair_overrides else self.job_params
        return self

    @cached_property
    def job_params(self) -> tuple[JobParam, ...]:
        """The parameters, resolved, in the document's order."""
        return read_params(self.params, self.inputs, self.outputs, self.output_s3_prefix)

    @property
    def input_params(self) -> tuple[JobParam, ...]:
        """The inputs in the order of ``inputs``, each once."""
        return self._listed(ParamKind.INPUT, self.inputs)

    @property
    def output_params(self) -> tuple[JobParam, ...]:
        """The outputs in the order of ``outputs``, each once."""
        return self._listed(ParamKind.OUTPUT, self.outputs)

    @cached_property
    def pair_sets(self) -> tuple[SetPair, ...]:
        """Which outputs come from which inputs."""
        return pair_sets(self.job_params, self.param_pair_overrides)

    @property
    def pairs(self) -> tuple[tuple[str | None, str | None], ...]:
        """The same, one (input, output) at a time."""
        return flat_pairs(self.job_params, self.pair_sets)

    def resolved_command(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Replace ``${NAME}`` in the command, by parameters before the given environment.

        For runners without a shell; on the wire the command stays as it is. Raises
        InvalidRequest for a name that neither knows.
        """
        values = {name.upper(): text for name, text in environment.items()}
        values |= {param.env_name: param.value for param in self.job_params}
        return tuple(expand(element, values) for element in self.command)

    def _listed(self, kind: ParamKind, names: tuple[str, ...]) -> tuple[JobParam, ...]:
        by_env = {param.env_name: param for param in self.job_params if param.kind is kind}
        order = dict.fromkeys(env_name(name) for name in names)
        return tuple(by_env[env] for env in order)


def gather_pairs(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with the deprecated pair keys folded into ``param_pair_overrides``."""
    camel = "paramPairOverrides"
    gathered = {key: value for key, value in document.items() if key not in {OVERRIDES, camel}}
    found: list[Any] = []
    for key in (OVERRIDES, camel, *DEPRECATED_PAIR_KEYS):
        value = document.get(key)
        if value is not None and not isinstance(value, list | tuple):
            raise InvalidRequest(
                f"{key} is not a list",
                field=key,
                value=shortened(value),
                mend='give a list such as [{"input": "a", "output": "b"}]',
            )
        found.extend(value or ())
    return gathered | ({OVERRIDES: found} if found else {})
